"""From a venue's message to events on the bus, at once and in order.

Invariant: one task alone works on tapes and candles, taking messages and what was fetched to mend them from one
queue; so closed candles leave in order, and no waiting for a venue or a store stands between a message and its event.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from algotrendy_common.telemetry import log
from algotrendy_common.tracing import span
from algotrendy_core.bars import Bar
from opentelemetry.trace import SpanKind
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, stop_never, wait_exponential_jitter

from algotrendy_ingest.domain.health import FeedHealth
from algotrendy_ingest.domain.ladder import MINUTE
from algotrendy_ingest.domain.market import Market
from algotrendy_ingest.domain.series import Hole
from algotrendy_ingest.domain.tape import Gap, Place
from algotrendy_ingest.domain.ticks import (
    BarTick,
    BookLost,
    BookTick,
    FundingTick,
    MarkTick,
    Message,
    QuoteTick,
    Stream,
    StreamLost,
    TradeTick,
)
from algotrendy_ingest.errors import VenueAway
from algotrendy_ingest.handlers.announcer import Announcer
from algotrendy_ingest.handlers.quarantine import Quarantine
from algotrendy_ingest.metrics import (
    CANDLES_FETCHED,
    GAPS,
    LOST,
    MALFORMED,
    MISSED_TRADES,
    REPEATED,
)
from algotrendy_ingest.ports import Feed

_MEND_AGAIN_S = 0.1


@dataclass(frozen=True, slots=True)
class MinutesFetched:
    """The venue's own candles for a hole."""

    symbol: str
    minutes: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class TradesRecovered:
    symbol: str
    gap: Gap | None
    """None: the venue does not number its trades, and these are the ones that were not heard."""
    trades: tuple[TradeTick, ...]


@dataclass(frozen=True, slots=True)
class MinuteOver:
    """The venue's clock is past a minute and no trade of it has come for a while."""

    symbol: str
    time: datetime


@dataclass(frozen=True, slots=True)
class TradeRestored:
    """One that was set aside, given back on a person's word."""

    tick: TradeTick


type Work = Message | MinutesFetched | TradesRecovered | MinuteOver | TradeRestored


