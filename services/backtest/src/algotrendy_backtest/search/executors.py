"""Where trials are computed: in processes of this machine.

Invariant: every candidate handed in comes back once, as it went or as ``failed``; a process that dies takes down the
candidate it was at and no other.
"""

from collections import deque
from dataclasses import replace
from multiprocessing.connection import wait
from typing import Protocol

from algotrendy_common.errors import Refused

from algotrendy_backtest.computing.child import Child
from algotrendy_backtest.computing.confinement import Limits
from algotrendy_backtest.computing.tasks import Ground, Tried, TryAll
from algotrendy_backtest.errors import EngineDied, RunTooLong


class Executor(Protocol):
    workers: int

    def hungry(self) -> bool:
        """More could be under way than is."""
        ...

    def submit(self, batch: TryAll) -> None: ...

    def wait(self) -> list[Tried]:
        """At least one of what is under way, or after a short time none."""
        ...

    def foresee(self, work_s: float) -> None:
        """About so much CPU time of trials is still to come."""
        ...

    def close(self) -> None:
        """End at once whatever is under way."""
        ...


_PATIENCE_S = 0.25


class Processes:
    """Children of this process, each with its own copy of the bars."""

    def __init__(self, ground: Ground, workers: int, limits: Limits, first: Child | None = None) -> None:
        """``first`` is lent: it becomes the first worker, and is not ended with the others."""
        self.workers = workers
        self._ground = ground
        self._lent = first
        self._idle = deque([first or Child(limits), *(Child(limits) for _ in range(workers - 1))])
        self._busy: dict[Child, TryAll] = {}
        self._queue: deque[TryAll] = deque()

    def hungry(self) -> bool:
        return bool(self._idle) and not self._queue

    def submit(self, batch: TryAll) -> None:
        self._queue.append(batch)
        self._give_out()

    def wait(self) -> list[Tried]:
        came: list[Tried] = []
        wait([child.connection for child in self._busy], _PATIENCE_S)
        for child, batch in list(self._busy.items()):
            if child.ready():
                came += self._taken(child, batch)
        self._give_out()
        return came

    def foresee(self, work_s: float) -> None:
        """The processes are there already."""

    def close(self) -> None:
        for child in (*self._idle, *self._busy):
            if child is not self._lent or child in self._busy:
                child.end()
        self._busy.clear()
        self._queue.clear()

    def _give_out(self) -> None:
        while self._queue and self._idle:
            child, batch = self._idle.popleft(), self._queue.popleft()
            child.send(self._ground, batch)
            self._busy[child] = batch

    def _taken(self, child: Child, batch: TryAll) -> list[Tried]:
        del self._busy[child]
        self._idle.appendleft(child)
        try:
            tried: list[Tried] = child.answer()
        except (EngineDied, RunTooLong, Refused) as error:
            return self._apart(batch, error)
        return tried

    def _apart(self, batch: TryAll, error: Exception) -> list[Tried]:
        """Of several candidates nobody knows which it was: each is tried by itself, once."""
        if len(batch.candidates) > 1:
            self._queue.extend(replace(batch, candidates=(candidate,)) for candidate in batch.candidates)
            return []
        [candidate] = batch.candidates
        return [Tried(candidate.number, dict(candidate.parameters), "failed", error=str(error))]
