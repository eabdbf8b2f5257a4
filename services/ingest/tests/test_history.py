from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from algotrendy_common.enums import Timeframe
from algotrendy_common.rpc.ingest import Candle
from algotrendy_core.bars import Bar
from algotrendy_ingest.domain.history import Span, joined, missing
from hypothesis import given
from hypothesis import strategies as st

START = datetime(2022, 12, 13, tzinfo=UTC)
HOUR = timedelta(hours=1)


def bar(number: int, price: str) -> Bar:
    value = Decimal(price)
    return Bar(
        Timeframe.H1, START + number * HOUR, value, value, value, value,
        volume=Decimal(1), quote_volume=value, trade_count=1, complete=True,
    )  # fmt: skip


def candle(number: int, price: str, *, closed: bool = True) -> Candle:
    return Candle(
        open_time=START + number * HOUR, open=price, high=price, low=price, close=price, volume="1", closed=closed
    )


@given(st.sets(st.integers(min_value=-3, max_value=30)), st.integers(min_value=0, max_value=25))
def test_missing_spans_and_what_is_there_make_up_the_window(present, length):
    window = Span(START, START + length * HOUR)
    spans = missing([START + number * HOUR for number in present], window, Timeframe.H1)
    lacking = []
    for span in spans:
        assert span.start < span.end
        lacking += range((span.start - START) // HOUR, (span.end - START) // HOUR)
    assert lacking == [number for number in range(length) if number not in present]
    assert all(one.end < other.start for one, other in pairwise(spans))


def test_memory_wins_over_the_store_and_the_open_candle_comes_last():
    shown = joined([candle(0, "1"), candle(1, "2")], [bar(1, "3"), bar(2, "4")], bar(3, "5"))
    assert [(one.close, one.closed) for one in shown] == [
        (Decimal(1), True), (Decimal(3), True), (Decimal(4), True), (Decimal(5), False)
    ]  # fmt: skip


def test_an_open_candle_that_has_closed_meanwhile_is_shown_closed():
    [only] = joined([], [bar(0, "1")], bar(0, "1"))
    assert only.closed
