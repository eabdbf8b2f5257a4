"""``algotrendy data quality``, ``data restore`` and ``data quarantine``.

Exit status: 0 where nothing is wrong, 1 where something is, 2 for bad input. Invariant: ``quality`` never writes to
what it reads; mended rows and those set aside go where the caller says.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused, Retryable
from rich.console import Console

from algotrendy_local.errors import StackError
from algotrendy_local.research.commands import note, one_line_errors

FAULTS_FOUND = 1


def quality(
    files: Annotated[
        list[Path] | None, typer.Argument(help="CSV: a time, open, high, low, close and what else there is.")
    ] = None,
    venue: Annotated[str | None, typer.Option(help="Candles of the running stack instead of a file.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Such as BTC-USDT, with --venue.")] = None,
    timeframe: Annotated[Timeframe, typer.Option("--timeframe", "-t", help="With --venue.")] = Timeframe.M1,
    candles: Annotated[int, typer.Option(min=10, help="The newest so many, with --venue.")] = 10_000,
    keep: Annotated[
        str, typer.Option(help="Where prices come in two units, the right one: newest, larger or smaller.")
    ] = "newest",
    write: Annotated[Path | None, typer.Option("--write", help="Mended rows go into this CSV file.")] = None,
    quarantine: Annotated[
        Path | None, typer.Option(help="Rows set aside go into this file (JSON lines), to be restored from.")
    ] = None,
    page: Annotated[Path | None, typer.Option("--html", help="The report as a page of its own too.")] = None,
    home: Annotated[Path | None, typer.Option("--home", help="Of the running stack.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: JSON on standard output.")] = False,
) -> None:
    """Look for spikes, impossible prices, holes, repetitions, wrong units, splits and dividends."""
    with one_line_errors():
        from algotrendy_core.data_quality.examination import Examination, examine
        from algotrendy_core.data_quality.reading import ReadFile, read_history
        from algotrendy_core.data_quality.scale import Keep

        from algotrendy_local.research import quality_report
        from algotrendy_local.research.quarantine import write_clean, write_quarantine

        if keep not in set(Keep):
            raise Refused("unit_unknown", f"--keep is one of {', '.join(Keep)}, not {keep}")
        if bool(files) == bool(venue):
            raise Refused("source_unknown", "name files, or --venue and --symbol of the running stack")
        if (write or quarantine) and len(files or ()) != 1:
            raise Refused("one_file", "--write and --quarantine take one file at a time")
        if any(
            each.resolve() in {path.resolve() for path in files or ()} for each in (write, quarantine, page) if each
        ):
            raise Refused("source_kept", "what is read is not written over: name another file")
        examined: list[tuple[str, Examination]] = []
        for path in files or ():
            read: ReadFile = read_history(path)
            found = examine(read.history, Keep(keep)).with_unread(read.unread)
            examined.append((str(path), found))
            if write is not None:
                write_clean(write, found.mended)
            if quarantine is not None:
                write_quarantine(quarantine, path, read, found.set_aside)
        if venue is not None:
            name = f"{symbol} {timeframe} at {venue}"
            examined.append((name, examine(_stored(venue, symbol, timeframe, candles, home), Keep(keep))))
        if page is not None:
            page.write_text(quality_report.as_html(examined))
        console = Console(highlight=False, emoji=False)
        if as_json:
            documents = [quality_report.document(name, found) for name, found in examined]
            console.print_json(data=documents)
        else:
            for name, found in examined:
                console.print(quality_report.rendered(name, found))
    raise typer.Exit(FAULTS_FOUND if any(found.findings for _, found in examined) else 0)


def restore(
    quarantine: Annotated[Path, typer.Argument(help="The file that --quarantine wrote.")],
    into: Annotated[Path, typer.Argument(help="The file that --write wrote.")],
    rows: Annotated[str | None, typer.Option(help="Only these rows, as they are numbered: 5,9.")] = None,
) -> None:
    """Put rows that were set aside back among the others."""
    with one_line_errors():
        from algotrendy_local.research.quarantine import restore as put_back

        try:
            chosen = None if rows is None else [int(each) for each in rows.split(",")]
        except ValueError as error:
            raise Refused("rows_unknown", f"--rows takes numbers with commas, not {rows}") from error
        restored = put_back(quarantine, into, chosen)
        note(f"put back {len(restored.rows)} rows; {restored.left} stay set aside")


def quarantine(
    venue: Annotated[str | None, typer.Option(help="Of this venue alone.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Of this symbol alone.")] = None,
    restore: Annotated[
        str | None, typer.Option(metavar="TRADE", help="Give this one back; name --venue and --symbol.")
    ] = None,
    newest: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    home: Annotated[Path | None, typer.Option("--home", help="Of the running stack.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: JSON on standard output.")] = False,
) -> None:
    """List live trades whose price was not believed, or give one back to its market."""
    with one_line_errors():
        from algotrendy_common.rpc.ingest import QuarantineAsked, RestoreAsked
        from rich.table import Table

        from algotrendy_local.operations.set_aside import give_back, set_aside
        from algotrendy_local.research import tables
        from algotrendy_local.settings import LocalSettings

        settings = LocalSettings.from_environment(**({} if home is None else {"home": home}))
        if restore is not None:
            if venue is None or symbol is None:
                raise Refused("trade_unknown", "name the trade's --venue and --symbol: its number is theirs")
            back = give_back(settings, RestoreAsked(venue=venue, symbol=symbol, trade_id=restore))
            note(f"trade {back.trade_id} of {back.symbol} at {back.price} was given back")
            return
        trades = set_aside(settings, QuarantineAsked(venue=venue, symbol=symbol, limit=newest))
        if as_json:
            Console().print_json(data=[trade.model_dump(mode="json") for trade in trades])
            return
        heads = ("time (UTC)", "venue", "symbol", "trade", "price", "quantity", "", "why")
        table = Table(*heads, box=None, pad_edge=False)
        for trade in trades:
            table.add_row(
                f"{trade.time:%Y-%m-%d %H:%M:%S}", trade.venue, trade.symbol, trade.trade_id, str(trade.price),
                str(trade.quantity), "given back" if trade.restored else "set aside", trade.reason,
            )  # fmt: skip
        tables.show(table)


def _stored(venue: str, symbol: str | None, timeframe: Timeframe, count: int, home: Path | None) -> Any:
    from algotrendy_local.operations.stored_history import newest_candles
    from algotrendy_local.settings import LocalSettings

    if symbol is None:
        raise Refused("symbol_unknown", "name a --symbol with --venue")
    settings = LocalSettings.from_environment(**({} if home is None else {"home": home}))
    try:
        return newest_candles(settings, venue, symbol, timeframe, count)
    except (StackError, Retryable) as error:
        raise Refused("no_candles", str(error)) from error
