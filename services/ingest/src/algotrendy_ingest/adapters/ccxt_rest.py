"""What a venue's public REST over ccxt's implicit endpoints is, whoever the venue.

Invariant: ccxt signs nothing here and converts nothing: rows are read as the venue wrote them, for ccxt's own numbers
are floats. Every method raises ``VenueAway`` where the venue does not answer or has not what it was asked for.
"""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, ClassVar

import aiohttp
from algotrendy_common.clock import Clock, monotonic_s, wall_ns
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_common.lean_ccxt import load_ccxt
from algotrendy_common.rpc.ingest import InstrumentInfo
from algotrendy_core.bars import Bar

from algotrendy_ingest.domain.ticks import Stamp, TradeTick
from algotrendy_ingest.errors import VenueAway

ccxt = load_ccxt("binance")  # its errors are every venue's

_TIMEOUT = aiohttp.ClientTimeout(total=10.0)


class CcxtRest(ABC):
    """A ``Rest``; paths and rows are its venue's affair."""

    venue: ClassVar[str]
    hosts: ClassVar[dict[str, str]] = {}
    """``https://…`` by beginning of a path, for what is not at the venue's main address."""

    def __init__(self, http_url: str, symbols: tuple[str, ...], clock: Clock, *, elsewhere: bool = False) -> None:
        """``elsewhere``: the address was set by hand, and everything of the venue is there."""
        self._http_url = http_url
        self._clock = clock
        self._elsewhere = elsewhere
        self._exchange = self.new_exchange(symbols)
        if elsewhere:
            self._exchange.urls["api"] = repointed(self._exchange.urls["api"], http_url)
        self._symbols = dict.fromkeys(symbols)
        self._known: dict[str, InstrumentInfo] = {}
        self._venue_time: datetime | None = None
        self._session: aiohttp.ClientSession | None = None
        self._loading = asyncio.Lock()

    @abstractmethod
    def new_exchange(self, symbols: tuple[str, ...]) -> Any:
        """ccxt's (``ccxt.async_support``), told to list no more than these need."""

    @abstractmethod
    def ccxt_name(self, symbol: str) -> str:
        """``BTC/USDT`` or ``BTC/USDT:USDT``."""

    @abstractmethod
    def instrument_of(self, symbol: str, market: dict[str, Any]) -> InstrumentInfo:
        """From ccxt's market, whose ``info`` is the listing as the venue wrote it."""

    @abstractmethod
    async def bars(
        self, symbol: str, timeframe: Timeframe, start: datetime | None = None, end: datetime | None = None
    ) -> list[Bar]: ...

    @abstractmethod
    async def recent_trades(self, symbol: str) -> list[TradeTick]: ...

    # -- what all have alike ---------------------------------------------------------------------------------

    @property
    def known(self) -> dict[str, InstrumentInfo]:
        """The instruments that have been asked for, by symbol."""
        return self._known

    async def instruments(self) -> tuple[InstrumentInfo, ...]:
        async with self._loading:
            markets = await self.asked(self._exchange.load_markets())
        names = {symbol: self.ccxt_name(symbol) for symbol in self._symbols}
        missing = [symbol for symbol, name in names.items() if name not in markets]
        if missing:
            raise VenueAway(f"{self.venue} has no {', '.join(missing)}")
        self._known = {symbol: self.instrument_of(symbol, markets[name]) for symbol, name in names.items()}
        return tuple(self._known.values())

    async def add(self, symbol: str) -> InstrumentInfo:
        """One more symbol; raises Refused ``unknown_instrument`` where the venue does not list it."""
        name = self.ccxt_name(symbol)
        async with self._loading:
            markets = await self.asked(self._exchange.load_markets())
            if name not in markets:  # listed since, or of a kind that was not asked for at the start
                anew = self.new_exchange((*self._symbols, symbol))
                self._exchange.options["fetchMarkets"] = anew.options.get("fetchMarkets")
                await self.asked(anew.close())
                markets = await self.asked(self._exchange.load_markets(True))
        if name not in markets:
            raise Refused("unknown_instrument", f"{self.venue} does not list {symbol}")
        found = self.instrument_of(symbol, markets[name])
        self._symbols[symbol] = None
        self._known[symbol] = found
        return found

    def remove(self, symbol: str) -> None:
        self._symbols.pop(symbol, None)
        self._known.pop(symbol, None)

    def is_now(self, venue_time: datetime) -> None:
        """What the sockets or an answer say the venue's time is; ``bars`` may need it."""
        if self._venue_time is None or venue_time > self._venue_time:
            self._venue_time = venue_time

    async def get(self, path: str) -> bytes:
        """A body as it came: what a ``Line`` wants of REST."""
        host = self._http_url
        if not self._elsewhere:
            host = next((there for begin, there in self.hosts.items() if path.startswith(begin)), host)
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT)

        async def fetched(session: aiohttp.ClientSession) -> bytes:
            async with session.get(host + path, raise_for_status=True) as answer:
                return await answer.read()

        return await self.asked(fetched(self._session))

    async def asked[T](self, answer: Awaitable[T]) -> T:
        """Await ccxt; its errors and the network's are ``VenueAway``."""
        try:
            return await answer
        except (ccxt.BaseError, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise VenueAway(f"{self.venue} does not answer: {error!r}"[:300]) from error

    def now(self) -> Stamp:
        return stamp_of(self._clock)()

    async def close(self) -> None:
        await self._exchange.close()
        if self._session is not None:
            await self._session.close()


def stamp_of(clock: Clock) -> Callable[[], Stamp]:
    """Says when something was read."""
    return lambda: Stamp(clock.now(), monotonic_s(), wall_ns())


def repointed(urls: Any, http_url: str) -> Any:
    """ccxt's table of addresses with every HTTP host replaced."""
    if isinstance(urls, dict):
        return {name: repointed(value, http_url) for name, value in urls.items()}
    return re.sub(r"^https?://[^/]*", http_url, urls) if isinstance(urls, str) else urls
