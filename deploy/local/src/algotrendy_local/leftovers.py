"""Ends stacks from outside: a running one through its supervisor, and what a dead supervisor left behind.

Invariant: only processes that this home's state names are touched, and only while pid and time of creation both match.
"""

import signal
import time
from contextlib import suppress
from datetime import timedelta

import psutil
from algotrendy_common import clock

from algotrendy_local import state
from algotrendy_local.errors import StackError
from algotrendy_local.home import Home
from algotrendy_local.state import Lock, RowState

ASKED = timedelta(seconds=10)
"""How long a left-over process may take to end when it is asked to."""
SUPERVISOR = timedelta(seconds=75)
"""How long a supervisor may take: its slowest chain of programs, each killed past its own limit."""

_KILLED = timedelta(seconds=5)
_POLL_S = 0.05


def find(home: Home) -> list[tuple[RowState, psutil.Process]]:
    """Processes of a stack whose supervisor is gone, in the order they were listed."""
    return [] if state.is_running(home) else _alive(home)


def clear(home: Home) -> list[str]:
    """End what a dead supervisor left, dependents first; returns the names. The caller holds the lock."""
    ended = []
    for row, process in reversed(_alive(home)):
        _end(process, row.stop_signal, ASKED)
        ended.append(row.name)
    return ended


def stop(home: Home) -> list[str] | None:
    """Stop the stack and wait until it is gone. None: nothing was running; else names of leftovers that were ended."""
    last = state.read(home)
    running = state.is_running(home)
    if running:
        supervisor = last.supervisor.find() if last else None
        if supervisor is None:
            raise StackError(
                "unknown_supervisor",
                f"a process that is not in the state file holds {home.run / 'lock'}",
                "end it by hand",
            )
        _end(supervisor, signal.SIGTERM, SUPERVISOR)
    with Lock(home) as lock:
        ended = clear(home) if lock.try_take() else []
    return ended if running or ended else None


def _alive(home: Home) -> list[tuple[RowState, psutil.Process]]:
    last = state.read(home)
    found = []
    for row in last.rows if last else []:
        process = row.process.find() if row.process else None
        if process is not None:
            found.append((row, process))
    return found


def _end(process: psutil.Process, number: int, limit: timedelta) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
        if not _gone_within(process, limit):
            for each in (*process.children(recursive=True), process):
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            _gone_within(process, _KILLED)


def _gone_within(process: psutil.Process, limit: timedelta) -> bool:
    # Not psutil's own wait: that one waits for a zombie too, which a container's first process may never collect.
    deadline = clock.monotonic_s() + limit.total_seconds()
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if clock.monotonic_s() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
