"""The commands of ``algotrendy data`` that work on the history a stack keeps: what they take and what they print.

Invariant: bad input and whatever is away are one line on standard error and exit status 2; ``verify`` ends with 1 where
something differs. Standard output holds the result alone.
"""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from algotrendy_common.errors import Refused

from algotrendy_local.research.commands import data_app as data_app
from algotrendy_local.research.commands import note, one_line_errors
from algotrendy_local.settings import LocalSettings

VenueOption = Annotated[str, typer.Option("--venue", "-v", help="binance, bybit, coinbase, cryptocom, kraken or okx.")]
SymbolsOption = Annotated[str, typer.Option("--symbols", "-s", help="BTC-USDT,BTC-USDT-PERP,…")]
TimeframeOption = Annotated[str, typer.Option("--timeframe", "-t", help="Of the candles.")]
FromOption = Annotated[datetime, typer.Option("--from", help="UTC.")]
StartOption = Annotated[datetime | None, typer.Option("--from", help="UTC; the first there is without it.")]
ToOption = Annotated[datetime | None, typer.Option("--to", help="UTC, exclusive; the newest there is without it.")]
HomeOption = Annotated[Path | None, typer.Option("--home", help="Of the stack.", show_default=".algotrendy")]
UrlOption = Annotated[str | None, typer.Option("--http-url", help="In place of the venue's.", show_default=False)]
PaceOption = Annotated[float, typer.Option("--per-second", min=0.1, max=50, help="Requests at most.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs: JSON on standard output.")]


@data_app.command()
def download(
    venue: VenueOption,
    symbols: SymbolsOption,
    start: FromOption,
    end: ToOption = None,
    timeframe: TimeframeOption = "1m",
    per_second: PaceOption = 5.0,
    http_url: UrlOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch what is missing of candles from a venue; stopped and run again, it goes on where it was."""
    with one_line_errors():
        from algotrendy_local.history import ground, work
        from algotrendy_local.history.wanted import wanted, window

        asked = wanted(venue, symbols, timeframe)
        span = window(start, end, asked.timeframe)
        with ground.refused_in_words():
            settings = ground.ingest_settings(_settings(home))
            try:
                done = asyncio.run(work.download(settings, asked, span, per_second, http_url))
            except KeyboardInterrupt:
                note("stopped; what was fetched is kept: run it again to go on")
                raise typer.Exit(130) from None
        if as_json:
            print(json.dumps(done))
        for row in done:
            note(f"{row['symbol']}: {row['there']} were there, {row['fetched']} fetched in {row['requests']} requests")


@data_app.command()
def coverage(
    venue: Annotated[str | None, typer.Option("--venue", "-v", help="All without it.", show_default=False)] = None,
    symbols: Annotated[str | None, typer.Option("--symbols", "-s", help="All without it.", show_default=False)] = None,
    start: StartOption = None,
    end: ToOption = None,
    timeframe: TimeframeOption = "1m",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """What history there is; of named symbols also day by day, and what is missing."""
    with one_line_errors():
        from algotrendy_local.history import ground, tables, work
        from algotrendy_local.history.wanted import timeframe_of, utc, wanted

        if start is not None and end is not None and start >= end:
            raise Refused("bad_range", "the range ends before it starts")
        timeframe_of(timeframe)
        with ground.refused_in_words():
            if symbols is None:
                settings = ground.ingest_settings(_settings(home))
                kept = asyncio.run(work.kept(settings, venue))
                if as_json:
                    print(json.dumps([row.model_dump(mode="json") for row in kept]))
                else:
                    tables.show_kept(kept)
                return
            if venue is None:
                raise Refused("no_venue", "say of which venue: --venue")
            asked = wanted(venue, symbols, timeframe)
            settings = ground.ingest_settings(_settings(home))
            found = asyncio.run(work.coverage(settings, asked, start and utc(start), end and utc(end)))
        if as_json:
            print(json.dumps({symbol: covered.model_dump(mode="json") for symbol, covered in found.items()}))
        else:
            for symbol, covered in found.items():
                tables.show_coverage(asked, symbol, covered)


@data_app.command()
def verify(
    venue: VenueOption,
    symbols: SymbolsOption,
    start: FromOption,
    end: ToOption = None,
    timeframe: TimeframeOption = "1m",
    per_second: PaceOption = 5.0,
    http_url: UrlOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare each day that is kept with the venue's own candles, and the recorded trades with both."""
    with one_line_errors():
        from algotrendy_local.history import ground, tables, work
        from algotrendy_local.history.wanted import wanted, window

        asked = wanted(venue, symbols, timeframe)
        span = window(start, end, asked.timeframe)
        with ground.refused_in_words():
            settings = ground.ingest_settings(_settings(home))
            found = asyncio.run(work.verify(settings, asked, span, per_second, http_url))
        if as_json:
            print(json.dumps([tables.plain(asked.venue, symbol, report) for symbol, report in found]))
        else:
            tables.show_reports(asked, found)
    raise typer.Exit(0 if all(report.agrees for _, report in found) else 1)


@data_app.command(name="export")
def export_(
    folder: Annotated[Path, typer.Argument(help="Where the files go; each is named by the hash of its content.")],
    venue: VenueOption,
    symbols: SymbolsOption,
    start: StartOption = None,
    end: ToOption = None,
    timeframe: TimeframeOption = "1m",
    trades: Annotated[bool, typer.Option("--trades", help="Trades, not candles.")] = False,
    home: HomeOption = None,
) -> None:
    """Write history into Parquet files, one a symbol, and print their paths."""
    with one_line_errors():
        from algotrendy_local.history import ground, work
        from algotrendy_local.history.wanted import utc, wanted

        asked = wanted(venue, symbols, timeframe)
        if start is not None and end is not None and start >= end:
            raise Refused("bad_range", "the range ends before it starts")
        with ground.refused_in_words():
            settings = ground.ingest_settings(_settings(home))
            span = (start and utc(start), end and utc(end))
            for written in asyncio.run(work.export(settings, asked, span, folder, trades=trades)):
                print(written.path)
                note(f"{written.rows} rows")


@data_app.command(name="import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="Files that export wrote.")], home: HomeOption = None
) -> None:
    """Take Parquet files in again; what is there already stays one row."""
    with one_line_errors():
        from algotrendy_local.history import ground, work

        with ground.refused_in_words():
            settings = ground.ingest_settings(_settings(home))
            for content, rows in asyncio.run(work.take_in(settings, files)):
                note(f"{content.label}: {rows} rows")


def _settings(home: Path | None) -> LocalSettings:
    return LocalSettings.from_environment(**({} if home is None else {"home": home}))
