"""``algotrendy data quality`` and ``data restore``.

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
