"""Indicators for reading: the list of them, and the newest rows of a computation."""

from algotrendy_common.clock import from_ms
from algotrendy_core.indicators.registry import INDICATORS, Parameter
from rich.console import Console
from rich.table import Table

from algotrendy_local.research.indicator_columns import Computed


def catalogue() -> Table:
    table = Table("indicator", "parameters (default, from … to)", "columns", box=None, pad_edge=False)
    for name, indicator in INDICATORS.items():
        parameters = "\n".join(_parameter(each) for each in indicator.parameters) or "none"
        table.add_row(f"[bold]{name}[/]\n[dim]{indicator.description}[/]", parameters, "\n".join(indicator.outputs))
    return table


def show(table: Table) -> None:
    """On a terminal as wide as it is; into a file or a pipe as wide as the table needs."""
    console = Console(emoji=False)
    if not console.is_terminal:
        console = Console(emoji=False, width=console.measure(table).maximum)
    console.print(table)


def _parameter(parameter: Parameter) -> str:
    return f"{parameter.name} {parameter.default:g} [dim]({parameter.least:g} … {parameter.most:g})[/]"


def newest(computed: Computed, rows: int) -> Table:
    table = Table("time (UTC)", box=None, pad_edge=False)
    for name in computed.columns:
        table.add_column(name, justify="right")
    for i in range(max(len(computed.time) - rows, 0), len(computed.time)):
        values = (float(column[i]) for column in computed.columns.values())
        time = f"{from_ms(int(computed.time[i])):%Y-%m-%d %H:%M}"
        table.add_row(time, *("" if value != value else f"{value:.10g}" for value in values))
    return table
