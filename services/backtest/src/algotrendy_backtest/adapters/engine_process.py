"""Jobs off the event loop: a thread conducts, processes compute, and end with a job that takes too long.

Processes and not threads compute, so that a run can neither stop the event loop nor take the service down with it.
Invariant: one job at a time; whatever ends a job early leaves no process behind that still works on it.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import Any

from algotrendy_backtest.computing.child import Child
from algotrendy_backtest.computing.confinement import Limits
from algotrendy_backtest.computing.tasks import Ground, Tried
from algotrendy_backtest.conduct import Conducted, Conductor
from algotrendy_backtest.ports import Progress, TrialStore
from algotrendy_backtest.search.executors import Executor
from algotrendy_backtest.search.places import Place, executor_at


class EngineProcess:
    def __init__(
        self, limits: Limits, *, workers: int = 1, place: Place = Place.PROCESSES, address: str | None = None
    ) -> None:
        self._limits = limits
        self._workers = workers
        self._place = place
        self._address = address
        self._bench = Child(limits)
        self._one_at_a_time = asyncio.Lock()

    async def run(self, ground: Ground, trials: TrialStore, progress: Progress, folder: str | None = None) -> Conducted:
        """Raises Refused for what is wrong with the job and Retryable for what is not its fault."""
        async with self._one_at_a_time:
            bridge = _Bridge(asyncio.get_running_loop(), trials, progress, await trials.known())

            def executor(ground: Ground) -> Executor:
                return executor_at(
                    self._place, ground, self._workers, self._limits, address=self._address, first=self._bench
                )

            conductor = Conductor(self._bench, executor, bridge, bridge.progress, bridge.stopped, folder)
            conducting = asyncio.create_task(asyncio.to_thread(conductor.conduct, ground))
            try:
                return await asyncio.shield(conducting)
            except asyncio.CancelledError:
                # The thread is in the middle of the job: what it waits for ends, and so does it.
                bridge.abandon()
                self._bench.kill()
                await asyncio.gather(conducting, return_exceptions=True)
                raise

    async def close(self) -> None:
        self._bench.end()


class _Abandoned(BaseException):
    """Nobody waits for the job any more."""


class _Bridge:
    """What the conducting thread knows of the event loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        trials: TrialStore,
        progress: Progress,
        known: Mapping[int, Mapping[int, Tried]],
    ) -> None:
        self._loop = loop
        self._trials = trials
        self._progress = progress
        self._known = known
        self._abandoned = threading.Event()
        self._pause = False
        self._under_way: Future[Any] | None = None

    def known(self, window: int) -> Mapping[int, Tried]:
        return self._known.get(window, {})

    def keep(self, window: int, tried: list[Tried]) -> None:
        self._pause = self._there(lambda: self._trials.keep(window, tried)) or self._pause

    def progress(self, stage: str, done: int, total: int) -> None:
        self._there(lambda: self._progress(stage, done, total))

    def stopped(self) -> bool:
        if self._abandoned.is_set():
            raise _Abandoned
        return self._pause

    def abandon(self) -> None:
        self._abandoned.set()
        if self._under_way is not None:
            self._under_way.cancel()

    def _there[T](self, work: Callable[[], Awaitable[T]]) -> T:
        if self._abandoned.is_set():
            raise _Abandoned

        async def awaited() -> T:
            return await work()

        future = asyncio.run_coroutine_threadsafe(awaited(), self._loop)
        self._under_way = future
        return future.result()
