"""What was before the service began: instruments, recorded trades and candles, back-filled where they are missing.

Invariant: the venue is asked again only for what the store lacks, beyond the one page of each timeframe that the
candles in memory begin with; a store that is away delays the filling, never the feed.
"""

import asyncio
from datetime import timedelta

from algotrendy_common.enums import Severity, Timeframe
from algotrendy_common.rpc.ingest import InstrumentInfo
from algotrendy_common.telemetry import log
from algotrendy_core.bars import Bar
from tenacity import AsyncRetrying, retry_if_exception_type, stop_never, wait_exponential_jitter

from algotrendy_ingest.domain.history import Span, missing
from algotrendy_ingest.domain.market import Market
from algotrendy_ingest.domain.series import TIMEFRAMES
from algotrendy_ingest.domain.tape import NUMBERED_ONE_BY_ONE, Tape, forgotten
from algotrendy_ingest.domain.ticks import TradeTick
from algotrendy_ingest.errors import StoreAway, VenueAway
from algotrendy_ingest.metrics import CANDLES_FETCHED
from algotrendy_ingest.ports import Alarm, Feed, History

_FIRST_RETRY_S = 0.2
_LONGEST_RETRY_S = 5.0


class Past:
    def __init__(
        self, feed: Feed, store: History, markets: dict[str, Market], alarm: Alarm, *, history_candles: int
    ) -> None:
        self.instruments: tuple[InstrumentInfo, ...] | None = None
        """None until the venue has told."""
        self.filled = asyncio.Event()
        """Set when the store has all that was missing at the start."""
        self._feed = feed
        self._store = store
        self._markets = markets
        self._alarm = alarm
        self._history_candles = history_candles
        self._begin: dict[tuple[str, Timeframe], list[Bar]] = {}
        self._log = log("past")

    async def prepare(self) -> None:
        """Before the first message: know the instruments, where the tapes stood and what the last candles were."""
        async for attempt in _patiently(VenueAway):
            with attempt:
                self.instruments = await self._feed.instruments()
                at_start = dict(self._markets)
                for symbol in at_start:
                    await self._read_begin(symbol)
        for market in at_start.values():
            self._seed(market)
        await self._find_tapes(at_start)

    async def take_up(self, market: Market, instrument: InstrumentInfo) -> None:
        """The same for one more; raises ``VenueAway``."""
        await self._read_begin(market.symbol)
        self._seed(market)
        await self._find_tapes({market.symbol: market})
        self.instruments = (*(self.instruments or ()), instrument)

    def leave(self, symbol: str) -> None:
        if self.instruments is not None:
            self.instruments = tuple(one for one in self.instruments if one.symbol != symbol)
        for timeframe in TIMEFRAMES:
            self._begin.pop((symbol, timeframe), None)

    async def _read_begin(self, symbol: str) -> None:
        for timeframe in TIMEFRAMES:
            page = await self._feed.bars(symbol, timeframe)
            self._begin[symbol, timeframe] = page[:-1]  # the last is still open

    def _seed(self, market: Market) -> None:
        market.series.seed({timeframe: self._begin[market.symbol, timeframe] for timeframe in TIMEFRAMES})

    async def fill_store(self) -> None:
        """Write the candles that the store lacks; goes on until it is done."""
        for symbol in tuple(self._markets):
            await self.fill_store_with(symbol)
        self.filled.set()

    async def fill_store_with(self, symbol: str) -> None:
        for timeframe in TIMEFRAMES:
            async for attempt in _patiently(VenueAway, StoreAway):
                with attempt:
                    await self._fill(symbol, timeframe)
            self._begin.pop((symbol, timeframe), None)

    async def _find_tapes(self, markets: dict[str, Market]) -> None:
        """Numbering goes on from the last trade recorded, unless the venue has begun a new tape since."""
        try:
            recorded = await self._store.newest_trade_ids(self._feed.venue)
        except StoreAway as error:
            self._log.warning("recorded tapes unknown", error=str(error))
            return
        for symbol, trade_id in recorded.items():
            market = markets.get(symbol)
            if market is None or not trade_id.isdigit():
                continue
            newest: int | None = None
            async for attempt in _patiently(VenueAway):
                with attempt:
                    trades = await self._feed.recent_trades(symbol)
                    newest = trades[-1].sequence if trades else None
            if newest is not None and newest < int(trade_id):
                await self._alarm.alert(
                    Severity.WARNING,
                    "tape_went_back",
                    f"{self._feed.venue} numbers trades of {symbol} anew",
                    recorded=trade_id,
                    newest=newest,
                )
            else:
                market.tape = Tape(int(trade_id))
                await self._complete(symbol, trades)

    async def _complete(self, symbol: str, trades: list[TradeTick]) -> None:
        """Write what the record lacks before its newest trade: killed between two batches, or together with the bus,
        the service had the later one stored and not the earlier."""
        if self._feed.venue not in NUMBERED_ONE_BY_ONE:
            return
        try:
            recorded = await self._store.newest_trade_numbers(self._feed.venue, symbol, len(trades))
            lacking = forgotten(recorded, (trade.sequence for trade in trades if trade.sequence is not None))
            await self._store.write_ticks(self._feed.venue, [trade for trade in trades if trade.sequence in lacking])
        except StoreAway as error:
            self._log.warning("recorded tape not completed", symbol=symbol, error=str(error))
            return
        if lacking:
            self._log.info("recorded tape completed", symbol=symbol, trades=len(lacking))

    async def _fill(self, symbol: str, timeframe: Timeframe) -> None:
        begin = self._begin.get((symbol, timeframe))
        if not begin:
            return
        end = begin[-1].close_time
        window = Span(end - self._history_candles * timedelta(seconds=timeframe.seconds), end)
        venue = self._feed.venue
        have = await self._store.open_times(venue, symbol, timeframe, window.start, window.end)
        at_hand = [bar for bar in begin if bar.open_time >= window.start]
        await self._write(symbol, [bar for bar in at_hand if bar.open_time not in have])
        have |= {bar.open_time for bar in at_hand}
        for span in missing(have, window, timeframe):
            await self._fetch(symbol, timeframe, span)

    async def _fetch(self, symbol: str, timeframe: Timeframe, span: Span) -> None:
        start = span.start
        while start < span.end:
            page = await self._feed.bars(symbol, timeframe, start, span.end)
            if not page:
                return  # the venue has none either: before its listing, or a halt
            CANDLES_FETCHED.labels(self._feed.venue, "history").inc(len(page))
            await self._write(symbol, page)
            start = page[-1].close_time

    async def _write(self, symbol: str, bars: list[Bar]) -> None:
        if bars:
            await self._store.write_bars(self._feed.venue, symbol, bars)
            self._log.info("history filled", symbol=symbol, timeframe=bars[0].timeframe, candles=len(bars))


def _patiently(*errors: type[Exception]) -> AsyncRetrying:
    return AsyncRetrying(
        retry=retry_if_exception_type(errors),
        wait=wait_exponential_jitter(multiplier=_FIRST_RETRY_S, max=_LONGEST_RETRY_S, jitter=_FIRST_RETRY_S),
        stop=stop_never,
    )
