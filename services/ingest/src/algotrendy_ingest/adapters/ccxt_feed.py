"""What a venue's public data over ccxt.pro is, whoever the venue: sockets held, silence ended, messages tapped.

Invariant: a message that was read is delivered once, in order, with its numbers as the venue wrote them. ccxt would
turn them into floats, and its ``watch_*`` calls drop what arrives between two awaits; hence the tap in front of it.
"""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from algotrendy_common.clock import Clock, from_ms, monotonic_s, wall_ns
from algotrendy_common.enums import Timeframe
from algotrendy_common.lean_ccxt import load_ccxt
from algotrendy_common.money import from_float
from algotrendy_common.rpc.ingest import InstrumentInfo
from algotrendy_common.telemetry import log
from algotrendy_core.bars import Bar
from tenacity import AsyncRetrying, retry_if_exception_type, stop_never, wait_exponential_jitter

from algotrendy_ingest.domain.ticks import BookTick, Message, Stamp, Stream, StreamLost, TradeTick
from algotrendy_ingest.errors import VenueAway
from algotrendy_ingest.metrics import MALFORMED

ccxt = load_ccxt("binance")  # its errors are every venue's

_LEVELS = 10
_LOOK_S = 0.25
_FIRST_RETRY_S = 0.1
_LONGEST_RETRY_S = 10.0
MALFORMATIONS = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError)

type Tap = Callable[[Any], bool]
"""Takes a decoded message; True where nobody else needs it."""


class Tapped:
    """Goes before one of ccxt's exchanges among the bases, so that every message passes ``tap`` first."""

    tap: Tap
    id: str
    clients: dict[str, Any]

    def handle_message(self, client: Any, message: Any) -> None:
        try:
            if not self.tap(message):
                super().handle_message(client, message)  # type: ignore[misc]  # ccxt's
        except MALFORMATIONS as error:
            # Raised any further it would end ccxt's reading of the socket without a word.
            MALFORMED.labels(self.id).inc()
            log(self.id).warning("malformed message", message=repr(message)[:500], error=repr(error))

    def on_close(self, client: Any, error: Any) -> None:
        # ccxt calls this twice for one socket, the second time perhaps when its successor is already there.
        url = client.url
        if self.clients.get(url) is client:
            del self.clients[url]


@dataclass(slots=True)
class Subscription:
    stream: Stream
    watch: Callable[[], Any]
    mute_after: timedelta
    begins: str
    """How ccxt's names of its subscriptions begin."""
    heard_s: float
    """When it was last heard, or began (monotonic)."""
    worked: bool = False
    """Heard since it was last taken up."""


