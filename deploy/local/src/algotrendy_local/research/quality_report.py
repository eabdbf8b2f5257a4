"""What an examination found, for people and for programs."""

import html
from typing import Any

from algotrendy_common.clock import from_ms
from algotrendy_core.data_quality.examination import Examination
from algotrendy_core.data_quality.findings import Finding, Remedy
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

_SHOWN = 8
_COLOURS = {Remedy.MENDED: "green", Remedy.SET_ASIDE: "yellow", Remedy.TOLD: "cyan"}
_WORDS = {Remedy.MENDED: "can be mended", Remedy.SET_ASIDE: "set aside", Remedy.TOLD: "to be looked at"}


def document(name: str, found: Examination) -> dict[str, Any]:
    return {
        "source": name,
        "rows": found.rows,
        "first_ms": found.first_ms,
        "last_ms": found.last_ms,
        "step_ms": found.step_ms,
        "coverage": coverage(found),
        "set_aside": sorted(found.set_aside),
        "counts": {str(fault): count for fault, count in found.counts.items()},
        "findings": [
            {
                "fault": str(each.fault), "remedy": str(each.remedy), "row": each.row, "time_ms": each.time_ms,
                "rows": each.count, "detail": each.detail,
            }
            for each in found.findings
        ],
    }  # fmt: skip


def coverage(found: Examination) -> float | None:
    """Rows in the span over rows that a market which never closes would have; None where there is no step."""
    if not found.step_ms or found.first_ms is None or found.last_ms is None:
        return None
    expected = (found.last_ms - found.first_ms) // found.step_ms + 1
    return round(min(len(found.mended) / expected, 1.0), 6)


def rendered(name: str, found: Examination) -> RenderableType:
    head = f"[bold]{escape(name)}[/]  {found.rows} rows"
    if found.first_ms is not None and found.last_ms is not None:
        head += f", {from_ms(found.first_ms):%Y-%m-%d %H:%M} to {from_ms(found.last_ms):%Y-%m-%d %H:%M} UTC"
    share = coverage(found)
    if share is not None:
        head += f", one every {_length(found.step_ms)}; {share:.1%} of all intervals have one"
    if not found.findings:
        return Group(head, "[green]✓[/] nothing is wrong with it", "")
    table = Table("fault", "remedy", "row", "time (UTC)", "what", box=None, pad_edge=False)
    for fault, count in found.counts.items():
        of_it = [each for each in found.findings if each.fault is fault]
        colour = _COLOURS[of_it[0].remedy]
        for index, each in enumerate(of_it[:_SHOWN]):
            told = f"{fault} ({count})" if count > 1 else str(fault)
            table.add_row(
                f"[{colour}]{told}[/]" if not index else "", _WORDS[each.remedy] if not index else "",
                str(each.row), _time(each), escape(_what(each)),
            )  # fmt: skip
        if count > _SHOWN:
            table.add_row("", "", "", "", f"[dim]and {count - _SHOWN} more: --json has all[/]")
    return Group(head, table, "")


def as_html(parts: list[tuple[str, Examination]]) -> str:
    """A page of its own, with nothing to fetch."""
    import io

    console = Console(record=True, width=160, file=io.StringIO(), emoji=False, highlight=False)
    for name, found in parts:
        console.print(rendered(name, found))
    title = html.escape(", ".join(name for name, _ in parts))
    page = console.export_html(inline_styles=True)
    return page.replace("<head>", f"<head>\n<title>Data quality: {title}</title>", 1)


def _what(finding: Finding) -> str:
    return f"{finding.detail} ({finding.count} rows)" if finding.count > 1 else finding.detail


def _time(finding: Finding) -> str:
    return "" if finding.time_ms is None else f"{from_ms(finding.time_ms):%Y-%m-%d %H:%M}"


def _length(step_ms: int) -> str:
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000)):
        if step_ms % size == 0:
            return f"{step_ms // size} {unit}"
    return f"{step_ms} ms"
