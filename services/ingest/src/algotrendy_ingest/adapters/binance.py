"""Binance spot's public data: sockets kept and books built by ccxt.pro, trades and quotes read from the raw message.

Invariant: a message that was read is delivered once, in order, with its numbers as Binance wrote them. ccxt would
turn them into floats, and its ``watch_*`` calls drop what arrives between two awaits; hence the tap in front of it.
"""

import asyncio
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from algotrendy_common.clock import Clock, from_ms, monotonic_s, to_ms, wall_ns
from algotrendy_common.enums import Timeframe
from algotrendy_common.lean_ccxt import load_ccxt
from algotrendy_common.money import from_float
from algotrendy_common.rpc.ingest import InstrumentInfo
from algotrendy_common.telemetry import log
from algotrendy_core.bars import Bar
from tenacity import AsyncRetrying, retry_if_exception_type, stop_never, wait_exponential_jitter

from algotrendy_ingest.adapters.binance_wire import (
    VENUE,
    bar_of,
    historic_trade_of,
    instrument_of,
    quote_of,
    trade_of,
)
from algotrendy_ingest.domain.ticks import BookTick, Message, Stamp, Stream, StreamLost, TradeTick
from algotrendy_ingest.errors import VenueAway
from algotrendy_ingest.metrics import MALFORMED

ccxt = load_ccxt("binance")

_LEVELS = 10
_PAGE = 1000
_LOOK_S = 0.25
_FIRST_RETRY_S = 0.1
_LONGEST_RETRY_S = 10.0
_HASHES = {Stream.TRADES: "trade::", Stream.QUOTES: "bidask:", Stream.BOOKS: "orderbook::"}

type Tap = Callable[[Any], bool]
"""Takes a decoded message; True where nobody else needs it."""


class _Exchange(ccxt.pro.binance):  # type: ignore[misc, name-defined]  # ccxt has no types
    """ccxt's Binance with a tap on its sockets."""

    tap: Tap

    def handle_message(self, client: Any, message: Any) -> None:
        try:
            if not self.tap(message):
                super().handle_message(client, message)
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
            # Raised any further it would end ccxt's reading of the socket without a word.
            MALFORMED.labels(VENUE).inc()
            log("binance").warning("malformed message", message=repr(message)[:500], error=repr(error))

    def on_close(self, client: Any, error: Any) -> None:
        # ccxt calls this twice for one socket, the second time perhaps when its successor is already there.
        if self.clients.get(client.url) is client:
            del self.clients[client.url]


@dataclass(slots=True)
class _Subscription:
    stream: Stream
    watch: Callable[[], Any]
    mute_after: timedelta
    heard_s: float
    """When it was last heard, or began (monotonic)."""
    worked: bool = False
    """Heard since it was last taken up."""


