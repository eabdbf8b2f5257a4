"""The ingest service over the bus: history, instruments, first quotes."""

from datetime import datetime

from algotrendy_common.bus import Bus
from algotrendy_common.enums import Timeframe
from algotrendy_common.events.market import QuoteChanged
from algotrendy_common.rpc import ingest
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.rpc.ingest import Candle, CandlesAsked
from algotrendy_core.instruments import Instrument

_PAGE = 1000
"""The most that one answer holds."""


class Ingest:
    """``ports.MarketHistory``, and what is known of the market now, by remote calls."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def newest(self, venue: str, symbol: str, timeframe: Timeframe, count: int) -> list[Candle]:
        found: list[Candle] = []
        end: datetime | None = None
        while len(found) < count:
            limit = min(count - len(found) + 1, _PAGE)  # one more: the newest may still be growing
            asked = CandlesAsked(venue=venue, symbol=symbol, timeframe=timeframe, end=end, limit=limit)
            page = (await self._bus.ask(ingest.CANDLES, asked)).candles
            found = [candle for candle in page if candle.closed] + found
            if len(page) < limit:
                break
            end = page[0].open_time
        return found[-count:]

    async def between(
        self, venue: str, symbol: str, timeframe: Timeframe, start: datetime, end: datetime | None
    ) -> list[Candle]:
        found: list[Candle] = []
        while True:
            asked = CandlesAsked(venue=venue, symbol=symbol, timeframe=timeframe, start=start, end=end, limit=_PAGE)
            answer = await self._bus.ask(ingest.CANDLES, asked)
            fresh = [candle for candle in answer.candles if not found or candle.open_time > found[-1].open_time]
            found += fresh
            if not answer.more or not fresh:
                return [candle for candle in found if candle.closed]
            start = fresh[-1].open_time

    async def instruments(self) -> list[Instrument]:
        rows = (await self._bus.ask(ingest.INSTRUMENTS, Nothing())).instruments
        return [Instrument.model_validate(row.model_dump()) for row in rows]

    async def quotes(self) -> list[QuoteChanged]:
        return [row.quote for row in (await self._bus.ask(ingest.QUOTES, Nothing())).quotes]
