from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby

import pytest
from algotrendy_common.enums import Timeframe
from algotrendy_core.bars import Bar, interval_start
from algotrendy_ingest.domain.ladder import LONGER, MINUTE
from algotrendy_ingest.domain.series import TAIL, BarSeries, Hole
from hypothesis import given
from hypothesis import strategies as st

START = datetime(2022, 12, 13, 12, 0, tzinfo=UTC)


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def minute(number: int, price: str = "100", *, volume: str = "1", count: int = 1) -> Bar:
    value = Decimal(price)
    return Bar(
        MINUTE, at(number), value, value, value, value,
        volume=Decimal(volume), quote_volume=value * Decimal(volume), trade_count=count, complete=True,
    )  # fmt: skip


def seeded(*minutes: Bar) -> BarSeries:
    series = BarSeries()
    series.seed({MINUTE: list(minutes)})
    return series


def trade(series: BarSeries, when: float, price: str = "100", quantity: str = "1") -> list[Bar]:
    return series.add_trade(at(when), Decimal(price), Decimal(quantity))


def test_a_minute_closes_with_the_first_trade_of_the_next():
    series = seeded(minute(-1))
    series.mark_gap(at(0))
    assert trade(series, 0, "10") == []
    assert trade(series, 0.5, "12", "2") == []
    [bar] = trade(series, 1, "11")
    assert (bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trade_count) == (
        at(0), Decimal(10), Decimal(12), Decimal(10), Decimal(12), Decimal(3), 2
    )  # fmt: skip


def test_the_first_minute_is_held_until_the_venue_tells_what_it_was():
    series = seeded(minute(-1))
    assert trade(series, 0.5, "10") == []
    assert trade(series, 1, "11") == []
    assert series.hole == Hole(at(0), at(1))
    [bar] = series.fill([minute(0, "9", volume="7", count=5)])
    assert (bar.open, bar.volume, bar.trade_count) == (Decimal(9), Decimal(7), 5)
    assert series.hole is None


def test_candles_after_a_hole_wait_for_it_and_follow_in_order():
    series = seeded(minute(-1))
    trade(series, 0.5)
    trade(series, 1)
    assert trade(series, 2) == []
    assert [bar.open_time for bar in series.fill([minute(0)])] == [at(0), at(1)]
    assert [bar.open_time for bar in trade(series, 3)] == [at(2)]


def test_candles_that_do_not_reach_the_end_of_the_hole_change_nothing():
    series = seeded(minute(-3))
    trade(series, 0.5)
    trade(series, 1)
    assert series.hole == Hole(at(-2), at(1))
    assert series.fill([minute(-2), minute(-1)]) == []
    assert series.hole == Hole(at(-2), at(1))
    assert [bar.open_time for bar in series.fill([minute(-2), minute(-1), minute(0)])] == [at(-2), at(-1), at(0)]


def test_a_gap_on_the_tape_makes_both_its_minutes_uncertain():
    series = seeded(minute(-1))
    series.mark_gap(at(0))
    trade(series, 0)
    series.mark_gap(at(3.5))
    assert trade(series, 3.5) == []
    assert series.hole == Hole(at(0), at(1))
    assert trade(series, 4) == []
    assert series.hole == Hole(at(0), at(4))
    assert len(series.fill([minute(number) for number in range(4)])) == 4


def test_minutes_without_trades_are_flat_as_venues_tell_them():
    series = seeded(minute(-1))
    series.mark_gap(at(0))
    trade(series, 0, "10")
    told = trade(series, 3, "20")
    assert [(bar.open_time, bar.open, bar.close, bar.volume, bar.trade_count) for bar in told] == [
        (at(0), Decimal(10), Decimal(10), Decimal(1), 1),
        (at(1), Decimal(10), Decimal(10), Decimal(0), 0),
        (at(2), Decimal(10), Decimal(10), Decimal(0), 0),
    ]


def test_a_minute_that_ends_in_silence_is_closed_by_the_venues_clock():
    series = seeded(minute(-1))
    series.mark_gap(at(0))
    trade(series, 0)
    assert series.overdue_from == at(1)
    assert [bar.open_time for bar in series.close_until(at(1))] == [at(0)]
    assert series.overdue_from == at(2)
    assert [bar.trade_count for bar in series.close_until(at(2))] == [0]
    assert [(bar.timeframe, bar.open_time, bar.trade_count, bar.corrected) for bar in trade(series, 1.5)] == [
        (MINUTE, at(1), 1, True)
    ]
    assert series.late_trades == 1


