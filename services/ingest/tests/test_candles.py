"""A recorded day's candles against the venue's own, and what trades that come late do to candles told before."""

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import pytest
from algotrendy_common.clock import from_ms, to_ms
from algotrendy_common.enums import Timeframe
from algotrendy_core.bars import Bar, interval_start
from algotrendy_ingest.domain.ladder import LONGER, MINUTE
from algotrendy_ingest.domain.seconds import SECOND
from algotrendy_ingest.domain.series import BarSeries
from hypothesis import given, settings
from hypothesis import strategies as st

PAYLOADS = Path(__file__).parent / "payloads"
DAY = datetime(2019, 10, 11, tzinfo=UTC)
START = datetime(2022, 12, 13, 12, 0, tzinfo=UTC)

type Trade = tuple[datetime, Decimal, Decimal]
type Row = tuple[Decimal, Decimal, Decimal, Decimal, Decimal]


def values(bar: Bar) -> Row:
    return bar.open, bar.high, bar.low, bar.close, bar.volume


def flat(before: datetime, price: str = "0.00141") -> Bar:
    value = Decimal(price)
    return Bar(MINUTE, before - timedelta(minutes=1), value, value, value, value, Decimal(0), Decimal(0), 0, True)


def watching_from(start: datetime) -> BarSeries:
    series = BarSeries(seconds=True)
    series.seed({MINUTE: [flat(start)]})
    series.mark_gap(start)
    return series


def told_of(series: BarSeries, trades: Iterable[Trade]) -> Iterator[Bar]:
    for trade in trades:
        yield from series.add_trade(*trade)


def recorded_trades() -> list[Trade]:
    with (PAYLOADS / "xrp_eth_trades_2019-10-11.csv").open() as file:
        return [
            (from_ms(int(row["timestamp_ms"])), Decimal(row["price"]), Decimal(row["quantity"]))
            for row in csv.DictReader(file)
        ]


