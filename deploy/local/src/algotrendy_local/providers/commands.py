"""``algotrendy providers status | fetch | batch``: what they take and where their output goes.

Invariant: bad input is one line on standard error and exit status 2, a provider that does not answer one line and 1.
Standard output holds the result alone. No key is ever printed.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import structlog
import typer
from algotrendy_common.errors import Retryable
from rich.console import Console
from rich.markup import escape

from algotrendy_local.research.commands import one_line_errors

NOT_ANSWERED = 1
UNFINISHED = 4

providers_app = typer.Typer(help="Data providers that are polled over HTTP.", no_args_is_help=True)

HomeOption = Annotated[Path | None, typer.Option("--home", help="Folder of the stack.", show_default=".algotrendy")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs: JSON on standard output.")]
DayOption = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], show_default=False)]


class Kind(StrEnum):
    BARS = "bars"
    PRICE = "price"
    OBSERVATIONS = "observations"
    SERIES = "series"
    SEARCH = "search"
    INDICATORS = "indicators"


class Adjustment(StrEnum):
    NONE = "none"
    SPLITS = "splits"


@providers_app.command()
def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show each provider: circuit, calls, the day's quota, cost, cache, last error."""
    with _one_line():
        from algotrendy_local.providers import asking, tables

        health = asking.health(home)
        tables.print_json(health) if as_json else tables.show_health(health)


@providers_app.command()
def fetch(
    kind: Annotated[Kind, typer.Argument(help="What is wanted.")],
    what: Annotated[
        str,
        typer.Argument(help="A symbol (AAPL, EUR/USD, ^GSPC), a series (DGS10), or words.", show_default=False),
    ] = "",
    start: DayOption = None,
    end: DayOption = None,
    adjusted: Annotated[Adjustment | None, typer.Option(help="For splits, or as traded; either without it.")] = None,
    agree: Annotated[int, typer.Option(min=1, max=6, help="How many providers must say the same.")] = 1,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the providers once, in their order, or several of them for a quorum."""
    with _one_line():
        from algotrendy_local.providers import asking, tables

        question = asking.question_of(
            kind.value, what, _day(start), _day(end), adjusted.value if adjusted else None, agree
        )
        answer = asking.ask(home, question)
        tables.print_json(answer) if as_json else tables.show(answer)


@providers_app.command()
def batch(
    symbols: Annotated[Path, typer.Argument(help="File with a symbol a line; # begins a comment.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder: a file a symbol, and the journal of the run.")],
    start: DayOption = None,
    end: DayOption = None,
    adjusted: Annotated[Adjustment | None, typer.Option(help="For splits, or as traded; either without it.")] = None,
    at_once: Annotated[int, typer.Option(min=1, max=64, help="Symbols under way at a time.")] = 4,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch daily bars of many symbols; killed, it goes on where it was when it is started again."""
    with _one_line():
        from algotrendy_local.providers import night

        if not night.run(home, symbols, out, _day(start), _day(end), adjusted and adjusted.value, at_once, as_json):
            raise typer.Exit(UNFINISHED)


def _day(given: datetime | None) -> str | None:
    return given.date().isoformat() if given else None


@contextmanager
def _one_line() -> Iterator[None]:
    logging_before = structlog.get_config()
    # What a service would log of a provider is told here in the answer, or in the one line.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        with one_line_errors():
            yield
    except Retryable as error:
        Console(stderr=True, highlight=False, emoji=False).print(
            f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True
        )
        raise typer.Exit(NOT_ANSWERED) from error
    finally:
        structlog.configure(**logging_before)
