"""What is done by the clock rather than by a message: growing candles, minutes that end in silence, health.

Invariant: nothing here touches a tape or closes a candle; it only asks, tells, and queues work for who does.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from algotrendy_common.clock import Clock, monotonic_s

from algotrendy_ingest.domain.health import FeedHealth, HealthReading
from algotrendy_ingest.domain.ladder import LONGER, MINUTE
from algotrendy_ingest.domain.market import Market
from algotrendy_ingest.domain.ticks import Stream
from algotrendy_ingest.handlers.announcer import Announcer
from algotrendy_ingest.handlers.live import MinuteOver
from algotrendy_ingest.ports import Feed

_LOOK_S = 0.25
_BEAT_S = 2.0
_LONGER_EVERY = 5
"""Growing candles above a minute are published so many times less often."""


class Rounds:
    def __init__(
        self,
        announcer: Announcer,
        clock: Clock,
        feed: Feed,
        markets: dict[str, Market],
        health: FeedHealth,
        deliver: Callable[[MinuteOver], None],
        *,
        quiet_close_after: timedelta,
        growth_interval: timedelta,
    ) -> None:
        self._announcer = announcer
        self._clock = clock
        self._feed = feed
        self._markets = markets
        self._health = health
        self._deliver = deliver
        self._quiet_close_s = quiet_close_after.total_seconds()
        self._growth_s = growth_interval.total_seconds()

    async def grow_forever(self) -> None:
        """Publish candles as they grow, off the path of trades."""
        turn = 0
        while True:
            await asyncio.sleep(self._growth_s)
            turn += 1
            timeframes = (MINUTE, *LONGER) if turn % _LONGER_EVERY == 0 else (MINUTE,)
            for market in tuple(self._markets.values()):
                for timeframe in timeframes:
                    bar = market.series.grown(timeframe)
                    if bar is not None:
                        await self._announcer.growing(market.symbol, bar)

    async def close_quiet_minutes_forever(self) -> None:
        """Close minutes that end without a trade after them."""
        overdue: dict[str, tuple[datetime, float]] = {}
        while True:
            await asyncio.sleep(_LOOK_S)
            now, time = monotonic_s(), self._feed.venue_time
            for market in self._markets.values():
                end = market.series.overdue_from
                if time is None or end is None or time < end or not self._health.is_up(Stream.TRADES):
                    overdue.pop(market.symbol, None)
                    continue
                known, since = overdue.get(market.symbol, (end, now))
                if known != end:
                    since = now
                overdue[market.symbol] = (end, since)
                if now - since >= self._quiet_close_s:
                    self._deliver(MinuteOver(market.symbol, end))

    async def tell_health_forever(self) -> None:
        """On change within a quarter of a second, else every two seconds."""
        told: HealthReading | None = None
        told_s = 0.0
        while True:
            now_s = monotonic_s()
            reading = self._health.reading(self._clock.now(), now_s)
            if reading.differs(told) or now_s - told_s >= _BEAT_S:
                told, told_s = reading, now_s
                await self._announcer.health()
            await asyncio.sleep(_LOOK_S)
