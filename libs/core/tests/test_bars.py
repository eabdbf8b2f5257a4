"""Bars: the closing rule, late and disordered trades, longer bars out of shorter ones."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_common.enums import Timeframe
from algotrendy_core.bars import Bar, BarAggregator, Candle, as_floats, interval_start
from hypothesis import given
from hypothesis import strategies as st

START = datetime(2026, 1, 2, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def feed(aggregator: BarAggregator, *trades: tuple[float, str, str]) -> list[Bar]:
    return [
        bar
        for seconds, price, quantity in trades
        for bar in aggregator.add_trade(at(seconds), Decimal(price), Decimal(quantity))
    ]


def test_a_bar_closes_with_the_first_trade_of_a_later_interval() -> None:
    aggregator = BarAggregator(Timeframe.M1, watching_since=START)
    closed = feed(aggregator, (1, "100", "1"), (2, "103", "2"), (30, "99", "0.5"), (59.999, "101", "1"))
    assert closed == []
    [bar] = feed(aggregator, (185, "105", "1"))
    assert bar == Bar(
        Timeframe.M1, START, Decimal(100), Decimal(103), Decimal(99), Decimal(101), volume=Decimal("4.5"),
        quote_volume=Decimal("456.5"), trade_count=4, complete=True,
    )  # fmt: skip
    assert bar.close_time == at(60)
    assert aggregator.forming is not None
    assert aggregator.forming.open_time == at(180)  # intervals without trades have no bar


def test_a_bar_closes_at_the_end_of_its_interval_when_told_the_time() -> None:
    aggregator = BarAggregator(Timeframe.M1, watching_since=START)
    feed(aggregator, (1, "100", "1"))
    assert aggregator.close_until(at(59.999)) == []
    [bar] = aggregator.close_until(at(60))
    assert bar.open_time == START
    assert aggregator.forming is None
    assert aggregator.close_until(at(60)) == []
    assert feed(aggregator, (59, "120", "1"), (61, "101", "1"), (130, "102", "1"))[0].high == 101
    assert aggregator.late == 1


def test_trades_inside_an_interval_may_come_in_any_order() -> None:
    aggregator = BarAggregator(Timeframe.M1, watching_since=START)
    feed(aggregator, (10, "100", "1"), (5, "98", "1"), (40, "103", "1"), (20, "101", "1"), (40, "104", "1"))
    [bar] = aggregator.close_until(at(60))
    assert (bar.open, bar.close, bar.trade_count) == (98, 104, 5)


def test_a_late_trade_never_changes_a_closed_bar() -> None:
    aggregator = BarAggregator(Timeframe.M1, watching_since=START)
    [bar] = feed(aggregator, (1, "100", "1"), (61, "101", "1"), (3, "500", "1"))
    assert bar.high == 100
    assert aggregator.late == 1
    assert aggregator.forming is not None
    assert aggregator.forming.high == 101


def test_the_first_bar_is_incomplete_when_watching_began_inside_it() -> None:
    aggregator = BarAggregator(Timeframe.M1)
    first, second = feed(aggregator, (30, "100", "1"), (61, "101", "1"), (121, "102", "1"))
    assert (first.complete, second.complete) == (False, True)


def test_a_gap_makes_the_bars_it_touches_incomplete() -> None:
    aggregator = BarAggregator(Timeframe.M1, watching_since=START)
    feed(aggregator, (10, "100", "1"))
    aggregator.mark_gap(resumed_at=at(90))
    flags = [bar.complete for bar in feed(aggregator, (95, "100", "1"), (121, "100", "1"), (181, "100", "1"))]
    assert flags == [False, False, True]


def test_longer_bars_are_made_of_shorter_ones_only() -> None:
    aggregator = BarAggregator(Timeframe.M5)
    hour = Bar(Timeframe.H1, START, *[Decimal(1)] * 6, trade_count=1, complete=True)
    with pytest.raises(ValueError, match="not made of"):
        aggregator.add_bar(hour)


def test_intervals_are_counted_from_the_epoch() -> None:
    time = datetime(2026, 1, 2, 13, 47, 12, 5, tzinfo=UTC)
    assert interval_start(time, Timeframe.H4) == datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert interval_start(time, Timeframe.D1) == datetime(2026, 1, 2, tzinfo=UTC)
    assert interval_start(datetime(1969, 12, 31, 23, 59, 1, tzinfo=UTC), Timeframe.M1) == datetime(
        1969, 12, 31, 23, 59, tzinfo=UTC
    )


def test_floats_carry_the_open_time_in_milliseconds() -> None:
    bar = Bar(Timeframe.M1, START, *(Decimal(n) for n in ("1.5", "2", "1", "1.75", "10", "15")), 3, complete=True)
    assert as_floats(bar) == Candle(int(START.timestamp() * 1000), 1.5, 2.0, 1.0, 1.75, 10.0)


trades = st.lists(
    st.tuples(
        st.integers(0, 3_000_000).map(lambda ms: ms / 1000),
        st.integers(1, 10**8).map(lambda n: str(Decimal(n) / 10**4)),
        st.integers(1, 10**8).map(lambda n: str(Decimal(n) / 10**8)),
    ),
    min_size=1,
    max_size=60,
).map(sorted)


@given(trades)
def test_bars_hold_every_trade_exactly(trades: list[tuple[float, str, str]]) -> None:
    aggregator = BarAggregator(Timeframe.M1, watching_since=START)
    bars = [*feed(aggregator, *trades), *aggregator.close_until(at(10**6))]
    assert sum(bar.trade_count for bar in bars) == len(trades)
    assert sum((bar.volume for bar in bars), Decimal(0)) == sum((Decimal(q) for _, _, q in trades), Decimal(0))
    assert bars[0].open == Decimal(trades[0][1])
    assert bars[-1].close == Decimal(trades[-1][1])
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)
    assert [bar.open_time for bar in bars] == sorted({bar.open_time for bar in bars})


@given(trades)
def test_five_minutes_out_of_minutes_is_five_minutes_out_of_trades(trades: list[tuple[float, str, str]]) -> None:
    minutes, direct, derived = (
        BarAggregator(timeframe, watching_since=START) for timeframe in (Timeframe.M1, Timeframe.M5, Timeframe.M5)
    )
    ones = [*feed(minutes, *trades), *minutes.close_until(at(10**6))]
    fives = [*feed(direct, *trades), *direct.close_until(at(10**6))]
    again = [bar for one in ones for bar in derived.add_bar(one)] + derived.close_until(at(10**6))
    assert again == fives
