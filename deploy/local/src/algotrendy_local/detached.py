"""Runs a stack in a process of its own that outlives the command.

Invariant: the command returns either with a stack that is up, or with an error and nothing left running.
"""

import subprocess
import sys
import time
from collections.abc import Callable

from algotrendy_local import leftovers, state
from algotrendy_local.errors import StackError
from algotrendy_local.home import Home
from algotrendy_local.process import last_lines
from algotrendy_local.settings import LocalSettings
from algotrendy_local.state import Lock, Phase, StackState

_POLL_S = 0.1


def run(settings: LocalSettings, on_change: Callable[[StackState], None], only: str | None = None) -> None:
    """Start a supervisor and wait until its stack is up; raises ``StackError`` with its reason where it is not."""
    home = Home(settings.home.resolve())
    home.make()
    with Lock(home) as lock:
        lock.take(home)
    log = home.log("supervisor")
    log.write_bytes(b"")
    port_base = "auto" if settings.port_base is None else str(settings.port_base)
    command = [sys.executable, "-m", "algotrendy_local", "up", "--home", str(home.root), "--port-base", port_base]
    with log.open("ab") as output:
        supervisor = subprocess.Popen(
            command + (["--only", only] if only else []),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=settings.environment,
            start_new_session=True,
        )
    try:
        _wait(home, supervisor, on_change)
    except BaseException:
        if supervisor.poll() is None:
            leftovers.stop(home)
        raise


def _wait(home: Home, supervisor: subprocess.Popen[bytes], on_change: Callable[[StackState], None]) -> None:
    while True:
        now = state.read(home)
        if now is not None and now.pid == supervisor.pid:
            on_change(now)
            if now.phase is Phase.RUNNING:
                return
        if supervisor.poll() is not None:
            reason = last_lines(home.log("supervisor"), 1)
            raise StackError("start_failed", reason[0].removeprefix("error: ") if reason else "the supervisor died")
        time.sleep(_POLL_S)
