"""Answers about market data.

Invariant: the newest candle is always there. QuestDB shows a row a moment after it is written, so what memory has is
laid over what the store has; the store is asked only for what memory no longer holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.rpc.ingest import (
    Candle,
    Candles,
    CandlesAsked,
    Feeds,
    Instruments,
    QuoteBefore,
    QuoteBeforeAsked,
    QuoteRow,
    Quotes,
)

from algotrendy_ingest.domain.history import joined
from algotrendy_ingest.domain.market import Market
from algotrendy_ingest.handlers.announcer import Announcer
from algotrendy_ingest.handlers.past import Past
from algotrendy_ingest.ports import History

_MOST = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of one venue."""

    markets: Mapping[str, Market]
    past: Past
    announcer: Announcer


class Questions:
    def __init__(self, venues: Mapping[str, Asked], store: History) -> None:
        self._venues = venues
        self._store = store

    async def candles(self, asked: CandlesAsked) -> Candles:
        venue = self._venues.get(asked.venue)
        market = venue.markets.get(asked.symbol) if venue is not None else None
        if not 1 <= asked.limit <= _MOST:
            raise Refused("bad_limit", f"between 1 and {_MOST} candles can be asked for, not {asked.limit}")
        if asked.start is not None and asked.end is not None and asked.start >= asked.end:
            raise Refused("bad_range", "the range ends before it starts")
        if market is not None:
            found = await self._kept(market, asked, asked.limit + 1)
        else:
            found = await self._stored(asked, asked.limit + 1)
        if asked.start is None:
            return Candles(candles=tuple(found[-asked.limit :]), more=False)
        return Candles(candles=tuple(found[: asked.limit]), more=len(found) > asked.limit)

    async def instruments(self, asked: Nothing) -> Instruments:
        """Of the venues that have told theirs; one that is away keeps nobody from trading on another."""
        told = [venue.past.instruments for venue in self._venues.values() if venue.past.instruments is not None]
        if not told:
            raise Retryable(f"no instruments yet of {', '.join(self._venues)}")
        return Instruments(instruments=tuple(row for rows in told for row in rows))

    async def quotes(self, asked: Nothing) -> Quotes:
        return Quotes(
            quotes=tuple(
                QuoteRow(quote=market.quote, last=market.last)
                for venue in self._venues.values()
                for market in venue.markets.values()
                if market.quote is not None
            )
        )

    async def quote_before(self, asked: QuoteBeforeAsked) -> QuoteBefore:
        found = await self._store.quote_before(asked.venue, asked.symbol, asked.since, asked.received_before)
        return QuoteBefore(quote=found)

    async def feeds(self, asked: Nothing) -> Feeds:
        return Feeds(feeds=tuple(venue.announcer.health_event() for venue in self._venues.values()))

    async def _stored(self, asked: CandlesAsked, limit: int) -> list[Candle]:
        """Of an instrument that is not followed, and was once or was fetched."""
        found = await self._store.candles(asked.venue, asked.symbol, asked.timeframe, asked.start, asked.end, limit)
        if not found and not await self._store.has_candles(asked.venue, asked.symbol):
            raise Refused("unknown_instrument", f"{asked.symbol} at {asked.venue} is not followed, nor recorded")
        return found

    async def _kept(self, market: Market, asked: CandlesAsked, limit: int) -> list[Candle]:
        """At least ``limit`` candles, where there are so many."""
        tail = market.series.closed(asked.timeframe)
        growing = market.series.growing(asked.timeframe)
        begins = tail[0].open_time if tail else None
        if asked.start is None:
            covered = sum(asked.end is None or bar.open_time < asked.end for bar in tail) >= limit
        else:
            covered = begins is not None and begins <= asked.start
        stored: list[Candle] = []
        if not covered:
            end = min((time for time in (asked.end, begins) if time is not None), default=None)
            stored = await self._store.candles(asked.venue, asked.symbol, asked.timeframe, asked.start, end, limit)
        return [
            candle
            for candle in joined(stored, tail, growing)
            if (asked.start is None or candle.open_time >= asked.start)
            and (asked.end is None or candle.open_time < asked.end)
        ]
