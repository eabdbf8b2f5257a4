"""Instruments, quotes and candles."""

from typing import Annotated

from algotrendy_common.clock import Instant
from algotrendy_common.enums import Timeframe
from algotrendy_common.ids import Symbol, Venue
from algotrendy_common.rpc import ingest
from algotrendy_common.rpc.call import Nothing
from fastapi import APIRouter, Query

from algotrendy_gateway.api.parameters import Limit
from algotrendy_gateway.domain.board import Board
from algotrendy_gateway.domain.market import Candle, Instrument, Quote
from algotrendy_gateway.ports import Asking


def market_routes(board: Board, peers: Asking) -> APIRouter:
    routes = APIRouter(tags=["market"])

    @routes.get("/instruments")
    async def instruments() -> list[Instrument]:
        if not board.instruments:
            answer = await peers.ask(ingest.INSTRUMENTS, Nothing())
            board.instruments = {(info.venue, info.symbol): Instrument.of(info) for info in answer.instruments}
        return list(board.instruments.values())

    @routes.get("/quotes")
    async def quotes() -> list[Quote]:
        """The newest of each symbol."""
        if not board.quotes:
            for row in (await peers.ask(ingest.QUOTES, Nothing())).quotes:
                board.take_quote(row.quote, row.last)
        return [quote for _, quote in sorted(board.quotes.items())]

    @routes.get("/candles")
    async def candles(
        venue: Venue,
        symbol: Symbol,
        timeframe: Timeframe = Timeframe.M1,
        limit: Limit = 500,
        end: Annotated[Instant | None, Query(description="Only candles that open before this")] = None,
    ) -> list[Candle]:
        """Oldest first."""
        asked = ingest.CandlesAsked(venue=venue, symbol=symbol, timeframe=timeframe, end=end, limit=limit)
        return [Candle.of(candle) for candle in (await peers.ask(ingest.CANDLES, asked)).candles]

    return routes
