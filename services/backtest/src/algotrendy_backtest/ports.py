"""What handlers and the runner need of the outside."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from algotrendy_common.events.backtest import BacktestSpec
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.instruments import Instrument

from algotrendy_backtest.domain import Outcome

Progress = Callable[[int, int], Awaitable[None]]
"""Told what is done and what there is in all; 0 in all where that is not known."""


class History(Protocol):
    """Recorded candles and the rules of instruments."""

    async def instrument(self, spec: BacktestSpec) -> Instrument:
        """Raises NothingToRunOn where the instrument is not known, Retryable where nobody answers."""
        ...

    async def bars(self, spec: BacktestSpec, limit: int, progress: Progress) -> BarSeries:
        """Closed candles of the spec's range, oldest first; raises NothingToRunOn for none, or more than ``limit``."""
        ...


class Engine(Protocol):
    """Computes runs, one at a time, outside the event loop."""

    async def run(self, spec: BacktestSpec, instrument: Instrument, bars: BarSeries, progress: Progress) -> Outcome:
        """Raises Refused for what is wrong with the run and EngineDied for what is not its fault."""
        ...

    async def close(self) -> None: ...
