"""Missing history fetched from a venue's REST, and what is kept compared with the venue's own.

Invariant: what is there is not asked for again, and what was fetched is kept before more is asked: ended at any moment
and begun anew, it goes on where it was. The venue's pace is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_core.bars import Bar
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from algotrendy_ingest.adapters.pace import Pace
from algotrendy_ingest.domain.coverage import days, without
from algotrendy_ingest.domain.history import Span, missing
from algotrendy_ingest.domain.reconciliation import DayReport, day_report, next_day
from algotrendy_ingest.errors import VenueAway
from algotrendy_ingest.store.cached import CachedStore
from algotrendy_ingest.store.questions import StoreQuestions

_PAGE = 1000
_ATTEMPTS = 6


class Candles(Protocol):
    """Of a venue's past; as ``Feed`` has it."""

    @property
    def venue(self) -> str: ...

    async def bars(
        self, symbol: str, timeframe: Timeframe, start: datetime | None = None, end: datetime | None = None
    ) -> list[Bar]: ...


@dataclass(frozen=True, slots=True)
class Job:
    symbol: str
    window: Span
    spans: tuple[Span, ...]
    """To be asked for, oldest first."""
    intervals: int
    """That the spans hold."""
    there: int
    """Candles of the window that are kept already."""


@dataclass(frozen=True, slots=True)
class Fetched:
    symbol: str
    candles: int
    requests: int


class BackFill:
    def __init__(self, venue: Candles, store: CachedStore, timeframe: Timeframe, *, requests_per_s: float) -> None:
        self._venue = venue
        self._store = store
        self._timeframe = timeframe
        self._step = timedelta(seconds=timeframe.seconds)
        self._pace = Pace(requests_per_s)

    async def plan(self, symbol: str, start: datetime, end: datetime) -> Job:
        """What is missing of the closed candles that open in [start, end); raises Refused where there can be none."""
        window = await self.closed(symbol, start, end)
        await self._refuse_what_would_go(window)
        name = (self._venue.venue, symbol, self._timeframe)
        have = await self._store.open_times(*name, window.start, window.end)
        absent = await self._store.absent(*name, window.start, window.end)
        spans = _together(without(missing(have, window, self._timeframe), absent), self._step * _PAGE)
        intervals = sum((span.end - span.start) // self._step for span in spans)
        return Job(symbol, window, tuple(spans), intervals, len(have))

    async def closed(self, symbol: str, start: datetime, end: datetime) -> Span:
        """The part of [start, end) that is over by the venue's clock; raises Refused where none is."""
        newest = await self._bars(symbol, None, None)
        if not newest:
            raise Refused("no_candles", f"{self._venue.venue} tells no candles of {symbol}")
        window = Span(start, min(end, newest[-1].open_time))  # the last is still open
        if window.start >= window.end:
            raise Refused(
                "in_the_future", f"the newest closed candle of {symbol} opens before {window.end:%Y-%m-%d %H:%M} UTC"
            )
        return window

    async def fetch(self, job: Job, progress: Callable[[int], None]) -> Fetched:
        """``progress`` is told of intervals that are done with."""
        candles = requests = 0
        for span in job.spans:
            given: set[datetime] = set()
            start = span.start
            while start < span.end:
                page = [
                    bar for bar in await self._bars(job.symbol, start, span.end) if start <= bar.open_time < span.end
                ]
                requests += 1
                if not page:
                    break  # the venue has none either: before its listing, or a halt
                await self._store.write_bars(self._venue.venue, job.symbol, page)
                given.update(bar.open_time for bar in page)
                progress((page[-1].close_time - start) // self._step)
                start = page[-1].close_time
            progress(max(0, (span.end - start) // self._step))
            # Only of what it has not: candles that are lost here later are asked for again.
            none = missing(given, span, self._timeframe)
            await self._store.note_absent(self._venue.venue, job.symbol, self._timeframe, none)
            candles += len(given)
        await self._store.settle(self._venue.venue, job.symbol)
        return Fetched(job.symbol, candles, requests)

    async def verify(self, symbol: str, window: Span, told: Callable[[DayReport], None]) -> None:
        """Each day of a window beside the venue's own candles, and the recorded trades beside both."""
        venue, questions = self._venue.venue, StoreQuestions(self._store.quest)
        for day in days(window):
            first, last = max(day, window.start), min(next_day(day), window.end)
            kept = await questions.all_candles(venue, symbol, self._timeframe, first, last)
            tape = await questions.trade_minutes(venue, symbol, first, last)
            told(day_report(day, self._timeframe, kept, await self._whole(symbol, first, last), tape))

    async def _whole(self, symbol: str, start: datetime, end: datetime) -> list[Bar]:
        found: list[Bar] = []
        while start < end and (page := await self._bars(symbol, start, end)):
            found += [bar for bar in page if start <= bar.open_time < end]
            start = page[-1].close_time
        return found

    async def _bars(self, symbol: str, start: datetime | None, end: datetime | None) -> list[Bar]:
        """Asked again a few times; raises ``VenueAway`` where it does not help."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(VenueAway),
            wait=wait_exponential_jitter(multiplier=0.2, max=5.0, jitter=0.2),
            stop=stop_after_attempt(_ATTEMPTS),
            reraise=True,
        ):
            with attempt:
                await self._pace.turn()
                return await self._venue.bars(symbol, self._timeframe, start, end)
        raise AssertionError("unreachable")

    async def _refuse_what_would_go(self, window: Span) -> None:
        """QuestDB drops what is older than the newest row by more than candles are kept: as soon as it is written."""
        newest = max(await self._store.newest_candle() or window.end, window.end)
        keeps = self._store.quest.candle_retention
        if window.start < newest - keeps:
            raise Refused(
                "too_old",
                f"candles are kept {keeps.days} days, so those before {newest - keeps:%Y-%m-%d} would go at once;"
                " set ALGOTRENDY_INGEST_CANDLE_RETENTION higher",
            )


def _together(spans: Sequence[Span], within: timedelta) -> list[Span]:
    """Neighbours that one request can answer become one, with what is there between them."""
    joined: list[Span] = []
    for span in spans:
        if joined and span.end - joined[-1].start <= within:
            joined[-1] = Span(joined[-1].start, span.end)
        else:
            joined.append(span)
    return joined
