"""Catching up and filling gaps, over a history that is there, late, or away; and paging through ingest's answers."""

from datetime import timedelta
from decimal import Decimal

import pytest
from algotrendy_agent.adapters.ingest import Ingest
from algotrendy_agent.domain.market import bar_of_candle
from algotrendy_agent.history import HistoryReader
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Retryable
from algotrendy_common.rpc.ingest import Candles
from algotrendy_core.strategies.registry import parameters_of, strategy_named
from algotrendy_core.strategies.running import StrategyRun


class Past:
    """A history that answers from a list, after refusing ``away`` times."""

    def __init__(self, candles, away=0):
        self.candles = list(candles)
        self.away = away
        self.arriving = []
        self.calls = 0

    def _answer(self):
        self.calls += 1
        if self.calls <= self.away:
            raise Retryable("away")
        found = list(self.candles)
        if self.arriving:
            self.candles.append(self.arriving.pop(0))
        return found

    async def newest(self, venue, symbol, timeframe, count):
        return self._answer()[-count:]

    async def between(self, venue, symbol, timeframe, start, end):
        return [row for row in self._answer() if row.open_time >= start and (end is None or row.open_time < end)]


def run_of(making) -> StrategyRun:
    config = making.config()
    strategy = strategy_named(config.kind)
    return StrategyRun(strategy, parameters_of(strategy, config.parameters))


def reader(past, patience_s: float = 0.0) -> HistoryReader:
    return HistoryReader(past, timedelta(seconds=patience_s))


async def test_a_new_state_is_warmed_up_as_soon_as_history_answers(making):
    past, run = Past((making.candle(minute, "100") for minute in range(20)), away=2), run_of(making)
    await reader(past, 30).catch_up(making.config(), run)
    assert past.calls == 3
    assert run.warm_up_left == 0
    assert run.last_time == int((making.BEGINNING + 19 * making.MINUTE).timestamp() * 1000)


async def test_a_saved_state_takes_what_came_since_as_if_it_had_been_live(making):
    live, config = run_of(making), making.config()
    candles = [making.candle(minute, str(100 + minute)) for minute in range(30)]
    await reader(Past(candles[:20])).catch_up(config, live)
    resumed = run_of(making)
    resumed.restore(live.save())
    for row in candles[20:]:
        live.on_bar(bar_of_candle(config, row))
    await reader(Past(candles)).catch_up(config, resumed)
    assert resumed.save() == live.save()


async def test_without_any_history_it_warms_up_on_live_bars_after_its_patience(making):
    run = run_of(making)
    await reader(Past([])).catch_up(making.config(), run)
    assert run.warm_up_left == 2


async def test_a_bar_that_history_shows_late_is_asked_for_again(making):
    past, run = Past([making.candle(minute, "100") for minute in range(5)]), run_of(making)
    await reader(past).catch_up(making.config(), run)
    past.arriving = [making.candle(5, "101"), making.candle(6, "102")]
    found = await reader(past).fill_gap(making.config(), run, making.BEGINNING + 7 * making.MINUTE)
    assert [row.close for row in found] == [Decimal(101), Decimal(102)]
    assert run.last_time == int((making.BEGINNING + 6 * making.MINUTE).timestamp() * 1000)


async def test_an_interval_without_trades_has_no_bar_and_is_not_waited_for_long(making):
    past, run = Past([making.candle(minute, "100") for minute in range(5)]), run_of(making)
    await reader(past).catch_up(making.config(), run)
    calls = past.calls
    assert await reader(past).fill_gap(making.config(), run, making.BEGINNING + 9 * making.MINUTE) == []
    assert past.calls - calls == 4


class Asking:
    """A bus whose only service is a list of candles."""

    def __init__(self, candles):
        self.candles = candles
        self.limits = []

    async def ask(self, call, asked, timeout_s=5.0):
        self.limits.append(asked.limit)
        rows = [
            row
            for row in self.candles
            if (not asked.start or row.open_time >= asked.start) and (not asked.end or row.open_time < asked.end)
        ]
        if asked.start is None:
            return Candles(candles=tuple(rows[-asked.limit :]), more=False)
        return Candles(candles=tuple(rows[: asked.limit]), more=len(rows) > asked.limit)


@pytest.mark.parametrize("count", [1, 999, 1000, 1001, 2500, 9000])
async def test_more_than_a_page_is_asked_for_page_by_page(making, count):
    candles = [making.candle(minute, "100", closed=minute < 2999) for minute in range(3000)]
    bus = Asking(candles)
    found = await Ingest(bus).newest("binance", "BTC-USDT", Timeframe.M1, count)
    assert found == candles[:-1][-count:]
    assert max(bus.limits) <= 1000
    start = making.BEGINNING + 10 * making.MINUTE
    between = await Ingest(bus).between("binance", "BTC-USDT", Timeframe.M1, start, None)
    assert between == candles[10:-1]


async def test_the_closes_remembered_end_with_the_newest_bar_taken(making):
    past, run = Past([making.candle(minute, str(100 + minute)) for minute in range(5)]), run_of(making)
    await reader(past).catch_up(making.config(), run)
    past.candles.append(making.candle(5, "200"))
    assert await reader(past).closes(making.config(), run, 3) == ["103", "104"]
