"""A computing process as whoever needs it sees it: started, asked, killed when it takes too long.

Invariant: one task at a time, and whatever ends a task early leaves no process behind that still works on it.
"""

import multiprocessing
import signal
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


_WALL_PER_CPU, _WALL_S = 20.0, 60.0
"""The CPU time ends a task; by the wall clock, on a machine that is busy with other things, it may take far longer."""


class Child:
    """Not for several threads at once.

    ``fork`` starts in no time, from a process that has no threads yet. Else all of them are copies of one that has
    loaded what they need and has not run anything.
    """

    def __init__(self, limits: Limits, *, fork: bool = False, quiet: bool = True) -> None:
        self._limits = limits
        self._context: Any = _context(fork)
        self._quiet = quiet
        self._process: Any = None
        self._connection: Connection | None = None
        self._ground: Ground | None = None
        self._grounds_awaited = 0
        self._ground_refused: Failed | None = None
        self._reply: Any = None
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
        self._connection, self._ground, self._grounds_awaited = ours, None, 0

    def send(self, ground: Ground, task: Task) -> None:
        """Begin a task, on a ground that is told of first where it is another; raises EngineDied."""
        self.start()
        with self._told_of_death():
            self._reply, self._ground_refused = None, None
            if self._ground is not ground:
                self.connection.send(ground)
                self._ground, self._grounds_awaited = ground, 1
            self.connection.send(task)
        self._deadline = monotonic_s() + _WALL_PER_CPU * self._limits.cpu_s + _WALL_S

    def ready(self) -> bool:
        """Take in what has come, without waiting; True where ``answer`` would not wait either."""
        try:
            while self._reply is None and self.connection.poll(0):
                self._take(self.connection.recv())
        except (EOFError, OSError):
            return True
        return self._reply is not None or monotonic_s() > self._deadline

    def answer(self, progress: Told = _unheard) -> Any:
        """The task's answer; raises Refused, EngineDied or RunTooLong, after which the process is another one."""
        with self._told_of_death():
            while self._reply is None:
                if not self.connection.poll(max(self._deadline - monotonic_s(), 0.0)):
                    self.end()
                    raise RunTooLong(self._limits.cpu_s)
                message = self.connection.recv()
                if isinstance(message, Progressed):
                    progress(message.done, message.total, message.stage)
                else:
                    self._take(message)
        reply, self._reply = self._reply, None
        if self._ground_refused is not None:
            self._ground, reply = None, self._ground_refused
        if isinstance(reply, Failed):
            raise Refused(reply.code, reply.message)
        return reply

    def _take(self, message: Any) -> None:
        if isinstance(message, Progressed):
            return
        if self._grounds_awaited:
            self._grounds_awaited -= 1
            # What the task comes to without a ground says nothing; this does.
            self._ground_refused = message if isinstance(message, Failed) else None
        else:
            self._reply = message

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

    @contextmanager
    def _told_of_death(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError) as error:
            code = self.end()
            if code == -signal.SIGXCPU:
                raise RunTooLong(self._limits.cpu_s) from error
            raise EngineDied("the computing process ended", exit_code=code) from error
        except (Refused, EngineDied):
            raise
        except BaseException:
            # Interrupted: the process is still busy with this task, and must not be with the next.
            self.end()
            raise


def _context(fork: bool) -> Any:
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    if fork:
        return multiprocessing.get_context("fork")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["algotrendy_backtest.computing.bench"])
    return context


def _serve(theirs: Connection, ours: Connection, limits: Limits, quiet: bool) -> None:
    ours.close()  # a forked process has a copy, and would never see that the other end is gone
    serve(theirs, limits, quiet=quiet)