class LiveHandlers:
    """One venue's live data."""

    def __init__(
        self,
        announcer: Announcer,
        feed: Feed,
        markets: dict[str, Market],
        health: FeedHealth,
        quarantine: Quarantine,
    ) -> None:
        self._announcer = announcer
        self._feed = feed
        self._venue = feed.venue
        self._markets = markets
        self._health = health
        self._quarantine = quarantine
        self._queue: asyncio.Queue[Work] = asyncio.Queue()
        self._mending: set[str] = set()
        self._recovering: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = log("live")

    # -- the queue --------------------------------------------------------------------------------------------

    def deliver(self, message: Work) -> None:
        """Take a message from the feed; never waits."""
        self._queue.put_nowait(message)

    def restore(self, tick: TradeTick) -> None:
        """Take in a trade that had been set aside; never waits."""
        self.deliver(TradeRestored(tick))

    async def work_forever(self) -> None:
        while True:
            await self.handle(await self._queue.get())

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- one message -----------------------------------------------------------------------------------------

    async def handle(self, message: Work) -> None:
        try:
            match message:
                case TradeTick():
                    await self.on_trade(message)
                case QuoteTick():
                    await self.on_quote(message)
                case BookTick():
                    await self.on_book(message)
                case MarkTick():
                    self._health.heard(Stream.MARKS, message.symbol, message.received.time)
                    await self._announcer.mark(message)
                case FundingTick():
                    self._health.heard(Stream.MARKS, message.symbol, message.received.time)
                    await self._announcer.funding(message)
                case BarTick(symbol, _, received):
                    self._health.heard(Stream.CANDLES, symbol, received.time)
                case BookLost(symbol, cause, detail):
                    self._log.warning("book lost", venue=self._venue, symbol=symbol, cause=cause, detail=detail)
                    self._health.gaps += 1
                case StreamLost(stream, reason, symbols):
                    self._log.warning("stream lost", venue=self._venue, stream=stream, reason=reason)
                    LOST.labels(self._venue, stream).inc()
                    self._health.lost(stream, symbols)
                    await self._announcer.health()  # the line may be back before the next round
                case MinutesFetched(symbol, minutes):
                    if symbol in self._markets:
                        await self._tell_closed(symbol, self._markets[symbol].series.fill(minutes))
                case TradesRecovered():
                    await self._on_recovered(message)
                case TradeRestored(tick):
                    if (market := self._markets.get(tick.symbol)) is not None:
                        await self._take(market, tick)
                case MinuteOver(symbol, time):
                    if symbol in self._markets:
                        await self._tell_closed(symbol, self._markets[symbol].series.close_until(time))
                case _:
                    assert_never(message)
        except ValueError as error:  # an event refused what the venue said
            MALFORMED.labels(self._venue).inc()
            self._log.warning("message refused", message=repr(message)[:500], error=repr(error)[:500])

    async def on_trade(self, tick: TradeTick) -> None:
        market = self._markets.get(tick.symbol)
        if market is None:
            return  # followed no more
        place = market.tape.place(tick.sequence, tick.count, tick.trade_id)
        self._health.heard(Stream.TRADES, tick.symbol, tick.received.time)
        self._health.lagged(tick.received.monotonic_s, (tick.received.time - tick.event_time).total_seconds())
        if place is Place.REPEATED:
            REPEATED.labels(self._venue).inc()
            return
        if isinstance(place, Gap):
            self._on_gap(market, place, tick)
        elif (since := self._health.doubted_since(tick.symbol)) is not None and not self._recovering[tick.symbol]:
            if tick.sequence is None:
                self._on_doubt(market, since, tick)
            else:
                self._health.settle(tick.symbol)  # it follows the last one that was heard
        self._health.traded(tick.symbol, tick.event_time)
        judged = market.screen.judge(tick)
        if judged.set_aside is not None:
            self._quarantine.set_aside(self._venue, tick, judged.reason or "")
        for restored in judged.restored:
            self._quarantine.given_back(self._venue, restored)
        for passed in judged.passed:
            await self._take(market, passed)

    async def _take(self, market: Market, tick: TradeTick) -> None:
        """A trade that is believed: into its candles, onto the bus."""
        closed = market.series.add_trade(tick.event_time, tick.price, tick.quantity)
        market.last = tick.price
        if closed:
            # Only a trade that closes a candle has anything come of it, so only such a one starts a trace. The candle
            # goes first: it ended before this trade, and a strategy waits for it.
            with span(
                "ingest trade", kind=SpanKind.CONSUMER, start_ns=tick.received.wall_ns,
                venue=self._venue, symbol=tick.symbol, trade_id=tick.trade_id,
            ):  # fmt: skip
                await self._announcer.closed(tick.symbol, closed, tick.received)
                await self._announcer.trade(tick)
        else:
            await self._announcer.trade(tick)
        if market.series.hole is not None:
            self._mend(market)

    async def on_quote(self, tick: QuoteTick) -> None:
        self._health.heard(Stream.QUOTES, tick.symbol, tick.received.time)
        if (time := self._feed.venue_time) is not None:  # a quote may have none of its own
            self._health.reached(time)
        if (market := self._markets.get(tick.symbol)) is not None:
            market.quote = await self._announcer.quote(tick)

    async def on_book(self, tick: BookTick) -> None:
        self._health.heard(Stream.BOOKS, tick.symbol, tick.received.time)
        await self._announcer.book(tick)

    # -- what was missed -------------------------------------------------------------------------------------

    def _on_gap(self, market: Market, gap: Gap, tick: TradeTick) -> None:
        self._health.doubt(market.symbol)
        market.series.mark_gap(tick.event_time)
        if market.last is not None:  # else it is what the venue traded while this service was not running
            self._health.gaps += 1
            GAPS.labels(self._venue).inc()
        self._log.warning("trades missed", symbol=market.symbol, first=gap.first, last=gap.last)
        self._recovering[market.symbol] += 1
        self._spawn(self._recover(market.symbol, gap))

    def _on_doubt(self, market: Market, since: datetime, tick: TradeTick) -> None:
        """The line was lost and the trades have no numbers: whether any is missing only the venue can say."""
        market.series.mark_gap(tick.event_time)
        self._recovering[market.symbol] += 1
        self._spawn(self._recover_unnumbered(market.symbol, since))

    async def _recover(self, symbol: str, gap: Gap) -> None:
        trades = await self._recent_trades(symbol)
        missed = (trade for trade in trades if trade.sequence is not None and gap.first <= trade.sequence <= gap.last)
        self.deliver(TradesRecovered(symbol, gap, tuple(missed)))

    async def _recover_unnumbered(self, symbol: str, since: datetime) -> None:
        trades = await self._recent_trades(symbol)
        self.deliver(TradesRecovered(symbol, None, tuple(trade for trade in trades if trade.event_time >= since)))

    async def _recent_trades(self, symbol: str) -> list[TradeTick]:
        trades: list[TradeTick] = []
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(VenueAway),
            wait=wait_exponential_jitter(multiplier=0.1, max=5.0, jitter=0.1),
            stop=stop_after_attempt(8),
            retry_error_callback=lambda state: None,
        ):
            with attempt:
                trades = await self._feed.recent_trades(symbol)
        return trades

    async def _on_recovered(self, recovered: TradesRecovered) -> None:
        """They go on the tape, late; the candles they belong to are mended by the venue's own."""
        trades = recovered.trades
        market = self._markets.get(recovered.symbol)
        if market is not None and recovered.gap is None:  # those that have been heard are among them
            trades = tuple(trade for trade in trades if market.tape.place(None, 1, trade.trade_id) is Place.NEXT)
        for trade in trades:
            await self._announcer.trade(trade)
        self._recovering[recovered.symbol] -= 1
        if not self._recovering[recovered.symbol]:
            self._health.settle(recovered.symbol)
        found, lost = len(trades), 0 if recovered.gap is None else len(recovered.gap) - len(trades)
        self._health.missing_trades += lost
        MISSED_TRADES.labels(self._venue, "recovered").inc(found)
        MISSED_TRADES.labels(self._venue, "lost").inc(lost)
        self._log.info("missed trades", symbol=recovered.symbol, recovered=found, lost=lost)

    def _mend(self, market: Market) -> None:
        if market.symbol not in self._mending:
            self._mending.add(market.symbol)
            self._spawn(self._fetch_minutes(market))

    async def _fetch_minutes(self, market: Market) -> None:
        """Until the hole is closed. The venue may need a moment to have the last candle, and the hole may grow."""
        try:
            while (hole := market.series.hole) is not None and self._markets.get(market.symbol) is market:
                minutes = await self._minutes_of(market.symbol, hole)
                CANDLES_FETCHED.labels(self._venue, "hole").inc(len(minutes))
                self.deliver(MinutesFetched(market.symbol, minutes))
                await asyncio.sleep(_MEND_AGAIN_S)
        finally:
            self._mending.discard(market.symbol)

    async def _minutes_of(self, symbol: str, hole: Hole) -> tuple[Bar, ...]:
        minutes: list[Bar] = []
        start = hole.start
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(VenueAway),
            wait=wait_exponential_jitter(multiplier=0.05, max=5.0, jitter=0.05),
            stop=stop_never,
        ):
            with attempt:
                while start < hole.end and (page := await self._feed.bars(symbol, MINUTE, start, hole.end)):
                    minutes += page
                    start = page[-1].close_time
        return tuple(minutes)

    async def _tell_closed(self, symbol: str, closed: list[Bar]) -> None:
        if closed:
            with span("ingest candles", kind=SpanKind.CONSUMER, venue=self._venue, symbol=symbol):
                await self._announcer.closed(symbol, closed)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
