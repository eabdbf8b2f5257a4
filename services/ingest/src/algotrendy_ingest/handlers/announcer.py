"""What is heard of a venue, as events on the bus.

Invariant: a trade or closed candle is in the recorder's ledger before it is on the bus; a bus that is away stops
nothing here.
"""

import nats.errors
from algotrendy_common.clock import Clock, monotonic_s
from algotrendy_common.errors import Retryable
from algotrendy_common.events.event import Event, EventFactory
from algotrendy_common.events.market import (
    BarUpdated,
    BookLevel,
    BookSnapshotTaken,
    FeedHealthChanged,
    FundingRateChanged,
    MarkPriceChanged,
    QuoteChanged,
    TradePrinted,
)
from algotrendy_common.telemetry import log
from algotrendy_core.bars import Bar

from algotrendy_ingest.domain.health import FeedHealth
from algotrendy_ingest.domain.ticks import BookTick, FundingTick, MarkTick, QuoteTick, Stamp, TradeTick
from algotrendy_ingest.handlers.recorder import Recorder
from algotrendy_ingest.metrics import MESSAGES, PUBLISH_FAILED, PUBLISH_SECONDS
from algotrendy_ingest.ports import Feed, Publisher


class Announcer:
    """Speaks for one venue."""

    def __init__(
        self,
        publisher: Publisher,
        events: EventFactory,
        clock: Clock,
        feed: Feed,
        health: FeedHealth,
        recorder: Recorder,
        *,
        replay: bool,
    ) -> None:
        self._publisher = publisher
        self._events = events
        self._clock = clock
        self._feed = feed
        self._venue = feed.venue
        self._health = health
        self._recorder = recorder
        self._replay = replay
        self._log = log("announcer")

    async def trade(self, tick: TradeTick) -> None:
        event = self._events.make(
            TradePrinted,
            event_time=tick.event_time,
            received_time=tick.received.time,
            venue=self._venue,
            symbol=tick.symbol,
            trade_id=tick.trade_id,
            price=tick.price,
            quantity=tick.quantity,
            side=tick.side,
        )
        self._recorder.owe(event)
        await self._publish(event)
        self._measure("trade", tick.received)

    async def quote(self, tick: QuoteTick) -> QuoteChanged:
        event = self._events.make(
            QuoteChanged,
            event_time=tick.event_time,
            received_time=tick.received.time,
            venue=self._venue,
            symbol=tick.symbol,
            bid=tick.bid,
            bid_quantity=tick.bid_quantity,
            ask=tick.ask,
            ask_quantity=tick.ask_quantity,
        )
        await self._publish(event)
        self._measure("quote", tick.received)
        return event

    async def book(self, tick: BookTick) -> None:
        await self._publish(
            self._events.make(
                BookSnapshotTaken,
                event_time=tick.event_time,
                received_time=tick.received.time,
                venue=self._venue,
                symbol=tick.symbol,
                sequence=tick.sequence,
                bids=tuple(BookLevel(price=price, quantity=quantity) for price, quantity in tick.bids),
                asks=tuple(BookLevel(price=price, quantity=quantity) for price, quantity in tick.asks),
            )
        )
        MESSAGES.labels(self._venue, "book").inc()

    async def mark(self, tick: MarkTick) -> None:
        await self._publish(
            self._events.make(
                MarkPriceChanged,
                event_time=tick.event_time,
                received_time=tick.received.time,
                venue=self._venue,
                symbol=tick.symbol,
                mark=tick.mark,
                index=tick.index,
            )
        )
        MESSAGES.labels(self._venue, "mark").inc()

    async def funding(self, tick: FundingTick) -> None:
        await self._publish(
            self._events.make(
                FundingRateChanged,
                event_time=tick.event_time,
                received_time=tick.received.time,
                venue=self._venue,
                symbol=tick.symbol,
                rate=tick.rate,
                pays_at=tick.pays_at,
            )
        )
        MESSAGES.labels(self._venue, "funding").inc()

    async def closed(self, symbol: str, bars: list[Bar], received: Stamp | None = None) -> None:
        """Candles that are final; ``received`` is the message that closed them, where one did."""
        for bar in bars:
            event = self._bar(symbol, bar, closed=True)
            self._recorder.owe(event)
            await self._publish(event)
            if received is not None:
                self._measure("bar", received)

    async def growing(self, symbol: str, bar: Bar) -> None:
        await self._publish(self._bar(symbol, bar, closed=False))

    async def health(self) -> None:
        await self._publish(self.health_event())

    def health_event(self) -> FeedHealthChanged:
        """How the feed is at this moment."""
        reading = self._health.reading(self._clock.now(), monotonic_s())
        return self._events.make(
            FeedHealthChanged,
            venue=self._venue,
            state=reading.state,
            latency_ms=reading.latency_ms,
            lag_ms=None if self._replay else reading.lag_ms,
            last_message_at=reading.last_message_at,
            watermark=reading.watermark,
            stale_symbols=reading.stale_symbols,
            gaps=reading.gaps,
            missing_trades=reading.missing_trades,
            reconnects=reading.reconnects,
            replay=self._replay,
        )

    def _bar(self, symbol: str, bar: Bar, *, closed: bool) -> BarUpdated:
        return self._events.make(
            BarUpdated,
            event_time=bar.close_time if closed else self._feed.venue_time or bar.open_time,
            venue=self._venue,
            symbol=symbol,
            timeframe=bar.timeframe,
            open_time=bar.open_time,
            open=bar.open,
            high=bar.high,
            low=bar.low,
            close=bar.close,
            volume=bar.volume,
            trade_count=bar.trade_count,
            closed=closed,
            corrected=bar.corrected,
        )

    async def _publish(self, event: Event) -> None:
        try:
            await self._publisher.publish(event)
        except (nats.errors.Error, Retryable) as error:
            # The feed goes on without the bus: trades and candles are in the ledger, the rest is soon said again.
            PUBLISH_FAILED.labels(self._venue).inc()
            self._log.warning("not published", kind=event.kind, error=repr(error))

    def _measure(self, kind: str, received: Stamp) -> None:
        now = monotonic_s()
        took = now - received.monotonic_s
        MESSAGES.labels(self._venue, kind).inc()
        PUBLISH_SECONDS.labels(self._venue, kind).observe(took)
        self._health.published(now, took)
