"""What the commands do, with a bar that shows how far they are."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypedDict

from algotrendy_common.rpc.ingest import Coverage, CoverageAsked, Kept
from algotrendy_ingest.adapters.parquet_files import Content, Written, content_of
from algotrendy_ingest.domain.coverage import days
from algotrendy_ingest.domain.reconciliation import DayReport
from algotrendy_ingest.handlers.backfill import BackFill
from algotrendy_ingest.handlers.exchange import Exchange
from algotrendy_ingest.handlers.recorded import covered
from algotrendy_ingest.settings import IngestSettings
from algotrendy_ingest.store.questions import StoreQuestions
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from algotrendy_local.history.ground import ground
from algotrendy_local.history.wanted import Wanted


class Done(TypedDict):
    symbol: str
    there: int
    wanted: int
    fetched: int
    requests: int


async def download(
    settings: IngestSettings, asked: Wanted, span: tuple[datetime, datetime], per_second: float, http_url: str | None
) -> list[Done]:
    done: list[Done] = []
    async with ground(settings) as here, here.venue(asked.venue, asked.symbols, http_url) as venue:
        filling = BackFill(venue, here.store, asked.timeframe, requests_per_s=per_second)
        jobs = [await filling.plan(symbol, *span) for symbol in asked.symbols]
        with _bars() as bars:
            tasks = [bars.add_task(job.symbol, total=job.intervals) for job in jobs]
            for job, task in zip(jobs, tasks, strict=True):
                fetched = await filling.fetch(job, lambda count, task=task: bars.advance(task, count))  # type: ignore[misc]
                done.append(
                    {
                        "symbol": job.symbol,
                        "there": job.there,
                        "wanted": job.intervals,
                        "fetched": fetched.candles,
                        "requests": fetched.requests,
                    }
                )
    return done


async def kept(settings: IngestSettings, venue: str | None) -> list[Kept]:
    async with ground(settings) as here:
        return await StoreQuestions(here.store.quest).kept(venue)


async def coverage(
    settings: IngestSettings, asked: Wanted, start: datetime | None, end: datetime | None
) -> dict[str, Coverage]:
    async with ground(settings) as here:
        return {
            symbol: await covered(
                here.store,
                CoverageAsked(venue=asked.venue, symbol=symbol, timeframe=asked.timeframe, start=start, end=end),
            )
            for symbol in asked.symbols
        }


async def verify(
    settings: IngestSettings, asked: Wanted, span: tuple[datetime, datetime], per_second: float, http_url: str | None
) -> list[tuple[str, DayReport]]:
    found: list[tuple[str, DayReport]] = []
    async with ground(settings) as here, here.venue(asked.venue, asked.symbols, http_url) as venue:
        checking = BackFill(venue, here.store, asked.timeframe, requests_per_s=per_second)
        with _bars() as bars:
            for symbol in asked.symbols:
                window = await checking.closed(symbol, *span)
                task = bars.add_task(symbol, total=sum(1 for _ in days(window)))

                def told(report: DayReport, symbol: str = symbol, task: object = task) -> None:
                    found.append((symbol, report))
                    bars.advance(task)  # type: ignore[arg-type]

                await checking.verify(symbol, window, told)
    return found


async def export(
    settings: IngestSettings,
    asked: Wanted,
    span: tuple[datetime | None, datetime | None],
    folder: Path,
    *,
    trades: bool,
) -> list[Written]:
    written = []
    async with ground(settings) as here:
        with _bars() as bars:
            for symbol in asked.symbols:
                task = bars.add_task(symbol, total=100)
                content = Content(asked.venue, symbol, None if trades else asked.timeframe)

                def told(share: float, task: object = task) -> None:
                    bars.update(task, completed=int(share * 100))  # type: ignore[arg-type]

                written.append(await Exchange(here.store).export(folder, content, *span, told))
    return written


async def take_in(settings: IngestSettings, files: list[Path]) -> list[tuple[Content, int]]:
    for file in files:
        content_of(file)  # one that is not right keeps all of them out
    async with ground(settings) as here:
        return [await Exchange(here.store).take_in(file) for file in files]


@contextmanager
def _bars() -> Iterator[Progress]:
    """On standard error, and only where a person looks on."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description:<16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        yield progress
