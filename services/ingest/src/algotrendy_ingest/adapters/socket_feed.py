"""One venue's feed: which symbols on which sockets, and what comes of them all.

Invariant: as ``LineSocket`` says of each message; a symbol is on one socket of each kind, and symbols come and go
without touching the sockets of the others.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from algotrendy_common.clock import Clock, from_ms
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_common.rpc.ingest import InstrumentInfo
from algotrendy_core.bars import Bar

from algotrendy_ingest.adapters.ccxt_rest import CcxtRest, stamp_of
from algotrendy_ingest.adapters.line_socket import LineSocket
from algotrendy_ingest.adapters.pace import Pace
from algotrendy_ingest.domain.ticks import BookTick, Message, QuoteTick, Stream, TradeTick
from algotrendy_ingest.wire.book import Book, Level
from algotrendy_ingest.wire.protocol import Line, Plan, VenueTime, WireMarket

LEVELS = 10
_CONNECTS_PER_S = 5.0
WANTED = frozenset({Stream.TRADES, Stream.QUOTES, Stream.BOOKS, Stream.MARKS})
"""Candles are made of trades here; the venue's own are taken over REST where they are needed."""


class SocketFeed:
    """A ``Feed``."""

    def __init__(
        self,
        line: type[Line],
        rest: CcxtRest,
        ws_url: str,
        symbols: tuple[str, ...],
        clock: Clock,
        *,
        book_interval: timedelta,
        mute_after: timedelta,
        mute_trades_after: timedelta,
        streams: frozenset[Stream] = WANTED,
        elsewhere: bool = False,
    ) -> None:
        """``elsewhere``: the address was set by hand, and everything of the venue is there."""
        self._line = line
        self._rest = rest
        self._ws_url = ws_url
        self._symbols = dict.fromkeys(symbols)
        self._streams = streams & line.streams
        self._book_interval_s = book_interval.total_seconds()
        self._patience_s = {
            Stream.TRADES: mute_trades_after.total_seconds(),
            Stream.QUOTES: mute_after.total_seconds(),
            Stream.BOOKS: mute_after.total_seconds(),
        }
        self._elsewhere = elsewhere
        self._connects = Pace(_CONNECTS_PER_S)
        self._newest = VenueTime()
        self._sockets: dict[LineSocket, asyncio.Task[None]] = {}
        self._moved: dict[tuple[LineSocket, str], None] = {}
        self._deliver: Callable[[Message], None] | None = None
        self._group: asyncio.TaskGroup | None = None
        self.now = stamp_of(clock)

    @property
    def venue(self) -> str:
        return self._line.venue

    @property
    def venue_time(self) -> datetime | None:
        return self._newest.time

    # -- live ------------------------------------------------------------------------------------------------

    async def run(self, deliver: Callable[[Message], None]) -> None:
        self._deliver = deliver
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._open([self._market(symbol) for symbol in self._symbols])
                group.create_task(self._look_at_books())
        finally:
            self._group = self._deliver = None
            self._sockets.clear()

    def listen(self, symbol: str) -> None:
        """One more, whose instrument is known; from here on if the feed runs, else from its beginning."""
        if symbol not in self._symbols:
            self._symbols[symbol] = None
            if self._group is not None:
                self._open([self._market(symbol)])

    def leave(self, symbol: str) -> None:
        self._symbols.pop(symbol, None)
        self._rest.remove(symbol)
        for socket, task in tuple(self._sockets.items()):
            self._moved.pop((socket, symbol), None)
            if any(names.symbol == symbol for names in socket.plan.markets) and socket.remove(symbol):
                del self._sockets[socket]
                task.cancel()

    def book(self, symbol: str) -> Book | None:
        """As it is kept at this moment; None while there is no connection for it."""
        for socket in self._sockets:
            if Stream.BOOKS in socket.plan.streams and socket.line is not None:
                market = socket.line.find(symbol)
                if market is not None:
                    return market.book
        return None

    async def close(self) -> None:
        await self._rest.close()

    def _open(self, markets: list[WireMarket]) -> None:
        for plan in self._line.plans(markets, self._streams):
            socket = next((one for one in self._sockets if self._fits(one, plan)), None)
            if socket is None:
                socket = self._new_socket(plan)
                assert self._group is not None
                self._sockets[socket] = self._group.create_task(socket.hold())
            else:
                socket.add(plan.markets)

    def _new_socket(self, plan: Plan) -> LineSocket:
        address = plan.host if plan.host is not None and not self._elsewhere else self._ws_url
        return LineSocket(self, self._new_line, plan, address, self._connects, self._patience_s)

    def _new_line(self, plan: Plan) -> Line:
        line = self._line(plan)
        line.newest = self._newest
        return line

    def _fits(self, socket: LineSocket, plan: Plan) -> bool:
        """Whether the venue would have both on one socket."""
        old = socket.plan
        if (old.url, old.host, old.streams) != (plan.url, plan.host, plan.streams):
            return False
        together = (*old.markets, *plan.markets)
        return replace(old, markets=together) in self._line.plans(together, self._streams)

    def _market(self, symbol: str) -> WireMarket:
        names = self._line.market_of(symbol)
        return replace(names, contract_size=self._rest.known[symbol].contract_size)

    # -- what the sockets hand over ------------------------------------------------------------------------------

    def deliver(self, message: Message) -> None:
        match message:
            case TradeTick(event_time=time):
                self._is_now(time)
            case QuoteTick(event_time=time, received=received) if time is not received.time:
                self._is_now(time)
        if self._deliver is not None:
            self._deliver(message)

    def moved(self, socket: LineSocket, symbol: str) -> None:
        self._moved[socket, symbol] = None

    async def rest(self, path: str) -> bytes:
        return await self._rest.get(path)

    async def _look_at_books(self) -> None:
        """The best levels of what has moved since the last look; a busy book is told no more often than that."""
        while True:
            await asyncio.sleep(self._book_interval_s)
            moved, self._moved = self._moved, {}
            for socket, symbol in moved:
                market = socket.line.find(symbol) if socket.line is not None else None
                if market is None or not market.book.ready:
                    continue
                book, size, received = market.book, market.names.contract_size, self.now()
                if book.event_time_ms:
                    time = from_ms(book.event_time_ms)
                    self._is_now(time)
                else:
                    time = self._newest.time or received.time
                bids, asks = _exact(book.bids.best(LEVELS), size), _exact(book.asks.best(LEVELS), size)
                self.deliver(BookTick(symbol, book.sequence, bids, asks, time, received))

    # -- asked over REST -------------------------------------------------------------------------------------

    async def instruments(self) -> tuple[InstrumentInfo, ...]:
        return await self._rest.instruments()

    async def instrument(self, symbol: str) -> InstrumentInfo:
        try:
            self._line.market_of(symbol)
        except ValueError as error:
            raise Refused("unknown_instrument", str(error)) from error
        return await self._rest.add(symbol)

    async def bars(
        self, symbol: str, timeframe: Timeframe, start: datetime | None = None, end: datetime | None = None
    ) -> list[Bar]:
        if self._newest.time is not None:
            self._rest.is_now(self._newest.time)
        bars = await self._rest.bars(symbol, timeframe, start, end)
        if bars:
            self._is_now(bars[-1].open_time)
        return bars

    async def recent_trades(self, symbol: str) -> list[TradeTick]:
        trades = await self._rest.recent_trades(symbol)
        if trades:
            self._is_now(trades[-1].event_time)
        return trades

    def _is_now(self, venue_time: datetime) -> None:
        if self._newest.time is None or venue_time > self._newest.time:
            self._newest.time = venue_time


def _exact(levels: list[Level], size: Decimal) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((Decimal(price), Decimal(quantity) * size) for price, quantity in levels)
