"""What the supervisor tells other commands, in ``run/state.json``, and the lock that says it is there.

Invariant: whoever holds the lock is the only supervisor of a home, and the lock goes with its process, however it ends.
"""

import fcntl
import os
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Self

from algotrendy_common import clock
from pydantic import BaseModel, ValidationError

from algotrendy_local.errors import StackError
from algotrendy_local.home import Home, write_private
from algotrendy_local.process import ProcessId


class Phase(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class Condition(StrEnum):
    """Of one row."""

    WAITING = "waiting"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    DONE = "done"
    EXTERNAL = "external"


class RowState(BaseModel):
    name: str
    condition: Condition = Condition.WAITING
    detail: str = ""
    port: int | None = None
    pid: int | None = None
    created_s: float = 0.0
    stop_signal: int = 15
    since: datetime | None = None
    """Start of the present process."""
    restarts: int = 0
    log_lines: list[str] = []
    """The end of its log, where it failed."""

    @property
    def process(self) -> ProcessId | None:
        return ProcessId(self.pid, self.created_s) if self.pid is not None else None


class StackState(BaseModel):
    phase: Phase
    pid: int
    created_s: float
    started_at: datetime
    port_base: int
    page_url: str
    error: str = ""
    rows: list[RowState]

    @property
    def supervisor(self) -> ProcessId:
        return ProcessId(self.pid, self.created_s)

    def row(self, name: str) -> RowState:
        return next(row for row in self.rows if row.name == name)


def state_file(home: Home) -> Path:
    return home.run / "state.json"


def write(home: Home, state: StackState) -> None:
    write_private(state_file(home), state.model_dump_json(indent=1), durable=False)


def read(home: Home) -> StackState | None:
    """The last state told, or None where there is none or it makes no sense."""
    try:
        return StackState.model_validate_json(state_file(home).read_text())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


class Lock:
    """Held by the one supervisor of a home."""

    def __init__(self, home: Home) -> None:
        self._path = home.run / "lock"
        self._descriptor: int | None = None

    def try_take(self) -> bool:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def take(self, home: Home) -> None:
        """Raises ``StackError`` where another supervisor holds it."""
        if not self.try_take():
            state = read(home)
            where = f" (pid {state.pid}, page at {state.page_url})" if state else ""
            raise StackError(
                "already_running", f"the stack in {home.root} is already running{where}", "algotrendy down stops it"
            )

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.release()


def is_running(home: Home) -> bool:
    """Whether a supervisor of this home is alive."""
    if not home.run.is_dir():
        return False
    with Lock(home) as lock:
        return not lock.try_take()


def present() -> datetime:
    return clock.SystemClock().now()
