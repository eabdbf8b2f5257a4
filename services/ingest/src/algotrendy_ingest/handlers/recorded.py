"""Answers out of what is recorded: trades, books, what there is and what is missing.

Invariant: what may still change is never kept: only a question whose range ended an hour ago by the venue's clock.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_common.events.event import Record
from algotrendy_common.rpc.ingest import (
    BookAt,
    BookAtAsked,
    Coverage,
    CoverageAsked,
    Symbols,
    SymbolsAsked,
    Trades,
    TradesAsked,
)
from algotrendy_core.bars import interval_start

from algotrendy_ingest.adapters.answer_cache import AnswerCache, group_of, lifetime
from algotrendy_ingest.domain import coverage as covering
from algotrendy_ingest.domain.history import Span
from algotrendy_ingest.store.quest import QuestStore
from algotrendy_ingest.store.questions import StoreQuestions

SETTLED_AFTER = timedelta(hours=1)
_MOST_TRADES = 5000
_MOST_SYMBOLS = 1000
_MOST_DAYS = 366
_MOST_HOLES = 500


class Recorded:
    def __init__(
        self,
        store: QuestStore,
        cache: AnswerCache,
        venue_time: Callable[[str], datetime | None],
    ) -> None:
        """``venue_time``: what the clock of a venue shows, None where nothing was heard of it yet."""
        self._store = store
        self._questions = StoreQuestions(store.quest)
        self._cache = cache
        self._venue_time = venue_time

    async def trades(self, asked: TradesAsked) -> Trades:
        _check_limit(asked.limit, _MOST_TRADES, "trades")
        _check_range(asked.start, asked.end)
        after = _parsed(asked.after) if asked.after is not None else None

        async def ask() -> Trades:
            found = await self._questions.trades(
                asked.venue, asked.symbol, asked.start, asked.end, after, asked.limit + 1
            )
            page = tuple(found[: asked.limit])
            last = page[-1] if len(found) > asked.limit else None
            return Trades(trades=page, next=last and f"{last.event_time.isoformat()}/{last.trade_id}")

        return await self._kept("trades", asked, asked.venue, asked.symbol, asked.end, Trades, ask)

    async def book_at(self, asked: BookAtAsked) -> BookAt:
        async def ask() -> BookAt:
            return BookAt(book=await self._questions.book_at(asked.venue, asked.symbol, asked.at))

        return await self._kept("book_at", asked, asked.venue, asked.symbol, asked.at, BookAt, ask)

    async def symbols(self, asked: SymbolsAsked) -> Symbols:
        _check_limit(asked.limit, _MOST_SYMBOLS, "symbols")
        kept = await self._questions.kept(asked.venue)
        names = [f"{row.venue}/{row.symbol}/{row.timeframe or ''}" for row in kept]
        begin = names.index(asked.after) + 1 if asked.after in names else 0
        page = tuple(kept[begin : begin + asked.limit])
        more = begin + asked.limit < len(kept)
        return Symbols(kept=page, next=names[begin + asked.limit - 1] if more else None)

    async def coverage(self, asked: CoverageAsked) -> Coverage:
        if asked.start is not None:
            _check_range(asked.start, asked.end)

        async def ask() -> Coverage:
            return await covered(self._store, asked)

        return await self._kept("coverage", asked, asked.venue, asked.symbol, asked.end, Coverage, ask, asked.timeframe)

    async def _kept[Res: Record](
        self,
        what: str,
        asked: Record,
        venue: str,
        symbol: str,
        end: datetime | None,
        response: type[Res],
        ask: Callable[[], Awaitable[Res]],
        timeframe: Timeframe | None = None,
    ) -> Res:
        now = self._venue_time(venue)
        if end is None or now is None or end > now - SETTLED_AFTER:
            return await ask()
        question = asked.model_dump_json()
        return await self._cache.answer(what, group_of(venue, symbol), question, lifetime(timeframe), response, ask)


async def covered(store: QuestStore, asked: CoverageAsked) -> Coverage:
    """Day by day, from the first candle there is or the start that is asked for."""
    questions = StoreQuestions(store.quest)
    venue, symbol, timeframe = asked.venue, asked.symbol, asked.timeframe
    extent = await questions.extent(venue, symbol, timeframe, asked.start, asked.end)
    if extent is None and (asked.start is None or asked.end is None):
        return Coverage(first=None, last=None, candles=0, expected=0, days=(), missing=(), more=False)
    step = timedelta(seconds=timeframe.seconds)
    start = _on_grid(asked.start, timeframe) if asked.start is not None else extent.first  # type: ignore[union-attr]
    end = _on_grid(asked.end, timeframe) if asked.end is not None else extent.last + step  # type: ignore[union-attr]
    limit = covering.day_of(start) + _MOST_DAYS * covering.DAY
    span, more = Span(start, min(end, limit)), end > limit
    holes = await questions.holes(venue, symbol, timeframe, span.start, span.end, _MOST_HOLES)
    inside = await questions.extent(venue, symbol, timeframe, span.start, span.end) if more else extent
    if inside is None:
        holes = [span]
    else:
        before, behind = Span(span.start, inside.first), Span(inside.last + step, span.end)
        holes = [hole for hole in (before, *holes, behind) if hole.start < hole.end]
    absent = await store.absent(venue, symbol, timeframe, span.start, span.end)
    return Coverage(
        first=inside and inside.first,
        last=inside and inside.last,
        candles=inside.rows if inside else 0,
        expected=covering.expected(span, timeframe),
        days=covering.by_day(
            span,
            timeframe,
            await questions.candle_days(venue, symbol, timeframe, span.start, span.end),
            await questions.trade_days(venue, symbol, span.start, span.end),
        ),
        missing=covering.missing_of(holes[:_MOST_HOLES], absent),
        more=more,
    )


def _on_grid(time: datetime, timeframe: Timeframe) -> datetime:
    """The first opening that is not before a time."""
    opening = interval_start(time, timeframe)
    return opening if opening == time else opening + timedelta(seconds=timeframe.seconds)


def _parsed(after: str) -> tuple[datetime, str]:
    text, _, number = after.partition("/")
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused("bad_page", f"{after!r} is no page's next") from error
    if time.tzinfo is None or not number:
        raise Refused("bad_page", f"{after!r} is no page's next")
    return time.astimezone(UTC), number


def _check_limit(limit: int, most: int, what: str) -> None:
    if not 1 <= limit <= most:
        raise Refused("bad_limit", f"between 1 and {most} {what} can be asked for, not {limit}")


def _check_range(start: datetime, end: datetime | None) -> None:
    if end is not None and start >= end:
        raise Refused("bad_range", "the range ends before it starts")
