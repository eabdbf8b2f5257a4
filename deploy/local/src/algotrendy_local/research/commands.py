"""The commands ``indicators`` and ``data``: what they take and where their output goes.

Invariant: bad input is one line on standard error that names the row or the parameter, and exit status 2. Standard
output holds the result alone, so it can be piped. What computes is imported by the command that needs it.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from rich.console import Console
from rich.markup import escape

BAD_INPUT = 2

data_app = typer.Typer(help="Market data: in files, and recorded by the stack that runs here.", no_args_is_help=True)


def indicators(
    file: Annotated[
        Path | None, typer.Argument(help="Candles: timestamp_ms,open,high,low,close,volume.", show_default=False)
    ] = None,
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="NAME[:PARAMETERS]...", help="Such as rsi:14 macd:12,26,9 vwap.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Every row as CSV; empty where an indicator is cold.")] = False,
    rows: Annotated[int, typer.Option(min=1, help="Rows of the table, the newest.")] = 20,
    repair: Annotated[
        str, typer.Option(help="Mend the data: drop_invalid, sort, drop_duplicates; several with commas.")
    ] = "none",
    show_list: Annotated[bool, typer.Option("--list", help="All indicators and their parameters.")] = False,
) -> None:
    """Compute indicators over a file of candles."""
    with one_line_errors():
        from algotrendy_local.research import indicator_columns, tables

        if show_list:
            tables.show(tables.catalogue())
            return
        if file is None or not wanted:
            raise Refused("nothing_wanted", "name a file and one indicator at least; all are in: indicators --list")
        computed = indicator_columns.compute(file, wanted, repair)
        for problem in computed.problems:
            note(f"mended: {problem}")
        if as_csv:
            indicator_columns.write_csv(computed, sys.stdout)
        else:
            tables.show(tables.newest(computed, rows))


@data_app.command()
def candles(
    file: Annotated[Path, typer.Argument(help="Trades: a time, price and quantity a row.")],
    timeframe: Annotated[str, typer.Option("--timeframe", "-t", help="Length of a candle: 1m, 5m, 15m, 1h, 4h, 1d.")],
    from_trades: Annotated[bool, typer.Option("--from-trades", help="The file holds trades.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; standard output else.")] = None,
    columns: Annotated[
        str | None, typer.Option(help="Names of the columns of a file without a header: timestamp,price,quantity.")
    ] = None,
    time_unit: Annotated[
        str | None, typer.Option(help="s, ms, us or ns, where the column's name does not tell and its size misleads.")
    ] = None,
    sort: Annotated[bool, typer.Option("--sort", help="Put the trades into the order of time first.")] = False,
) -> None:
    """Build candles from recorded trades; an interval without a trade has no candle."""
    with one_line_errors():
        from algotrendy_local.research import candle_building
        from algotrendy_local.research.trades_csv import read_trades

        if not from_trades:
            raise Refused("source_unknown", "say what the file holds: --from-trades")
        if timeframe not in set(Timeframe):
            raise Refused("timeframe_unknown", f"there is no timeframe {timeframe}; there are: {', '.join(Timeframe)}")
        trades = read_trades(file, columns=columns, time_unit=time_unit)
        built = candle_building.build(trades, Timeframe(timeframe), sort=sort)
        if output is None:
            candle_building.write_csv(built, sys.stdout)
        else:
            with output.open("w", newline="") as target:
                candle_building.write_csv(built, target)
        note(candle_building.summary(built))


def note(text: str) -> None:
    _errors().print(escape(text), soft_wrap=True)


def _errors() -> Console:
    return Console(stderr=True, highlight=False, emoji=False)


@contextmanager
def one_line_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # whoever read us has enough, as ``head`` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Refused, OSError) as error:
        _errors().print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(BAD_INPUT) from error
