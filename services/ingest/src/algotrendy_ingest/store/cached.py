"""The store with answers about past candles kept: what is asked again and again is charts and backtests."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from algotrendy_common.clock import Clock
from algotrendy_common.enums import Timeframe
from algotrendy_common.events.event import Record
from algotrendy_common.rpc.ingest import Candle

from algotrendy_ingest.adapters.answer_cache import AnswerCache, group_of, lifetime
from algotrendy_ingest.ports import Candlestick
from algotrendy_ingest.store import rows
from algotrendy_ingest.store.connection import YEAR
from algotrendy_ingest.store.quest import QuestStore
from algotrendy_ingest.store.rows import CandleRow

_SETTLED_AFTER = timedelta(hours=1)


class Page(Record):
    """Candles as they are kept: texts are sooner read than values that are checked."""

    rows: tuple[CandleRow, ...]


class CachedStore(QuestStore):
    def __init__(
        self,
        url: str,
        cache: AnswerCache,
        clock: Clock,
        *,
        retention: timedelta = YEAR,
        candle_retention: timedelta = YEAR,
    ) -> None:
        super().__init__(url, retention=retention, candle_retention=candle_retention)
        self._cache = cache
        self._clock = clock
        self._newest: dict[tuple[str, str, Timeframe], datetime] = {}

    async def write_bars(self, venue: str, symbol: str, bars: Sequence[Candlestick]) -> None:
        await super().write_bars(venue, symbol, bars)
        past = False
        for bar in bars:
            key = (venue, symbol, bar.timeframe)
            newest = self._newest.get(key)
            past |= newest is None or bar.open_time <= newest
            self._newest[key] = bar.open_time if newest is None else max(newest, bar.open_time)
        if past:  # a candle behind those that were there: a hole is filled, or one is mended
            await self._cache.changed(group_of(venue, symbol))

    async def settle(self, venue: str, symbol: str, table: str = "bar") -> None:
        """After writing of the past: until it can be read, and no older answer counts."""
        await self.quest.applied(table)
        await self._cache.changed(group_of(venue, symbol))

    async def candles(
        self, venue: str, symbol: str, timeframe: Timeframe, start: datetime | None, end: datetime | None, limit: int
    ) -> list[Candle]:
        found: list[Candle] = []

        async def ask() -> Page:
            found.extend(await super(CachedStore, self).candles(venue, symbol, timeframe, start, end, limit))
            return Page(rows=tuple(map(rows.row_of, found)))

        # Whoever asks for candles of a venue that is followed has those that may change in memory, and says an end.
        if end is None or end > self._clock.now() - _SETTLED_AFTER:
            return await super().candles(venue, symbol, timeframe, start, end, limit)
        question = f"{timeframe.value}:{start and start.isoformat()}:{end.isoformat()}:{limit}"
        group = group_of(venue, symbol)
        page = await self._cache.answer("candles", group, question, lifetime(timeframe), Page, ask)
        return found or [rows.candle_of(row) for row in page.rows]
