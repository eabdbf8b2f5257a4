"""Trials on Ray: on this machine, or on a cluster by its address.

Invariant: a strategy runs in a confined process beside its Ray worker and never in the worker itself, which has a
network. A worker that is lost has its batch computed by another one, once.
"""

import logging
import os
from collections import deque
from contextlib import suppress
from typing import Any

import ray
import ray.exceptions

from algotrendy_backtest.computing.confinement import Limits
from algotrendy_backtest.computing.tasks import Ground, Tried, TryAll
from algotrendy_backtest.search.executors import Processes

_PATIENCE_S = 0.25


class _Worker:
    """Lives in a Ray worker."""

    def __init__(self, ground: Ground, limits: Limits) -> None:
        self._processes = Processes(ground, 1, limits)

    def pid(self) -> int:
        return os.getpid()

    def try_all(self, batch: TryAll) -> list[Tried]:
        self._processes.submit(batch)
        came: list[Tried] = []
        while len(came) < len(batch.candidates):
            came += self._processes.wait()
        return sorted(came, key=lambda tried: tried.number)


class OnRay:
    def __init__(self, ground: Ground, workers: int, limits: Limits, address: str | None = None) -> None:
        """``address`` None: Ray is started on this machine with ``workers`` CPUs, and ends with ``close``."""
        # Ray would report its use over the network, and a warning about containers is of no interest here.
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # noqa: TID251 - Ray is told nothing in another way
        here: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False} if address is None else {}
        ray.init(address=address or "local", logging_level=logging.ERROR, log_to_driver=False, **here)
        self.workers = workers
        self._limits = limits
        self._ground = ray.put(ground)
        self._remote = ray.remote(num_cpus=1)(_Worker)
        self._idle = [self._worker() for _ in range(workers)]
        self._busy: dict[Any, tuple[Any, TryAll]] = {}
        self._queue: deque[TryAll] = deque()
        self._again: set[int] = set()

    def hungry(self) -> bool:
        return bool(self._idle) and not self._queue

    def submit(self, batch: TryAll) -> None:
        self._queue.append(batch)
        self._give_out()

    def wait(self) -> list[Tried]:
        ready, _ = ray.wait(list(self._busy), timeout=_PATIENCE_S) if self._busy else ([], [])
        came: list[Tried] = []
        for reference in ready:
            worker, batch = self._busy.pop(reference)
            try:
                came += ray.get(reference)
                self._idle.append(worker)
            except ray.exceptions.RayError as error:
                self._idle.append(self._worker())
                came += self._lost(batch, error)
        self._give_out()
        return came

    def foresee(self, work_s: float) -> None:
        """The workers are there already."""

    def close(self) -> None:
        with suppress(ray.exceptions.RayError):
            for worker in (*self._idle, *(worker for worker, _ in self._busy.values())):
                ray.kill(worker)
        ray.shutdown()

    def _worker(self) -> Any:
        return self._remote.remote(self._ground, self._limits)

    def _give_out(self) -> None:
        while self._queue and self._idle:
            worker, batch = self._idle.pop(), self._queue.popleft()
            self._busy[worker.try_all.remote(batch)] = (worker, batch)

    def _lost(self, batch: TryAll, error: Exception) -> list[Tried]:
        numbers = {candidate.number for candidate in batch.candidates}
        if not numbers & self._again:
            self._again |= numbers
            self._queue.append(batch)
            return []
        why = str(error).splitlines()[0]
        return [Tried(each.number, dict(each.parameters), "failed", error=why) for each in batch.candidates]
