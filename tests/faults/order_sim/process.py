"""A gateway process that can die: between any two of its steps, with everything it knew.

Invariant: from the moment it is dead nothing of it reaches the store, the wire or the log any more.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Coroutine
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any

CURRENT: ContextVar["Process | None"] = ContextVar("process", default=None)


class ProcessDied(BaseException):
    """Raised in a dead process's tasks; nothing in the platform catches it."""


@dataclass
class Crashes:
    """Where the gateway dies: ``planned`` holds a step's name and which passage of it, counted from one."""

    planned: list[tuple[str, int]]
    passed: Counter[str] = field(default_factory=Counter)
    struck: list[str] = field(default_factory=list)

    def strikes(self, step: str) -> bool:
        self.passed[step] += 1
        if (step, self.passed[step]) in self.planned:
            self.struck.append(step)
            return True
        return False


class Process:
    """One life of the gateway."""

    def __init__(self, loop: asyncio.AbstractEventLoop, number: int, crashes: Crashes) -> None:
        self._loop = loop
        self._crashes = crashes
        self._context = copy_context()
        self._context.run(CURRENT.set, self)
        self.number = number
        self.app: Any = None
        self.venue: Any = None
        """What the service built in this process is given."""
        self.dead = False
        self.died: asyncio.Future[str] = loop.create_future()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of this process; so are the tasks it makes."""
        return self._loop.create_task(work, context=self._context.copy())

    def check(self) -> None:
        if self.dead:
            raise ProcessDied

    def step(self, name: str) -> None:
        """The process passes a named step; here it may die."""
        self.check()
        if self._crashes.strikes(name):
            self.die(name)
            raise ProcessDied

    def seen(self, name: str) -> None:
        """Something happens elsewhere because of it; at this moment, too, it may die."""
        with contextlib.suppress(ProcessDied):
            self.step(name)

    def die(self, cause: str) -> None:
        if self.dead:
            return
        self.dead = True
        self.died.set_result(cause)
        for task in asyncio.all_tasks(self._loop):
            if task.get_context().get(CURRENT) is self:
                task.cancel()
