"""Results as tables for a terminal."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from algotrendy_backtest.cli.research import KeptRun
from algotrendy_backtest.computing.tasks import Tried
from algotrendy_backtest.domain import Outcome

_PERCENT = ("total_return", "annual_return", "volatility", "max_drawdown", "win_rate", "exposure")
_MONEY = ("initial_equity", "final_equity", "fees", "average_trade", "best_trade", "worst_trade")
_COLUMNS = (
    ("total_return", "annual_return", "max_drawdown", "volatility", "sharpe", "sortino", "calmar"),
    ("trades", "win_rate", "profit_factor", "average_trade", "best_trade", "worst_trade", "exposure"),
    ("initial_equity", "final_equity", "fees", "turnover", "bars"),
)
_NEWEST = 10


def outcome(console: Console, title: str, found: Outcome, notes: Sequence[str]) -> None:
    console.print(f"[bold]{escape(title)}[/]")
    console.print(_span(found), style="dim")
    console.print(_figures(found.statistics))
    if found.round_trips:
        console.print(_trips(found))
    for note in notes:
        console.print(f"[yellow]![/] {escape(note)}", soft_wrap=True)


def figure(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if name in _PERCENT:
        return f"{value * 100:,.2f} %"
    if name in _MONEY:
        return f"{value:,.2f}"
    return f"{value:,.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def trials(tried: Sequence[Tried], objective: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    names = list(tried[0].parameters) if tried else []
    shown = [name for name in ("total_return", "max_drawdown", "trades") if name != objective.removeprefix("-")]
    for column in ("trial", *names, objective.removeprefix("-"), *shown):
        table.add_column(column.replace("_", " "), justify="right")
    for each in tried:
        values = [figure("", each.parameters[name]) for name in names]
        if each.status == "finished":
            figures = [figure(name, each.statistics[name]) for name in (objective.removeprefix("-"), *shown)]
        else:
            figures = [each.status]
        table.add_row(str(each.number), *values, *figures)
    return table


def windows(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("window", "tried on", "found", "return", "sharpe", "drawdown", "trades"):
        table.add_column(column, justify="left" if column in ("tried on", "found") else "right")
    for row in rows:
        out = row.get("out_of_sample") or {}
        values = row["parameters"]
        found = (
            "nothing that trades" if values is None else ", ".join(f"{name} {value}" for name, value in values.items())
        )
        table.add_row(
            str(row["window"] + 1), f"{_short(row['test'][0])} – {_short(row['test'][1])}", found,
            figure("total_return", out.get("total_return")), figure("sharpe", out.get("sharpe")),
            figure("max_drawdown", out.get("max_drawdown")), figure("trades", out.get("trades")),
        )  # fmt: skip
    return table


def findings(examination: Mapping[str, Any]) -> Table:
    """What was held against a result, what gates first."""
    passed = examination["passed"]
    title = "[bold green]stands[/]: nothing tried brought it down" if passed else "[bold red]falls[/]"
    table = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left")
    for column in ("", "what", "seen", "line"):
        table.add_column(column, overflow="fold")
    for finding in sorted(examination["findings"], key=lambda each: (each["passed"], not each["gates"])):
        mark = "[green]✓[/]" if finding["passed"] else "[bold red]✕[/]" if finding["gates"] else "[yellow]![/]"
        table.add_row(mark, *(escape(text) for text in (_asked(finding), finding["observed"], finding["limit"])))
    return table


def _asked(finding: Mapping[str, Any]) -> str:
    return f"{finding['name'].replace('_', ' ')}: {finding['question']}"


def comparison(values: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for label in values["labels"]:
        table.add_column(escape(label), justify="right")
    for name, *cells in values["figures"]:
        shown = [f"[green]{escape(cell['text'])}[/]" if cell["tone"] else escape(cell["text"]) for cell in cells]
        table.add_row(name, *shown)
    return table


def runs(kept: Sequence[KeptRun]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("run", "begun (UTC)", "kind", "strategy", "status"):
        table.add_column(column, no_wrap=True)
    for column in ("return", "sharpe"):
        table.add_column(column, no_wrap=True, justify="right")
    for run in kept:
        figures = [figure(name, run.statistics.get(name)) for name in ("total_return", "sharpe")]
        table.add_row(run.run_id[:8], _short(run.begun_at), run.kind, escape(run.strategy), run.status, *figures)
    return table


def _span(found: Outcome) -> str:
    if not found.equity:
        return "no bars"
    first, last = found.equity[0].time, found.equity[-1].time
    return f"{first:%Y-%m-%d %H:%M} – {last:%Y-%m-%d %H:%M} UTC · result {found.result_hash[:12]}"


def _figures(statistics: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    for _ in _COLUMNS:
        table.add_column(style="dim")
        table.add_column(justify="right")
    for line in range(max(len(column) for column in _COLUMNS)):
        cells: list[str] = []
        for column in _COLUMNS:
            name = column[line] if line < len(column) else ""
            cells += [name.replace("_", " "), figure(name, statistics.get(name)) if name else ""]
        table.add_row(*cells)
    return table


def _trips(found: Outcome) -> Table:
    newest = found.round_trips[-_NEWEST:]
    title = f"the last {len(newest)} of {len(found.round_trips)} trades" if len(found.round_trips) > _NEWEST else None
    table = Table(box=None, pad_edge=False, header_style="bold", title=title, title_style="dim", title_justify="left")
    for column in ("entered", "left", "side", "quantity", "entry", "exit", "fees", "profit"):
        table.add_column(column, justify="left" if column in ("entered", "left", "side") else "right", no_wrap=True)
    for trip in newest:
        colour = "green" if trip.profit > 0 else "red"
        table.add_row(
            _minute(trip.entry_time), _minute(trip.exit_time), trip.side, f"{trip.quantity.normalize():f}",
            f"{trip.entry_price:,.2f}", f"{trip.exit_price:,.2f}", f"{trip.fees:,.2f}",
            f"[{colour}]{trip.profit:,.2f}[/]",
        )  # fmt: skip
    return table


def _minute(time: datetime) -> str:
    return f"{time:%m-%d %H:%M}"


def _short(text: str) -> str:
    return text[5:16].replace("T", " ")
