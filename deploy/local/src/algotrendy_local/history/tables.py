"""History for reading."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal

from algotrendy_common.rpc.ingest import Coverage, Kept
from algotrendy_ingest.domain.reconciliation import DayReport
from rich.console import Console
from rich.table import Table

from algotrendy_local.history.wanted import Wanted


def show_kept(kept: Sequence[Kept]) -> None:
    table = Table("venue", "symbol", "what", "first (UTC)", "last (UTC)", box=None, pad_edge=False)
    table.add_column("rows", justify="right")
    for row in kept:
        what = row.timeframe.value if row.timeframe else "trades"
        table.add_row(row.venue, row.symbol, what, _minute(row.first), _minute(row.last), f"{row.rows:,}")
    _show(table, "nothing is kept yet" if not kept else None)


def show_coverage(asked: Wanted, symbol: str, covered: Coverage) -> None:
    share = covered.candles / covered.expected if covered.expected else 0.0
    title = f"{asked.venue} {symbol} {asked.timeframe.value}: {covered.candles:,} of {covered.expected:,} ({share:.2%})"
    table = Table("day", title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("candles", "of", "volume", "trades", "traded"):
        table.add_column(name, justify="right")
    for day in covered.days:
        cells = (f"{day.candles:,}", f"{day.expected:,}", _number(day.volume), f"{day.trades:,}", _number(day.traded))
        table.add_row(f"{day.day:%Y-%m-%d}", *cells)
    _show(table)
    for hole in covered.missing[:20]:
        told = " (the venue has none)" if hole.asked else ""
        _console().print(f"missing: {_minute(hole.start)} to {_minute(hole.end)}{told}")
    if len(covered.missing) > 20:
        _console().print(f"and {len(covered.missing) - 20} more stretches; all of them: --json")
    if covered.more:
        _console().print("there is more after the last day: ask again with --from")


def show_reports(asked: Wanted, found: Sequence[tuple[str, DayReport]]) -> None:
    table = Table("symbol", "day", box=None, pad_edge=False)
    for name in ("kept", "venue's", "missing", "beyond", "differing", "volume", "venue's", "trades", "tape minutes"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for symbol, report in found:
        verdict = "agrees" if report.agrees else f"[red]differs[/], first at {_minute(report.first_difference)}"
        tape = f"{report.tape_minutes - report.tape_differing} of {report.tape_minutes}" if report.tape_minutes else ""
        table.add_row(
            symbol,
            f"{report.day:%Y-%m-%d}",
            *(f"{count:,}" for count in (report.kept, report.told, report.missing, report.beyond, report.differing)),
            _number(report.volume_kept),
            _number(report.volume_told),
            f"{report.trades:,}",
            tape,
            verdict,
        )
    _show(table)


def plain(venue: str, symbol: str, report: DayReport) -> dict[str, object]:
    values = {name: _plain(value) for name, value in asdict(report).items()}
    return {"venue": venue, "symbol": symbol, **values, "agrees": report.agrees}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return _number(value) if isinstance(value, Decimal) else value


def _number(value: Decimal) -> str:
    """All its digits and no more."""
    return f"{value.normalize():f}"


def _minute(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time is not None else ""


def _show(table: Table, instead: str | None = None) -> None:
    console = _console()
    console.print(instead if instead is not None else table)


def _console() -> Console:
    """Into a file or a pipe as wide as the text needs."""
    console = Console(highlight=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, emoji=False, width=200)
