"""What an import did, for people and for programs."""

from typing import Any

from algotrendy_common.migration_v25 import TableResult
from algotrendy_common.money import plain
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

_SHOWN = 20


def succeeded(results: list[TableResult]) -> bool:
    """Rejected rows are told and are no failure; rows that were accepted and are not there are one."""
    return all(result.verified is not False for result in results)


def document(results: list[TableResult], *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "verified": None if dry_run else succeeded(results),
        "rows": sum(result.rows for result in results),
        "written": sum(result.written for result in results),
        "rejected": sum(len(result.rejected) for result in results),
        "tables": [_table(result) for result in results],
    }


def _table(result: TableResult) -> dict[str, Any]:
    return {
        "table": result.table,
        "into": result.into,
        "rows": result.rows,
        "accepted": result.accepted,
        "repeated": result.repeated,
        "there": result.there,
        "written": result.written,
        "verified": result.verified,
        "sums": {name: plain(value) for name, value in result.sums.items()},
        "kept_sums": result.kept_sums and {name: plain(value) for name, value in result.kept_sums.items()},
        "checksum": result.checksum,
        "kept_checksum": result.kept_checksum,
        "rejected": [{"line": each.line, "reason": each.reason, "row": each.text} for each in result.rejected],
    }


def rendered(results: list[TableResult], *, dry_run: bool) -> RenderableType:
    counts = Table(
        "table", "rows", "accepted", "repeated", "rejected", "there", "written", "", box=None, pad_edge=False
    )
    verified = {None: "dry run", True: "[green]✓ read back equal[/]", False: "[bold red]✕ differs[/]"}
    for result in results:
        numbers = (result.rows, result.accepted, result.repeated, len(result.rejected), result.there, result.written)
        counts.add_row(f"[bold]{result.table}[/]", *map(str, numbers), verified[result.verified])
    parts: list[RenderableType] = [counts, ""]
    for result in results:
        sums = ", ".join(f"{name} {plain(value)}" for name, value in result.sums.items())
        parts.append(f"{result.table} into {result.into}: {sums}\n  [dim]sha256 {result.checksum}[/]")
    for result in results:
        if result.rejected:
            parts.append(f"\n[bold]{result.table}: {len(result.rejected)} rows rejected[/]")
            parts += [f"  line {each.line}: {escape(each.reason)}" for each in result.rejected[:_SHOWN]]
            if len(result.rejected) > _SHOWN:
                parts.append(f"  [dim]and {len(result.rejected) - _SHOWN} more: --report FILE has all[/]")
    if dry_run:
        parts.append("\nnothing was written: this was a dry run")
    return Group(*parts)
