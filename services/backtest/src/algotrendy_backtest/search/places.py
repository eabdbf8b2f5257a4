"""Which executor a search gets.

Ray takes seconds to start, so what is short stays in processes of this one's own; a longer search moves to Ray once
its first trials have shown that it is long.
Invariant: where a trial is computed does not show in its result.
"""

from collections.abc import Callable
from enum import StrEnum

from algotrendy_backtest.computing.child import Child
from algotrendy_backtest.computing.confinement import Limits
from algotrendy_backtest.computing.tasks import Ground, Tried, TryAll
from algotrendy_backtest.search.executors import Executor, Processes

RAY_FROM_S = 30.0
"""Work still to come, in CPU seconds a worker, from which starting Ray is worth its seconds."""
_MEASURED_FROM = 4
"""Trials a worker before the estimate is believed: the first ones compile."""


class Place(StrEnum):
    AUTO = "auto"
    PROCESSES = "processes"
    RAY = "ray"


def executor_at(
    place: Place,
    ground: Ground,
    workers: int,
    limits: Limits,
    *,
    address: str | None = None,
    first: Child | None = None,
    moved: Callable[[], None] = lambda: None,
) -> Executor:
    """``address``: of a Ray cluster, which is then used whatever ``place`` says. ``moved`` hears that Ray starts."""

    def ray() -> Executor:
        from algotrendy_backtest.search.on_ray import OnRay

        moved()
        return OnRay(ground, workers, limits, address)

    if address is not None or place is Place.RAY:
        return ray()
    processes = Processes(ground, workers, limits, first)
    return processes if place is Place.PROCESSES else _Moving(processes, ray)


class _Moving:
    """Begins in processes and goes on elsewhere."""

    def __init__(self, here: Executor, there: Callable[[], Executor]) -> None:
        self.workers = here.workers
        self._here = here
        self._there = there
        self._moved: Executor | None = None
        self._came = 0
        self._out_here = 0

    def hungry(self) -> bool:
        return (self._moved or self._here).hungry()

    def submit(self, batch: TryAll) -> None:
        if self._moved is None:
            self._out_here += len(batch.candidates)
        (self._moved or self._here).submit(batch)

    def wait(self) -> list[Tried]:
        came = []
        if self._out_here:
            came = self._here.wait()
            self._out_here -= len(came)
        if self._moved is not None and not came:
            came = self._moved.wait()
        self._came += len(came)
        return came

    def foresee(self, work_s: float) -> None:
        long = work_s / self.workers > RAY_FROM_S
        if self._moved is None and long and self._came >= _MEASURED_FROM * self.workers:
            self._moved = self._there()

    def close(self) -> None:
        self._here.close()
        if self._moved is not None:
            self._moved.close()
