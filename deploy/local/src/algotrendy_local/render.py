"""How a stack looks in a terminal.

Invariant: everything shown comes from the state; nothing here asks a server.
"""

from datetime import datetime, timedelta

import psutil
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from algotrendy_local.state import Condition, Phase, RowState, StackState

_STYLE = {
    Condition.WAITING: ("·", "dim"),
    Condition.STARTING: ("…", "cyan"),
    Condition.HEALTHY: ("●", "green"),
    Condition.UNHEALTHY: ("●", "yellow"),
    Condition.RESTARTING: ("↻", "yellow"),
    Condition.STOPPING: ("…", "cyan"),
    Condition.STOPPED: ("○", "dim"),
    Condition.FAILED: ("✕", "bold red"),
    Condition.DONE: ("✓", "green"),
    Condition.EXTERNAL: ("→", "blue"),
}
_BUSY = {Condition.STARTING, Condition.STOPPING}


class Progress:
    """The rows of a start or a stop; keeps its spinners, so that they turn."""

    def __init__(self, state: StackState) -> None:
        self.state = state
        self._spinners: dict[str, Spinner] = {}

    def __rich__(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for row in self.state.rows:
            table.add_row(self._mark(row), row.name, _condition(row), Text(row.detail, "dim", overflow="ellipsis"))
        return Group(Text(_TITLES[self.state.phase], "bold"), Padding(table, (0, 0, 0, 2)))

    def _mark(self, row: RowState) -> RenderableType:
        if row.condition in _BUSY:
            return self._spinners.setdefault(row.name, Spinner("dots", style="cyan"))
        mark, style = _STYLE[row.condition]
        return Text(mark, style)


_TITLES = {
    Phase.STARTING: "Starting AlgoTrendy",
    Phase.RUNNING: "AlgoTrendy is running",
    Phase.STOPPING: "Stopping AlgoTrendy",
    Phase.STOPPED: "AlgoTrendy has stopped",
    Phase.FAILED: "AlgoTrendy has stopped",
}


def welcome(state: StackState, login: dict[str, object], stop: str, took: timedelta | None = None) -> RenderableType:
    """Where to go, how to get in, how to end it."""
    table = Table.grid(padding=(0, 3))
    if not any(row.name == "gateway" for row in state.rows):
        for row in state.rows:
            table.add_row(row.name, str(row.port or ""), Text(row.detail, "dim"))
        return Panel(table, title="Running without the page", title_align="left", border_style="green", expand=False)
    table.add_row("Page", Text(state.page_url, f"bold cyan link {state.page_url}"))
    table.add_row("Login", Text.assemble(("ada", "bold"), " / ", (str(login["password"]), "bold")))
    users = login["users"]
    if isinstance(users, dict):
        table.add_row("Users", Text(", ".join(f"{user} ({role})" for user, role in users.items()), "dim"))
    table.add_row("Stop", Text(stop, "dim"))
    title = "AlgoTrendy is running  [dim]paper account, recorded data[/]"
    if took:
        title += f"[dim], up in {took.total_seconds():.1f} s[/]"
    return Panel(table, title=title, title_align="left", border_style="green", expand=False, padding=(1, 2))


def status(state: StackState, now: datetime) -> RenderableType:
    """One line a program."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1, 0, 0), expand=True)
    for column in ("", "program", "state"):
        table.add_column(column, no_wrap=True)
    for column in ("pid", "port", "uptime", "restarts", "memory"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("health", overflow="ellipsis", no_wrap=True, ratio=1)
    total = 0
    for row in state.rows:
        memory = memory_bytes(row)
        total += memory
        mark, style = _STYLE[row.condition]
        table.add_row(
            Text(mark, style),
            row.name,
            _condition(row),
            str(row.pid or ""),
            str(row.port or ""),
            _age(now - row.since) if row.since and row.pid else "",
            str(row.restarts) if row.port else "",
            f"{memory / 1024**2:.0f} MB" if memory else "",
            Text(row.detail or ("ok" if row.condition is Condition.HEALTHY else ""), "dim"),
        )
    head = Text.assemble(
        (f"AlgoTrendy is {state.phase.value}", "bold"),
        (f"  {state.page_url}  up {_age(now - state.started_at)}  {total / 1024**2:.0f} MB", "dim"),
    )
    return Group(head, Text(""), table)


def memory_bytes(row: RowState) -> int:
    """Resident memory of a program and its children; what they share is counted once where the system tells."""
    process = row.process.find() if row.process else None
    if process is None:
        return 0
    total = 0
    try:
        for each in (process, *process.children(recursive=True)):
            memory = each.memory_full_info() if psutil.LINUX else each.memory_info()
            total += getattr(memory, "pss", memory.rss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return total
    return total


def failure(state: StackState) -> RenderableType:
    """The end of the log of whatever failed."""
    parts: list[RenderableType] = []
    for row in state.rows:
        if row.condition is Condition.FAILED and row.log_lines:
            text = Text("\n".join(row.log_lines), "dim")
            parts.append(Panel(text, title=f"end of {row.name}'s log", title_align="left", border_style="red"))
    return Group(*parts)


def _condition(row: RowState) -> Text:
    return Text(row.condition.value, _STYLE[row.condition][1])


def _age(span: timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"
