"""Fills by time and in pairs: nothing skipped however late it is told, nothing told twice, nothing before its order."""

from decimal import Decimal
from itertools import pairwise

import pytest
from algotrendy_broker_gateway.adapters.fill_windows import OVERLAP_MS, FillCursor, windows
from algotrendy_broker_gateway.adapters.paired_stream import PairedStream
from algotrendy_broker_gateway.domain.venue_report import Standing, VenueOrder
from algotrendy_common.clock import from_ms, to_ms
from algotrendy_common.enums import Liquidity, OrderType, Side, TimeInForce
from algotrendy_core.fills import Fill
from hypothesis import given
from hypothesis import strategies as st

START_MS = 1_700_000_000_000


def fill(number, at_ms=START_MS, quantity="1", order="o1"):
    return Fill(
        trade_id=f"t{number}",
        venue_order_id=order,
        venue="bybit",
        symbol="BTC-USDT",
        side=Side.BUY,
        price=Decimal(1),
        quantity=Decimal(quantity),
        fee=Decimal(0),
        fee_currency="BTC",
        liquidity=Liquidity.TAKER,
        event_time=from_ms(at_ms),
    )


def order(executed, standing=Standing.WORKING, name="o1"):
    return VenueOrder(
        venue_order_id=name,
        client_id="c1",
        symbol="BTC-USDT",
        side=Side.BUY,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal(10),
        limit_price=Decimal(1),
        executed_quantity=Decimal(executed),
        standing=standing,
        reason="",
        created_at=from_ms(START_MS),
        updated_at=from_ms(START_MS),
    )


# -- by time -----------------------------------------------------------------------------------------------------------


def test_ranges_cover_the_time_and_are_never_too_long():
    found = list(windows(0, 25, 10))
    assert found == [(0, 10), (10, 20), (20, 30), (30, 40)][: len(found)]
    assert found[-1][1] > 25
    assert next(windows(100, 50, 10))[0] == 100


@given(since=st.integers(0, 10**6), length=st.integers(0, 10**6), longest=st.integers(1, 10**6))
def test_ranges_join(since, length, longest):
    longest = max(longest, length // 50 + OVERLAP_MS // 50 + 1)
    found = list(windows(since, since + length, longest))
    assert found[0][0] == since
    assert found[-1][1] > since + length
    assert all(end - begin <= longest for begin, end in found)
    assert all(one[1] == other[0] for one, other in pairwise(found))


@given(
    traded=st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, OVERLAP_MS - 1)), max_size=30),
    begun=st.integers(0, 60_000),
    asked=st.lists(st.integers(0, 90_000), max_size=8),
)
def test_from_cursor_to_cursor_no_fill_is_skipped_and_none_of_the_past_comes(traded, begun, asked):
    """A venue that shows each fill up to the overlap later than it happened."""
    fills = [(fill(number, START_MS + at), at + late) for number, (at, late) in enumerate(traded)]

    def shown(now, since_ms):
        return [one for one, from_then in fills if from_then <= now and to_ms(one.event_time) >= since_ms]

    begun_ms = START_MS + begun
    past = shown(begun, FillCursor.since(begun_ms))
    cursor, told = FillCursor.begun(begun_ms, past).text(), []
    for now in sorted(begun + after for after in [*asked, 200_000]):
        before = FillCursor.of_text(cursor)
        page = before.page(shown(now, before.since_ms), START_MS + now)
        told += [one.trade_id for one in page.fills]
        cursor = page.cursor

    known = {one.trade_id for one, from_then in fills if from_then <= begun}
    later = {one.trade_id for one, from_then in fills if from_then > begun}
    assert later <= set(told)
    assert not known & set(told)
    assert len(told) == len(set(told))


# -- in pairs ----------------------------------------------------------------------------------------------------------


def told(reports):
    return [(report.order.executed_quantity, [one.trade_id for one in report.fills]) for report in reports]


def test_a_trade_waits_for_the_order_that_counts_it():
    stream = PairedStream()
    assert told(stream.orders([order("0")])) == [(0, [])]
    assert stream.trades([fill(1)]) == ()
    assert told(stream.orders([order("1")])) == [(1, ["t1"])]


def test_a_trade_that_comes_after_its_order_goes_with_it():
    stream = PairedStream()
    stream.orders([order("0"), order("2", Standing.DONE)])
    assert told(stream.trades([fill(1), fill(2)])) == [(2, ["t1"]), (2, ["t2"])]


def test_what_is_told_twice_counts_once():
    stream = PairedStream()
    stream.orders([order("0"), order("1")])
    assert told(stream.trades([fill(1), fill(1)])) == [(1, ["t1"])]
    assert stream.trades([fill(1)]) == ()


def test_an_older_state_does_not_hide_a_newer_one():
    stream = PairedStream()
    stream.orders([order("2"), order("0")])
    assert told(stream.trades([fill(1)])) == [(2, ["t1"])]


def test_an_order_that_had_traded_before_does_not_hold_its_next_trade_back():
    stream = PairedStream()
    stream.orders([order("5")])
    assert stream.trades([fill(6)]) != ()
    begun_with_a_trade = PairedStream()
    assert begun_with_a_trade.trades([fill(6)]) == ()
    assert told(begun_with_a_trade.orders([order("6")])) == [(6, ["t6"])]


def test_a_new_stream_remembers_nothing():
    stream = PairedStream()
    stream.orders([order("1")])
    stream.clear()
    assert stream.trades([fill(1)]) == ()


@pytest.mark.parametrize("swapped", [False, True])
def test_orders_are_kept_apart(swapped):
    stream = PairedStream()
    names = ("o2", "o1") if swapped else ("o1", "o2")
    stream.trades([fill(1, order="o1"), fill(2, order="o2")])
    reports = [report for name in names for report in stream.orders([order("1", name=name)])]
    assert {one.trade_id: report.order.venue_order_id for report in reports for one in report.fills} == {
        "t1": "o1", "t2": "o2",
    }  # fmt: skip
