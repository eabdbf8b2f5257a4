"""``algotrendy feed``: what its commands take and where their output goes.

Invariant: bad input is one line on standard error that names the file and the line, and exit status 2. Standard output
holds the result alone. What reads sockets is imported by the command that needs it.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from algotrendy_common.errors import Refused, Retryable

from algotrendy_local.research.commands import note, one_line_errors

if TYPE_CHECKING:
    from algotrendy_ingest.replaying import State

    from algotrendy_local.topology import Place

feed_app = typer.Typer(help="Venues' public sockets: recorded, replayed, and how they stand.", no_args_is_help=True)

VenueOption = Annotated[str, typer.Option("--venue", "-v", help="binance, bybit, coinbase, cryptocom, kraken or okx.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs: JSON on standard output.")]
HomeOption = Annotated[Path | None, typer.Option("--home", help="Of the stack.", show_default=".algotrendy")]


@feed_app.command()
def replay(
    files: Annotated[
        list[Path], typer.Argument(help="Recordings; several are merged by time. NAME_http.jsonl comes by itself.")
    ],
    venue: VenueOption,
    at: Annotated[
        str | None, typer.Option(help="After these received messages too, such as 100,2000; the first is 1.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run recordings of a socket through the reading that live ones have, and print what became of each symbol."""
    with one_line_errors():
        from algotrendy_ingest.adapters.registry import line_class
        from algotrendy_ingest.recordings import merged
        from algotrendy_ingest.replaying import Replay

        from algotrendy_local.feeds import tables

        run = Replay(line_class(venue))
        *stops, end = run.states(merged(files), _numbers(at))
        if as_json:
            shown = {"venue": run.line_class.venue, "received": run.received, "refusals": run.refusals}
            print(json.dumps(shown | {"at": [_plain(stop) for stop in stops], "end": _plain(end)}))
            return
        for state in (*stops, end):
            tables.show(state)
        for refusal in run.refusals:
            note(f"the venue refused: {refusal}")


@feed_app.command()
def record(
    file: Annotated[Path, typer.Argument(help="To write; it must not be there yet.")],
    venue: VenueOption,
    symbols: Annotated[str, typer.Option("--symbols", "-s", help="BTC-USDT,BTC-USDT-PERP,…")],
    seconds: Annotated[
        float | None, typer.Option("--for", min=0.1, help="Seconds; until Ctrl-C without it.", show_default=False)
    ] = None,
    http_url: Annotated[str | None, typer.Option(help="In place of the venue's own.", show_default=False)] = None,
    ws_url: Annotated[str | None, typer.Option(help="In place of the venue's own.", show_default=False)] = None,
) -> None:
    """Write a venue's live sockets down, raw, one JSON object a line; 'feed replay' reads it."""
    with one_line_errors():
        from algotrendy_local.feeds.recorded import record

        wanted = [symbol.strip().upper() for symbol in symbols.split(",") if symbol.strip()]
        received = record(file, venue, wanted, seconds, http_url, ws_url, note)
        note(f"{received} messages in {file}")
    raise typer.Exit(0 if received else 1)


@feed_app.command()
def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """How each venue's feed of the running stack stands."""
    with _stack_errors():
        from algotrendy_local.feeds import running, tables

        feeds = asyncio.run(running.health(_place(home)))
        if as_json:
            print(json.dumps([feed.model_dump(mode="json") for feed in feeds]))
        else:
            tables.show_feeds(feeds)


VenueArgument = Annotated[str, typer.Argument(help="A venue that is followed.")]
SymbolArgument = Annotated[str, typer.Argument(help="BTC-USDT, or BTC-USDT-PERP for the perpetual.")]


@feed_app.command()
def follow(venue: VenueArgument, symbol: SymbolArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Have the running stack listen to one more symbol of a venue, until its next start."""
    with _stack_errors():
        from algotrendy_local.feeds import running

        _say_followed(venue, asyncio.run(running.follow(_place(home), venue, symbol.upper())), as_json)


@feed_app.command()
def unfollow(
    venue: VenueArgument, symbol: SymbolArgument, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Have the running stack listen to a symbol no more, until its next start."""
    with _stack_errors():
        from algotrendy_local.feeds import running

        _say_followed(venue, asyncio.run(running.unfollow(_place(home), venue, symbol.upper())), as_json)


def _say_followed(venue: str, symbols: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"venue": venue, "symbols": symbols}))
    else:
        print(f"{venue}: {', '.join(symbols) or 'nothing is followed'}")


def _place(home: Path | None) -> "Place":
    from algotrendy_local.operations.connection import running_place
    from algotrendy_local.settings import LocalSettings

    return running_place(LocalSettings.from_environment(**({} if home is None else {"home": home})))


@contextmanager
def _stack_errors() -> Iterator[None]:
    """A stack that does not answer is nobody's bad input: status 1."""
    with one_line_errors():
        try:
            yield
        except Retryable as error:
            note(f"error: {error}")
            raise typer.Exit(1) from error


def _numbers(at: str | None) -> list[int]:
    try:
        numbers = sorted({int(number) for number in at.split(",")}) if at else []
    except ValueError:
        raise Refused("no_number", f"--at takes numbers of messages, such as 100,2000, not {at}") from None
    if any(number < 1 for number in numbers):
        raise Refused("no_number", "the first message is number 1")
    return numbers


def _plain(state: "State") -> dict[str, object]:
    return {"message": state.message, "symbols": {each.symbol: asdict(each) for each in state.symbols}}