class BinanceFeed:
    """A ``Feed``."""

    def __init__(
        self,
        http_url: str,
        ws_url: str,
        symbols: tuple[str, ...],
        clock: Clock,
        *,
        book_interval: timedelta,
        mute_after: timedelta,
        mute_trades_after: timedelta,
    ) -> None:
        self._clock = clock
        self._book_interval = book_interval
        self._unified = {symbol: symbol.replace("-", "/") for symbol in symbols}
        self._symbols = {symbol.replace("-", ""): symbol for symbol in symbols}
        self._venue_time: datetime | None = None
        self._deliver: Callable[[Message], None] | None = None
        self._instruments: dict[str, InstrumentInfo] = {}
        self._exchange = _Exchange(
            {"options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}}, "newUpdates": True}
        )
        self._exchange.urls["api"] = repointed(self._exchange.urls["api"], http_url, ws_url)
        self._exchange.tap = self._tap
        now = monotonic_s()
        names = list(self._unified.values())
        self._subscriptions = {
            Stream.TRADES: _Subscription(
                Stream.TRADES, lambda: self._exchange.watch_trades_for_symbols(names), mute_trades_after, now
            ),
            Stream.QUOTES: _Subscription(Stream.QUOTES, lambda: self._exchange.watch_bids_asks(names), mute_after, now),
            Stream.BOOKS: _Subscription(
                Stream.BOOKS, lambda: self._exchange.watch_order_book_for_symbols(names), mute_after, now
            ),
        }

    @property
    def venue(self) -> str:
        return VENUE

    @property
    def venue_time(self) -> datetime | None:
        return self._venue_time

    # -- live ------------------------------------------------------------------------------------------------

    async def run(self, deliver: Callable[[Message], None]) -> None:
        self._deliver = deliver
        try:
            async with asyncio.TaskGroup() as group:
                for subscription in self._subscriptions.values():
                    group.create_task(self._hold(subscription))
                group.create_task(self._look_at_books())
        finally:
            self._deliver = None

    async def close(self) -> None:
        await self._exchange.close()

    async def _hold(self, subscription: _Subscription) -> None:
        """Listen, and begin anew when that ends: at once after a line that worked, else ever later."""
        while True:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type(VenueAway),
                wait=wait_exponential_jitter(multiplier=_FIRST_RETRY_S, max=_LONGEST_RETRY_S, jitter=_FIRST_RETRY_S),
                stop=stop_never,
            ):
                with attempt:
                    await self._listen(subscription)
            await asyncio.sleep(_FIRST_RETRY_S)

    async def _listen(self, subscription: _Subscription) -> None:
        """Until the line is lost; raises ``VenueAway`` where it never worked."""
        subscription.heard_s, subscription.worked = monotonic_s(), False
        try:
            await self._watch(subscription)
        except (VenueAway, ccxt.BaseError, OSError, TimeoutError) as error:
            if self._deliver is not None:
                self._deliver(StreamLost(subscription.stream, repr(error)[:300]))
            if not subscription.worked:
                raise VenueAway(f"{subscription.stream} cannot be had: {error!r}") from error

    async def _watch(self, subscription: _Subscription) -> None:
        """Trades and quotes go past ccxt through the tap, so their call ends only by an error; books come each time."""
        while True:
            watching = asyncio.ensure_future(subscription.watch())
            try:
                while not (await asyncio.wait({watching}, timeout=_LOOK_S))[0]:
                    silence_s = monotonic_s() - subscription.heard_s
                    if silence_s > subscription.mute_after.total_seconds():
                        await self._hang_up(subscription.stream)
                        raise VenueAway(f"connected but silent for {silence_s:.1f} s")
                watching.result()
            except asyncio.CancelledError as error:
                if watching.cancelled():
                    raise VenueAway("the socket was closed") from error
                raise
            finally:
                watching.cancel()

    async def _hang_up(self, stream: Stream) -> None:
        for url, client in tuple(self._exchange.clients.items()):
            if any(str(subscribed).startswith(_HASHES[stream]) for subscribed in client.subscriptions):
                client.error = ccxt.NetworkError("hung up")
                del self._exchange.clients[url]
                closing = asyncio.ensure_future(client.close())
                await asyncio.wait({closing}, timeout=1.0)

    # -- what is read ----------------------------------------------------------------------------------------

    def _tap(self, message: Any) -> bool:
        received = Stamp(self._clock.now(), monotonic_s(), wall_ns())
        deliver = self._deliver
        if deliver is None or not isinstance(message, dict):
            return False
        kind = message.get("e")
        if kind == "trade":
            trade = trade_of(message, self._symbols[message["s"]], received)
            self._heard(Stream.TRADES, received, trade.event_time)
            deliver(trade)
            return True
        if kind is None and "u" in message and "A" in message:
            event_time = self._venue_time or received.time
            quote = quote_of(message, self._symbols[message["s"]], event_time, received)
            self._heard(Stream.QUOTES, received)
            deliver(quote)
            return True
        if kind == "depthUpdate":
            self._heard(Stream.BOOKS, received, from_ms(int(message["E"])))
        return False

    def _heard(self, stream: Stream, received: Stamp, venue_time: datetime | None = None) -> None:
        subscription = self._subscriptions[stream]
        subscription.heard_s, subscription.worked = received.monotonic_s, True
        if venue_time is not None and (self._venue_time is None or venue_time > self._venue_time):
            self._venue_time = venue_time

    async def _look_at_books(self) -> None:
        seen: dict[str, int] = {}
        while True:
            await asyncio.sleep(self._book_interval.total_seconds())
            for symbol, unified in self._unified.items():
                book = self._exchange.orderbooks.get(unified)
                if not book or not book.get("nonce") or book["nonce"] == seen.get(symbol):
                    continue
                seen[symbol] = book["nonce"]
                if self._deliver is not None and symbol in self._instruments:
                    self._deliver(self._book_of(symbol, book))

    def _book_of(self, symbol: str, book: Any) -> BookTick:
        instrument = self._instruments[symbol]

        def levels(side: Iterable[Any]) -> tuple[tuple[Decimal, Decimal], ...]:
            return tuple(
                (from_float(price, instrument.price_step), from_float(quantity, instrument.quantity_step))
                for price, quantity, *_ in list(side)[:_LEVELS]
            )

        received = Stamp(self._clock.now(), monotonic_s(), wall_ns())
        event_time = from_ms(book["timestamp"]) if book.get("timestamp") else self._venue_time or received.time
        return BookTick(symbol, book["nonce"], levels(book["bids"]), levels(book["asks"]), event_time, received)

    # -- asked over REST -------------------------------------------------------------------------------------

    async def instruments(self) -> tuple[InstrumentInfo, ...]:
        markets = await self._asked(self._exchange.load_markets())
        missing = [symbol for symbol, unified in self._unified.items() if unified not in markets]
        if missing:
            raise VenueAway(f"binance has no {', '.join(missing)}")
        self._instruments = {symbol: instrument_of(symbol, markets[name]) for symbol, name in self._unified.items()}
        return tuple(self._instruments.values())

    async def bars(
        self, symbol: str, timeframe: Timeframe, start: datetime | None = None, end: datetime | None = None
    ) -> list[Bar]:
        query: dict[str, Any] = {"symbol": symbol.replace("-", ""), "interval": timeframe.value, "limit": _PAGE}
        if start is not None:
            query["startTime"] = to_ms(start)
        if end is not None:
            query["endTime"] = to_ms(end) - 1
        rows = await self._asked(self._exchange.publicGetKlines(query))
        return [bar_of(row, timeframe) for row in rows]

    async def recent_trades(self, symbol: str) -> list[TradeTick]:
        query = {"symbol": symbol.replace("-", ""), "limit": _PAGE}
        rows = await self._asked(self._exchange.publicGetTrades(query))
        received = Stamp(self._clock.now(), monotonic_s(), wall_ns())
        trades = [historic_trade_of(row, symbol, received) for row in rows]
        if trades and (self._venue_time is None or trades[-1].event_time > self._venue_time):
            self._venue_time = trades[-1].event_time
        return trades

    async def _asked(self, answer: Any) -> Any:
        try:
            return await answer
        except (ccxt.BaseError, OSError, TimeoutError) as error:
            raise VenueAway(f"binance does not answer: {error!r}"[:300]) from error


def repointed(urls: Any, http_url: str, ws_url: str) -> Any:
    """ccxt's table of addresses with every host replaced."""
    if isinstance(urls, dict):
        return {name: repointed(value, http_url, ws_url) for name, value in urls.items()}
    if urls.startswith("http"):
        return re.sub(r"^https?://[^/]*", http_url, urls)
    return re.sub(r"^wss?://[^/]*", ws_url, urls)
