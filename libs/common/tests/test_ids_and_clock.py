from datetime import UTC, datetime, timedelta, timezone

import pytest
from algotrendy_common.clock import Instant, ManualClock, SystemClock, from_ms, to_ms
from algotrendy_common.ids import EventId, Symbol, client_order_id, derived_id, new_id
from pydantic import TypeAdapter, ValidationError


def test_derived_ids_depend_on_every_part_and_on_where_it_ends():
    assert derived_id("a", "b") == derived_id("a", "b")
    assert len({derived_id("a", "b"), derived_id("ab"), derived_id("a", "b", 0), derived_id("b", "a")}) == 4


def test_a_client_order_id_is_what_every_venue_accepts():
    TypeAdapter(EventId).validate_python(client_order_id(new_id()))
    order = new_id()
    assert client_order_id(order, 0) != client_order_id(order, 1)
    assert client_order_id(order) == client_order_id(order)


@pytest.mark.parametrize("text", ["BTC/USDT", "BTC.USDT", "", "BTC USDT", "*", ">"])
def test_a_symbol_is_one_token_of_a_subject(text):
    with pytest.raises(ValidationError):
        TypeAdapter(Symbol).validate_python(text)


def test_times_are_aware_and_utc():
    adapter = TypeAdapter(Instant)
    with pytest.raises(ValidationError, match="without a zone"):
        adapter.validate_python(datetime(2026, 1, 1))
    tokyo = datetime(2026, 1, 1, 9, tzinfo=timezone(timedelta(hours=9)))
    assert adapter.validate_python(tokyo) == datetime(2026, 1, 1, tzinfo=UTC)
    assert SystemClock().now().tzinfo is UTC


def test_milliseconds_there_and_back():
    assert to_ms(from_ms(1670889600123)) == 1670889600123


def test_a_manual_clock_moves_only_when_told():
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    assert clock.now() == clock.now()
    clock.advance(timedelta(seconds=1))
    assert clock.now() == datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
    clock.set(datetime(2027, 1, 1, tzinfo=UTC))
    assert clock.now().year == 2027