class CcxtFeed(ABC):
    """A ``Feed``; what a venue's messages are called and hold is its adapter's affair."""

    def __init__(
        self,
        venue: str,
        exchange: Any,
        http_url: str,
        ws_url: str,
        names: dict[str, str],
        clock: Clock,
        *,
        book_interval: timedelta,
        mute_after: timedelta,
        mute_trades_after: timedelta,
    ) -> None:
        """``names`` are ccxt's names of our symbols."""
        self._venue = venue
        self._clock = clock
        self._book_interval = book_interval
        self._unified = names
        self._venue_time: datetime | None = None
        self._deliver: Callable[[Message], None] | None = None
        self._instruments: dict[str, InstrumentInfo] = {}
        self._exchange = exchange
        self._exchange.urls["api"] = repointed(self._exchange.urls["api"], http_url, ws_url)
        self._exchange.tap = self._tap
        patience = {Stream.TRADES: mute_trades_after, Stream.QUOTES: mute_after, Stream.BOOKS: mute_after}
        now = monotonic_s()
        self._subscriptions = {
            stream: Subscription(stream, watch, patience[stream], begins, now)
            for stream, (watch, begins) in self._watches(list(names.values())).items()
        }

    @abstractmethod
    def _watches(self, names: list[str]) -> dict[Stream, tuple[Callable[[], Any], str]]:
        """ccxt's call for each kind of subscription, and how ccxt's names of these begin."""

    @abstractmethod
    def _read(self, message: Any, received: Stamp, deliver: Callable[[Message], None]) -> bool:
        """Deliver what the message says; True where ccxt need not see it. Raises one of ``MALFORMATIONS``."""

    @abstractmethod
    def _instrument_of(self, symbol: str, market: dict[str, Any]) -> InstrumentInfo: ...

    @abstractmethod
    async def bars(
        self, symbol: str, timeframe: Timeframe, start: datetime | None = None, end: datetime | None = None
    ) -> list[Bar]: ...

    @abstractmethod
    async def recent_trades(self, symbol: str) -> list[TradeTick]: ...

    @property
    def venue(self) -> str:
        return self._venue

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

    async def _hold(self, subscription: Subscription) -> None:
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

    async def _listen(self, subscription: Subscription) -> None:
        """Until the line is lost; raises ``VenueAway`` where it never worked."""
        subscription.heard_s, subscription.worked = monotonic_s(), False
        try:
            await self._watch(subscription)
        except (VenueAway, ccxt.BaseError, OSError, TimeoutError) as error:
            if self._deliver is not None:
                self._deliver(StreamLost(subscription.stream, repr(error)[:300]))
            if not subscription.worked:
                raise VenueAway(f"{subscription.stream} cannot be had: {error!r}") from error

    async def _watch(self, subscription: Subscription) -> None:
        """Trades and quotes go past ccxt through the tap, so their call ends only by an error; books come each time."""
        while True:
            watching = asyncio.ensure_future(subscription.watch())
            try:
                while not (await asyncio.wait({watching}, timeout=_LOOK_S))[0]:
                    silence_s = monotonic_s() - subscription.heard_s
                    if silence_s > subscription.mute_after.total_seconds():
                        await self._hang_up(subscription)
                        raise VenueAway(f"connected but silent for {silence_s:.1f} s")
                watching.result()
            except asyncio.CancelledError as error:
                if watching.cancelled():
                    raise VenueAway("the socket was closed") from error
                raise
            finally:
                watching.cancel()

    async def _hang_up(self, subscription: Subscription) -> None:
        for url, client in tuple(self._exchange.clients.items()):
            if any(str(subscribed).startswith(subscription.begins) for subscribed in client.subscriptions):
                client.error = ccxt.NetworkError("hung up")
                del self._exchange.clients[url]
                closing = asyncio.ensure_future(client.close())
                await asyncio.wait({closing}, timeout=1.0)

    # -- what is read ----------------------------------------------------------------------------------------

    def _tap(self, message: Any) -> bool:
        deliver = self._deliver
        if deliver is None or not isinstance(message, dict):
            return False
        return self._read(message, self._now(), deliver)

    def _now(self) -> Stamp:
        return Stamp(self._clock.now(), monotonic_s(), wall_ns())

    def _heard(self, stream: Stream, received: Stamp, venue_time: datetime | None = None) -> None:
        subscription = self._subscriptions[stream]
        subscription.heard_s, subscription.worked = received.monotonic_s, True
        self._is_now(venue_time)

    def _is_now(self, venue_time: datetime | None) -> None:
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
        size = instrument.contract_size

        def levels(side: Iterable[Any]) -> tuple[tuple[Decimal, Decimal], ...]:
            return tuple(
                (from_float(price, instrument.price_step), from_float(sizes, instrument.quantity_step / size) * size)
                for price, sizes, *_ in list(side)[:_LEVELS]
            )

        received = self._now()
        event_time = from_ms(book["timestamp"]) if book.get("timestamp") else self._venue_time or received.time
        return BookTick(symbol, book["nonce"], levels(book["bids"]), levels(book["asks"]), event_time, received)

    # -- asked over REST -------------------------------------------------------------------------------------

    async def instruments(self) -> tuple[InstrumentInfo, ...]:
        markets = await self._asked(self._exchange.load_markets())
        missing = [symbol for symbol, unified in self._unified.items() if unified not in markets]
        if missing:
            raise VenueAway(f"{self._venue} has no {', '.join(missing)}")
        self._instruments = {
            symbol: self._instrument_of(symbol, markets[name]) for symbol, name in self._unified.items()
        }
        return tuple(self._instruments.values())

    async def _asked(self, answer: Any) -> Any:
        try:
            return await answer
        except (ccxt.BaseError, OSError, TimeoutError) as error:
            raise VenueAway(f"{self._venue} does not answer: {error!r}"[:300]) from error


def repointed(urls: Any, http_url: str, ws_url: str) -> Any:
    """ccxt's table of addresses with every host replaced."""
    if isinstance(urls, dict):
        return {name: repointed(value, http_url, ws_url) for name, value in urls.items()}
    if urls.startswith("http"):
        return re.sub(r"^https?://[^/]*", http_url, urls)
    return re.sub(r"^wss?://[^/]*", ws_url, urls)
