"""Candles and instruments as ingest gives them, page by page over the bus."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from algotrendy_common.clock import to_ms
from algotrendy_common.enums import Timeframe
from algotrendy_common.events.event import Record
from algotrendy_common.rpc.call import Call, Nothing
from algotrendy_common.rpc.ingest import CANDLES, INSTRUMENTS, Candles, CandlesAsked
from algotrendy_core.backtest.series import BarSeries, series_of
from algotrendy_core.bars import Candle
from algotrendy_core.instruments import Instrument

from algotrendy_backtest.errors import NothingToRunOn

_PAGE = 1000
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


Fetched = Callable[[int, int], Awaitable[None]]
"""Told how many candles there are so far, and in all: 0 where that is not known."""


class Asking(Protocol):
    async def ask[Req: Record, Res: Record](self, call: Call[Req, Res], request: Req) -> Res: ...


class Range(Protocol):
    """What of a spec names candles."""

    @property
    def venue(self) -> str: ...
    @property
    def symbol(self) -> str: ...
    @property
    def timeframe(self) -> Timeframe: ...
    @property
    def start(self) -> datetime | None: ...
    @property
    def end(self) -> datetime | None: ...


class IngestHistory:
    def __init__(self, bus: Asking) -> None:
        self._bus = bus

    async def instrument(self, spec: Range) -> Instrument:
        known = await self._bus.ask(INSTRUMENTS, Nothing())
        for info in known.instruments:
            if (info.venue, info.symbol) == (spec.venue, spec.symbol):
                return Instrument(**info.model_dump())
        raise NothingToRunOn(f"{spec.symbol} is not traded on {spec.venue}", venue=spec.venue, symbol=spec.symbol)

    async def bars(self, spec: Range, limit: int, progress: Fetched) -> BarSeries:
        found: list[Candle] = []
        step = timedelta(seconds=spec.timeframe.seconds)
        # Without a start the call would give the newest page, so the beginning of time is named.
        start = spec.start or _BEGINNING
        while True:
            page: Candles = await self._bus.ask(
                CANDLES,
                CandlesAsked(
                    venue=spec.venue, symbol=spec.symbol, timeframe=spec.timeframe, start=start, end=spec.end,
                    limit=_PAGE,
                ),
            )  # fmt: skip
            found += [
                Candle(
                    to_ms(candle.open_time), float(candle.open), float(candle.high), float(candle.low),
                    float(candle.close), float(candle.volume),
                )
                for candle in page.candles
                if candle.closed
            ]  # fmt: skip
            if len(found) > limit:
                raise NothingToRunOn("the range holds more candles than a run may have", limit=limit)
            await progress(len(found), 0)
            if not page.more or not page.candles:
                break
            start = page.candles[-1].open_time + step
        if not found:
            raise NothingToRunOn("there are no candles in that range", symbol=spec.symbol, timeframe=spec.timeframe)
        return series_of(spec.timeframe, found)
