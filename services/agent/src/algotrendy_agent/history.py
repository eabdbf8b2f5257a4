"""Brings a strategy's state up to the newest closed bar, without trading on what it reads.

Invariant: bars go into the state in order, each once; a bar that history does not have is not made up.
"""

import asyncio
from datetime import datetime, timedelta

from algotrendy_common.clock import from_ms, monotonic_s, to_ms
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.money import plain
from algotrendy_common.rpc.ingest import Candle
from algotrendy_common.telemetry import log
from algotrendy_core.strategies.running import StrategyRun

from algotrendy_agent.domain.instance import StrategyConfig
from algotrendy_agent.domain.market import bar_of_candle
from algotrendy_agent.ports import MarketHistory

_WARM_UP_FACTOR = 4
"""Averages that never forget (RSI's, ATR's) are within a few parts in a thousand after four lengths."""
_LONGEST = 5000
_PAUSE_S = 0.5
_GAP_TRIES = 4
_GAP_PAUSE_S = 0.25


class HistoryReader:
    def __init__(self, history: MarketHistory, patience: timedelta) -> None:
        self._history = history
        self._patience_s = patience.total_seconds()
        self._log = log("agent")

    async def catch_up(self, config: StrategyConfig, run: StrategyRun) -> None:
        """All that is missing: the warm-up of a new state, or what came since a saved one. Asks until ingest answers;
        waits for its patience where ingest has no history yet."""
        deadline = monotonic_s() + self._patience_s
        told = ""
        while True:
            try:
                candles = await self._missing(config, run)
            except (Retryable, Refused) as error:
                if str(error) != told:
                    told = str(error)
                    self._log.warning("history not there yet", strategy=config.strategy, error=told)
            else:
                self._feed(config, run, candles)
                if run.warm_up_left == 0 or monotonic_s() > deadline:
                    self._log.info("caught up", strategy=config.strategy, bars=len(candles), left=run.warm_up_left)
                    return
            await asyncio.sleep(_PAUSE_S)

    async def closes(self, config: StrategyConfig, run: StrategyRun, count: int) -> list[str]:
        """The last closing prices up to the newest bar taken; none where ingest does not say, for no order depends on
        them."""
        try:
            candles = await self._history.newest(config.venue, config.symbol, config.timeframe, count)
        except (Retryable, Refused) as error:
            self._log.warning("no closes to remember", strategy=config.strategy, error=str(error))
            return []
        taken = run.last_time if run.last_time is not None else 0
        return [plain(candle.close) for candle in candles if to_ms(candle.open_time) <= taken]

    async def fill_gap(self, config: StrategyConfig, run: StrategyRun, until: datetime) -> list[Candle]:
        """The bars between the newest one taken and ``until``. A bar can be on the bus before history shows it, so a
        short answer is asked for again; an interval in which nothing traded has no bar, so that ends."""
        assert run.last_time is not None
        start = from_ms(run.last_time) + timedelta(seconds=config.timeframe.seconds)
        expected = int((until - start).total_seconds()) // config.timeframe.seconds
        candles: list[Candle] = []
        for attempt in range(_GAP_TRIES):
            if attempt:
                await asyncio.sleep(_GAP_PAUSE_S)
            try:
                candles = await self._history.between(config.venue, config.symbol, config.timeframe, start, until)
            except (Retryable, Refused) as error:
                self._log.warning("gap not filled yet", strategy=config.strategy, error=str(error))
            if len(candles) >= expected:
                break
        self._feed(config, run, candles)
        self._log.info("gap filled", strategy=config.strategy, expected=expected, found=len(candles))
        return candles

    async def _missing(self, config: StrategyConfig, run: StrategyRun) -> list[Candle]:
        if run.last_time is None:
            count = min(_WARM_UP_FACTOR * run.strategy.warm_up(run.parameters), _LONGEST)
            return await self._history.newest(config.venue, config.symbol, config.timeframe, count)
        start = from_ms(run.last_time) + timedelta(seconds=config.timeframe.seconds)
        return await self._history.between(config.venue, config.symbol, config.timeframe, start, None)

    def _feed(self, config: StrategyConfig, run: StrategyRun, candles: list[Candle]) -> None:
        for candle in candles:
            run.on_bar(bar_of_candle(config, candle))