def venues_minutes() -> dict[datetime, Row]:
    with (PAYLOADS / "xrp_eth_1m_2019-10-11.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    return {from_ms(int(time)): tuple(map(Decimal, prices)) for time, *prices in rows}  # type: ignore[misc]


def put_together(rows: Iterable[tuple[datetime, Row]], timeframe: Timeframe) -> dict[datetime, Row]:
    """Longer candles, reckoned here in another way than there."""
    together: dict[datetime, Row] = {}
    length = timeframe.seconds * 1000
    for start, group in groupby(rows, key=lambda row: to_ms(row[0]) // length * length):
        parts = [row for _, row in group]
        together[from_ms(start)] = (
            parts[0][0], max(row[1] for row in parts), min(row[2] for row in parts), parts[-1][3],
            sum((row[4] for row in parts), Decimal(0)),
        )  # fmt: skip
    return together


@pytest.fixture(scope="module")
def day() -> list[Bar]:
    series = watching_from(DAY)
    told = list(told_of(series, recorded_trades()))
    return told + series.close_until(DAY + timedelta(days=1))


def test_minutes_of_a_recorded_day_are_the_venues_own(day: list[Bar]) -> None:
    minutes = [bar for bar in day if bar.timeframe is MINUTE]
    assert len(minutes) == 24 * 60
    assert {bar.open_time: values(bar) for bar in minutes if bar.trade_count} == venues_minutes()
    assert sum(bar.trade_count for bar in minutes) == 5929
    assert not any(bar.corrected for bar in minutes)


@pytest.mark.parametrize("timeframe", LONGER)
def test_longer_candles_of_a_recorded_day_are_the_venues_minutes_put_together(
    day: list[Bar], timeframe: Timeframe
) -> None:
    longer = {bar.open_time: bar for bar in day if bar.timeframe is timeframe}
    assert len(longer) == 86400 // timeframe.seconds
    expected = put_together(venues_minutes().items(), timeframe)
    for start, bar in longer.items():
        if not bar.trade_count:
            assert start not in expected
            continue
        # An interval that begins with an empty minute opens where the one before it closed, as venues tell it.
        began = start in venues_minutes()
        assert values(bar)[3:] == expected[start][3:]
        assert (bar.high, bar.low) == expected[start][1:3] if began else bar.high >= expected[start][1]
        assert not began or bar.open == expected[start][0]


def test_seconds_of_a_recorded_day_put_together_are_the_venues_minutes(day: list[Bar]) -> None:
    seconds = [bar for bar in day if bar.timeframe is SECOND]
    assert [bar.open_time for bar in seconds] == sorted({bar.open_time for bar in seconds})
    assert all(bar.trade_count for bar in seconds)
    together = put_together(((bar.open_time, values(bar)) for bar in seconds), MINUTE)
    assert together == venues_minutes()


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def test_a_late_trade_corrects_its_candles_and_the_empty_ones_after_it() -> None:
    series = watching_from(START)
    first = list(told_of(series, [(at(10), Decimal(10), Decimal(1)), (at(300), Decimal(20), Decimal(1))]))
    assert [bar.timeframe for bar in first].count(MINUTE) == 5
    told = series.add_trade(at(50), Decimal(12), Decimal(2))
    assert all(bar.corrected for bar in told)
    minutes = [bar for bar in told if bar.timeframe is MINUTE]
    assert [values(bar) for bar in minutes] == [
        (Decimal(10), Decimal(12), Decimal(10), Decimal(12), Decimal(3)),
        *[(Decimal(12),) * 4 + (Decimal(0),)] * 4,
    ]
    [five] = [bar for bar in told if bar.timeframe is Timeframe.M5]
    assert values(five) == (Decimal(10), Decimal(12), Decimal(10), Decimal(12), Decimal(3))
    # What forms is corrected too, and tells of no correction once it closes, for it was never told otherwise.
    assert series.growing(Timeframe.H1).volume == 4
    [*_, hour] = series.close_until(START + timedelta(hours=1))
    assert (hour.timeframe, hour.volume, hour.corrected) == (Timeframe.H1, Decimal(4), False)


def test_a_trade_older_than_what_was_watched_changes_nothing() -> None:
    series = watching_from(START)
    list(told_of(series, [(at(10), Decimal(10), Decimal(1)), (at(70), Decimal(20), Decimal(1))]))
    assert series.add_trade(at(-5), Decimal(99), Decimal(1)) == []
    assert series.late_trades == 1


def test_a_late_trade_of_a_minute_that_the_venue_told_is_in_it_already() -> None:
    series = BarSeries()
    series.seed({MINUTE: [flat(START)]})
    list(told_of(series, [(at(10), Decimal(10), Decimal(1)), (at(70), Decimal(20), Decimal(1))]))
    whole = Bar(MINUTE, START, *[Decimal(10)] * 4, Decimal(5), Decimal(50), 3, True)
    assert series.fill([whole]) == [whole]
    assert series.add_trade(at(20), Decimal(99), Decimal(1)) == []


trades = st.lists(
    st.tuples(
        st.integers(0, 25 * 60),
        st.decimals(1, 1000, places=2),
        st.decimals("0.01", 10, places=2),
    ),
    min_size=1,
    max_size=40,
)


@settings(deadline=None)
@given(trades, st.randoms(use_true_random=False))
def test_in_whatever_order_trades_come_the_last_word_on_each_candle_is_that_of_their_order_in_time(
    rows, random
) -> None:
    in_time = [(at(second), price, quantity) for second, price, quantity in sorted(rows, key=lambda row: row[0])]
    # Of trades at one instant the order of coming decides, so those stay as they are.
    in_time = [next(group) for _, group in groupby(in_time, key=lambda trade: trade[0])]
    as_came = [in_time[0], *random.sample(in_time[1:], len(in_time) - 1)]
    told = {}
    for trades_as_they_come in (in_time, as_came):
        series = watching_from(START)
        last: dict[tuple[Timeframe, datetime], Bar] = {}
        for bar in told_of(series, trades_as_they_come):
            assert bar.corrected == ((bar.timeframe, bar.open_time) in last) or bar.timeframe is SECOND
            last[bar.timeframe, bar.open_time] = bar
        for bar in series.close_until(START + timedelta(hours=1)):
            last.setdefault((bar.timeframe, bar.open_time), bar)
        told[id(trades_as_they_come)] = {
            key: (*values(bar), bar.quote_volume, bar.trade_count)
            for key, bar in last.items()
            if bar.timeframe is not SECOND
        }
    assert told[id(as_came)] == told[id(in_time)]


@settings(deadline=None)
@given(trades, st.integers(0, 40))
def test_no_candle_looks_ahead(rows, cut) -> None:
    """What is told until a trade is the same whatever comes after it, and nothing is told before it is over."""
    in_time = [(at(second), price, quantity) for second, price, quantity in sorted(rows, key=lambda row: row[0])]
    until, whole = watching_from(START), watching_from(START)
    told_until = list(told_of(until, in_time[:cut]))
    told_whole = []
    for trade in in_time:
        for bar in whole.add_trade(*trade):
            assert bar.close_time <= interval_start(trade[0], SECOND)
            told_whole.append(bar)
    assert told_whole[: len(told_until)] == told_until


def test_history_of_hours_completes_the_day_that_it_ends_in() -> None:
    """A service that begins at noon tells the day's candle at midnight, though it has few of its minutes."""
    hours = [
        Bar(Timeframe.H1, DAY + timedelta(hours=n), *[Decimal(n + 1)] * 4, Decimal(1), Decimal(n + 1), 1, True)
        for n in range(12)
    ]
    noon = DAY + timedelta(hours=12)
    series = BarSeries()
    series.seed({Timeframe.H1: hours, MINUTE: [flat(noon, "12")]})
    series.mark_gap(noon)
    series.add_trade(noon, Decimal(50), Decimal(3))
    told = series.close_until(DAY + timedelta(days=1))
    [day] = [bar for bar in told if bar.timeframe is Timeframe.D1]
    assert values(day) == (Decimal(1), Decimal(50), Decimal(1), Decimal(50), Decimal(15))
    assert [bar.open_time.hour for bar in told if bar.timeframe is Timeframe.H4] == [12, 16, 20]
