"""A computing process as whoever needs it sees it: started, asked, killed when it takes too long.

Invariant: one task at a time, and whatever ends a task early leaves no process behind that still works on it.
"""

import multiprocessing
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from algotrendy_common.clock import monotonic_s
from algotrendy_common.errors import Refused

from algotrendy_backtest.computing.confinement import Limits
from algotrendy_backtest.computing.serving import serve
from algotrendy_backtest.computing.tasks import Failed, Ground, Progressed, Task
from algotrendy_backtest.errors import EngineDied, RunTooLong

Told = Callable[[int, int, str], None]
"""Told what is done, what there is in all, and the stage where a task has several."""


def _unheard(done: int, total: int, stage: str) -> None:
    """Nobody looks."""


_BEYOND_CPU_S = 10.0
"""By the wall clock a task may take this much, and half as much again, beyond its CPU time."""


class Child:
    """Not for several threads at once. ``fork`` starts in no time, from a process that has no threads yet."""

    def __init__(self, limits: Limits, *, fork: bool = False, quiet: bool = True) -> None:
        self._limits = limits
        self._context: Any = multiprocessing.get_context("fork" if fork and sys.platform == "linux" else "spawn")
        self._quiet = quiet
        self._process: Any = None
        self._connection: Connection | None = None
        self._ground: Ground | None = None
        self._deadline = 0.0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def connection(self) -> Connection:
        """For waiting on several at once."""
        assert self._connection is not None
        return self._connection

    def start(self) -> None:
        """Start the process ahead of its first task; does nothing where it runs."""
        if self._process is not None and self._process.is_alive():
            return
        self.end()
        ours, theirs = self._context.Pipe()
        self._process = self._context.Process(
            target=_serve, args=(theirs, ours, self._limits, self._quiet), name="backtest-bench", daemon=True
        )
        self._process.start()
        theirs.close()
        self._connection, self._ground = ours, None

    def send(self, ground: Ground, task: Task) -> None:
        """Begin a task; raises Refused for a ground that is no good and EngineDied."""
        self.start()
        with self._told_of_death():
            if self._ground is not ground:
                self._ground = None
                self.connection.send(ground)
                self._deadline = self._new_deadline()
                self._receive(_unheard)
                self._ground = ground
            self.connection.send(task)
        self._deadline = self._new_deadline()

    def answer(self, progress: Told = _unheard) -> Any:
        """The task's answer; raises Refused, EngineDied or RunTooLong, after which the process is another one."""
        with self._told_of_death():
            return self._receive(progress)

    def ask(self, ground: Ground, task: Task, progress: Told = _unheard) -> Any:
        self.send(ground, task)
        return self.answer(progress)

    def end(self) -> int | None:
        """Kill it; the exit code of what was running."""
        process, self._process, self._ground = self._process, None, None
        connection, self._connection = self._connection, None
        code = None
        if process is not None:
            process.kill()
            process.join()
            code = process.exitcode
        if connection is not None:
            connection.close()
        return code

    def kill(self) -> None:
        """From another thread: whoever waits for an answer gets EngineDied."""
        process = self._process
        if process is not None:
            process.kill()

    def late(self) -> bool:
        return monotonic_s() > self._deadline

    def _new_deadline(self) -> float:
        return monotonic_s() + 1.5 * self._limits.cpu_s + _BEYOND_CPU_S

    def _receive(self, progress: Told) -> Any:
        while True:
            if not self.connection.poll(max(self._deadline - monotonic_s(), 0.0)):
                self.end()
                raise RunTooLong(self._limits.cpu_s)
            message = self.connection.recv()
            if isinstance(message, Failed):
                raise Refused(message.code, message.message)
            if not isinstance(message, Progressed):
                return message
            progress(message.done, message.total, message.stage)

    @contextmanager
    def _told_of_death(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError) as error:
            code = self.end()
            raise EngineDied("the computing process ended", exit_code=code) from error
        except (Refused, EngineDied):
            raise
        except BaseException:
            # Interrupted: the process is still busy with this task, and must not be with the next.
            self.end()
            raise


def _serve(theirs: Connection, ours: Connection, limits: Limits, quiet: bool) -> None:
    ours.close()  # a forked process has a copy, and would never see that the other end is gone
    serve(theirs, limits, quiet=quiet)
