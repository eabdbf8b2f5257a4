"""Tells a person, or a program, how a start, a run and a stop go.

Invariant: a terminal gets one table that changes in place; anything else gets a line for each thing that happened.
"""

import json
import os
from datetime import timedelta
from typing import Any, Self

from rich.console import Console, RenderableType
from rich.live import Live

from algotrendy_local import render, state
from algotrendy_local.home import Home
from algotrendy_local.ports import OFFSETS
from algotrendy_local.state import Condition, Phase, StackState

_WORTH_A_LINE = {Condition.HEALTHY, Condition.UNHEALTHY, Condition.RESTARTING, Condition.FAILED, Condition.DONE}


class Narrator:
    """Call ``tell`` with each state. A context manager, so that the terminal is left as it was found."""

    def __init__(self, home: Home, console: Console, *, as_json: bool) -> None:
        self._home = home
        self._console = console
        self._json = as_json
        self._live: Live | None = None
        self._progress: render.Progress | None = None
        self._phase: Phase | None = None
        self._told: dict[str, Condition] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._end_live()

    def tell(self, now: StackState) -> None:
        if self._progress is not None:
            self._progress.state = now
        elif not self._json:
            self._lines(now)
        if now.phase is not self._phase:
            self._change_of_phase(now)
        self._told = {row.name: row.condition for row in now.rows}

    def _change_of_phase(self, now: StackState) -> None:
        self._phase = now.phase
        self._end_live()
        if now.phase is Phase.RUNNING:
            if self._json:
                self._console.print_json(data=info(self._home, now), indent=None)
            else:
                self._console.print(welcome(self._home, now, state.present() - now.started_at))
        elif now.phase in (Phase.STARTING, Phase.STOPPING) and self._console.is_terminal and not self._json:
            self._progress = render.Progress(now)
            self._live = Live(self._progress, console=self._console, refresh_per_second=6, transient=True)
            self._live.start()
        elif now.phase is Phase.FAILED and not self._json:
            self._console.print(render.failure(now))
        elif now.phase is Phase.STOPPED and not self._json:
            self._console.print("stopped")

    def _lines(self, now: StackState) -> None:
        for row in now.rows:
            if row.condition in _WORTH_A_LINE and row.condition is not self._told.get(row.name):
                detail = f" ({row.detail})" if row.detail else ""
                self._console.print(f"{row.name} is {row.condition.value}{detail}", soft_wrap=True)

    def _end_live(self) -> None:
        if self._live is not None:
            self._live.stop()
        self._live = self._progress = None


def login(home: Home) -> dict[str, Any]:
    """The demo's users and their password."""
    found: dict[str, Any] = json.loads(home.demo_login.read_text())
    return found


def welcome(home: Home, now: StackState, took: timedelta | None = None) -> RenderableType:
    """What a person is told once everything is healthy."""
    stop = "Ctrl-C" if now.pid == os.getpid() else "algotrendy down"
    return render.welcome(now, login(home), stop, took)


def info(home: Home, now: StackState) -> dict[str, Any]:
    """What a program needs to talk to the stack."""
    return {
        "phase": now.phase.value,
        "url": now.page_url,
        "home": str(home.root),
        "pid": now.pid,
        "ports": {name: now.port_base + offset for name, offset in OFFSETS.items() if name != "lease"},
        "observer_seed_file": str(home.keys / "observer.nkey"),
    } | login(home)
