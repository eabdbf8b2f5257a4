"""Symbols that are followed or left while the feed runs.

Invariant: a symbol is prepared before it is listened to, as at the start: its instrument known, its candles begun, its
tape found; and one that is left is gone from everything that is told.
"""

import asyncio
from collections.abc import Callable, Mapping

from algotrendy_common.errors import Refused
from algotrendy_common.rpc.ingest import Following, MarketNamed
from algotrendy_common.telemetry import log

from algotrendy_ingest.domain.health import FeedHealth
from algotrendy_ingest.domain.market import Market
from algotrendy_ingest.handlers.past import Past
from algotrendy_ingest.ports import Feed


class Watch:
    """One venue's."""

    def __init__(
        self,
        feed: Feed,
        markets: dict[str, Market],
        health: FeedHealth,
        past: Past,
        new_market: Callable[[str], Market],
    ) -> None:
        self._feed = feed
        self._markets = markets
        self._health = health
        self._past = past
        self._new_market = new_market
        self._changing = asyncio.Lock()
        self._filling: dict[str, asyncio.Task[None]] = {}

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self._markets)

    async def follow(self, symbol: str) -> None:
        """Raises Refused ``unknown_instrument``, or ``VenueAway``; then nothing has changed."""
        async with self._changing:
            if symbol in self._markets:
                return
            instrument = await self._feed.instrument(symbol)
            market = self._new_market(symbol)
            await self._past.take_up(market, instrument)
            self._markets[symbol] = market
            self._health.add(symbol)
            self._feed.listen(symbol)
            self._filling[symbol] = asyncio.create_task(self._past.fill_store_with(symbol))

    async def unfollow(self, symbol: str) -> None:
        async with self._changing:
            if symbol not in self._markets:
                raise Refused("not_followed", f"{symbol} at {self._feed.venue} is not followed")
            if (filling := self._filling.pop(symbol, None)) is not None:
                filling.cancel()
            self._feed.leave(symbol)
            del self._markets[symbol]
            self._health.remove(symbol)
            self._past.leave(symbol)

    async def stop(self) -> None:
        for task in self._filling.values():
            task.cancel()
        await asyncio.gather(*self._filling.values(), return_exceptions=True)


class Watching:
    def __init__(self, venues: Mapping[str, Watch]) -> None:
        self._venues = venues
        self._log = log("watching")

    async def follow(self, asked: MarketNamed) -> Following:
        watch = self._watch(asked)
        await watch.follow(asked.symbol)
        self._log.info("symbol followed", venue=asked.venue, symbol=asked.symbol)
        return Following(venue=asked.venue, symbols=watch.symbols)

    async def unfollow(self, asked: MarketNamed) -> Following:
        watch = self._watch(asked)
        await watch.unfollow(asked.symbol)
        self._log.info("symbol left", venue=asked.venue, symbol=asked.symbol)
        return Following(venue=asked.venue, symbols=watch.symbols)

    def _watch(self, asked: MarketNamed) -> Watch:
        found = self._venues.get(asked.venue)
        if found is None:
            raise Refused("unknown_venue", f"{asked.venue} is not among the feeds: {', '.join(self._venues)}")
        return found
