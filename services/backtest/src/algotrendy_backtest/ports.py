"""What handlers and the runner need of the outside."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol

from algotrendy_common.events.backtest import BacktestSpec
from algotrendy_common.rpc.backtest import ArtefactInfo
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.instruments import Instrument

from algotrendy_backtest.computing.tasks import Ground, Tried
from algotrendy_backtest.conduct import Conducted

Progress = Callable[[str, int, int], Awaitable[None]]
"""Told the stage, what is done and what there is in all; 0 in all where that is not known."""


class History(Protocol):
    """Recorded candles and the rules of instruments."""

    async def instrument(self, spec: BacktestSpec) -> Instrument:
        """Raises NothingToRunOn where the instrument is not known, Retryable where nobody answers."""
        ...

    async def bars(self, spec: BacktestSpec, limit: int, progress: Callable[[int, int], Awaitable[None]]) -> BarSeries:
        """Closed candles of the spec's range, oldest first; raises NothingToRunOn for none, or more than ``limit``."""
        ...


class TrialStore(Protocol):
    """The trials of one run."""

    async def known(self) -> Mapping[int, Mapping[int, Tried]]:
        """By window and number."""
        ...

    async def keep(self, window: int, tried: list[Tried]) -> bool:
        """True where the run should pause."""
        ...


class Files(Protocol):
    """Where the files of results are kept."""

    async def put(self, run_id: str, folder: Path) -> list[ArtefactInfo]:
        """Store every file of a folder, in place of what was stored of the run before; raises Retryable."""
        ...

    async def get(self, run_id: str, name: str) -> bytes:
        """Raises KeyError where there is none (any more), Retryable where nobody answers."""
        ...


class Engine(Protocol):
    """Computes jobs, one at a time, outside the event loop."""

    async def run(self, ground: Ground, trials: TrialStore, progress: Progress, folder: str | None = None) -> Conducted:
        """Raises Refused for what is wrong with the run and EngineDied for what is not its fault."""
        ...

    async def close(self) -> None: ...