def test_longer_candles_close_with_the_minute_that_ends_them():
    series = seeded(*(minute(number, str(100 + number)) for number in range(-4, 0)))
    series.mark_gap(at(0))
    for number in range(15):
        told = trade(series, number, str(200 + number))
    told = trade(series, 15)
    assert [bar.timeframe for bar in told] == [MINUTE, Timeframe.M5, Timeframe.M15]
    quarter = told[-1]
    assert (quarter.open_time, quarter.open, quarter.close, quarter.volume) == (
        at(0), Decimal(200), Decimal(214), Decimal(15)
    )  # fmt: skip


def test_history_completes_the_longer_candle_it_ends_in():
    series = seeded(*(minute(number) for number in range(3)))
    series.mark_gap(at(3))
    trade(series, 3)
    trade(series, 4)
    [_, five] = trade(series, 5)
    assert (five.timeframe, five.open_time, five.trade_count) == (Timeframe.M5, at(0), 5)


def test_a_longer_candle_whose_beginning_is_unknown_is_not_told():
    series = seeded(minute(2))
    series.mark_gap(at(3))
    trade(series, 3)
    trade(series, 4)
    assert [bar.timeframe for bar in trade(series, 5)] == [MINUTE]


def test_growing_candles_hold_what_is_closed_and_what_is_not():
    series = seeded(minute(0, "100"), minute(1, "120"))
    series.mark_gap(at(2))
    trade(series, 2.1, "90", "3")
    grown = series.growing(Timeframe.M5)
    assert (grown.open, grown.high, grown.low, grown.close, grown.volume, grown.trade_count) == (
        Decimal(100), Decimal(120), Decimal(90), Decimal(90), Decimal(5), 3
    )  # fmt: skip
    assert series.grown(MINUTE) is not None
    assert series.grown(MINUTE) is None
    trade(series, 2.2, "91")
    assert series.grown(MINUTE).close == Decimal(91)


def test_silence_before_the_first_trade_proves_nothing():
    series = seeded(minute(-1))
    assert series.overdue_from is None
    assert series.close_until(at(2)) == []
    trade(series, 2.5)
    trade(series, 3)
    assert series.hole == Hole(at(0), at(3))


def test_memory_is_bounded():
    series = seeded(minute(-1))
    series.mark_gap(at(0))
    for number in range(TAIL + 10):
        trade(series, number)
    assert len(series.closed(MINUTE)) == TAIL


@pytest.mark.parametrize("timeframe", [each for each in LONGER if each.seconds <= 3600])
@given(
    st.lists(
        st.tuples(
            st.integers(min_value=0, max_value=90 * 60),
            st.decimals(min_value=1, max_value=1000, places=2),
            st.decimals(min_value="0.01", max_value=10, places=2),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_what_is_told_is_what_the_trades_say_once_and_in_order(timeframe, trades):
    trades = sorted(trades, key=lambda one: one[0])
    series = seeded(minute(-1, "50"))
    series.mark_gap(at(0))
    told = []
    for second, price, quantity in trades:
        told += series.add_trade(START + timedelta(seconds=second), price, quantity)
    end = interval_start(START + timedelta(seconds=trades[-1][0]), timeframe) + timedelta(seconds=timeframe.seconds)
    told += series.close_until(end)

    minutes = [bar for bar in told if bar.timeframe is MINUTE]
    assert [bar.open_time for bar in minutes] == [at(number) for number in range(len(minutes))]
    assert minutes[-1].close_time == end
    by_minute = {key: list(group) for key, group in groupby(trades, key=lambda one: at(one[0] // 60))}
    last = Decimal(50)
    for bar in minutes:
        prices = [price for _, price, _ in by_minute.get(bar.open_time, [(0, last, 0)])]
        last = prices[-1]
        assert (bar.open, bar.high, bar.low, bar.close) == (prices[0], max(prices), min(prices), prices[-1])
        assert bar.volume == sum((quantity for *_, quantity in by_minute.get(bar.open_time, [])), Decimal(0))

    longer = [bar for bar in told if bar.timeframe is timeframe]
    for bar in longer:
        parts = [part for part in minutes if bar.open_time <= part.open_time < bar.close_time]
        assert (bar.open, bar.close) == (parts[0].open, parts[-1].close)
        assert (bar.high, bar.low) == (max(part.high for part in parts), min(part.low for part in parts))
        assert bar.volume == sum(part.volume for part in parts)
        assert bar.trade_count == sum(part.trade_count for part in parts)
    assert len(longer) == len({bar.open_time for bar in longer}) == len(minutes) * 60 // timeframe.seconds
