"""Trades whose price is not believed: kept apart, told to people, and given back.

Invariant: a trade that was set aside is in QuestDB with the reason; while QuestDB is away it waits here. What is given
back goes the way of every other trade, and is marked, so it goes once.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from algotrendy_common.clock import Clock, monotonic_s, wall_ns
from algotrendy_common.enums import Severity
from algotrendy_common.errors import Refused
from algotrendy_common.rpc.ingest import QuarantineAsked, Quarantined, RestoreAsked, TradeSetAside
from algotrendy_common.telemetry import log

from algotrendy_ingest.domain.ticks import Stamp, TradeTick
from algotrendy_ingest.errors import StoreAway
from algotrendy_ingest.metrics import SET_ASIDE
from algotrendy_ingest.ports import Alarm
from algotrendy_ingest.store.quarantine import QuarantineStore, SetAside

_LOOK_S = 0.5
_AT_MOST = 10_000
_ALERT_EVERY_S = 60.0


class Quarantine:
    def __init__(self, store: QuarantineStore, alarm: Alarm, clock: Clock) -> None:
        self._store = store
        self._alarm = alarm
        self._clock = clock
        self._waiting: deque[SetAside] = deque(maxlen=_AT_MOST)
        self._alerted_s: dict[tuple[str, str], float] = {}
        self._unalerted: dict[tuple[str, str], list[SetAside]] = {}
        self._log = log("quarantine")

    # -- from the feed: never waits ----------------------------------------------------------------------------

    def set_aside(self, venue: str, tick: TradeTick, reason: str) -> None:
        trade = _of_tick(venue, tick, reason)
        SET_ASIDE.labels(venue).inc()
        self._log.warning("trade set aside", venue=venue, symbol=tick.symbol, trade=tick.trade_id, reason=reason)
        self._waiting.append(trade)
        self._unalerted.setdefault((venue, tick.symbol), []).append(trade)

    def given_back(self, venue: str, tick: TradeTick) -> None:
        """Others said the same: it was a move of the market."""
        self._waiting.append(replace(_of_tick(venue, tick, "others confirmed it"), restored=True))

    async def work_forever(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            await self.write()
            await self.tell()

    async def write(self) -> None:
        """What waits goes to the store, in the order in which it came."""
        trades = list(self._waiting)
        if not trades:
            return
        try:
            await self._store.write(trades)
        except StoreAway as error:
            self._log.warning("quarantine not written", trades=len(trades), error=str(error))
            return
        for _ in trades:
            self._waiting.popleft()

    async def tell(self) -> None:
        """One alert a market and minute, however many trades there are."""
        now = monotonic_s()
        for place, trades in list(self._unalerted.items()):
            if now - self._alerted_s.get(place, -_ALERT_EVERY_S) < _ALERT_EVERY_S:
                continue
            self._alerted_s[place] = now
            del self._unalerted[place]
            venue, symbol = place
            await self._alarm.alert(
                Severity.WARNING,
                "price_set_aside",
                f"{venue} printed {symbol} at {trades[-1].price}, which is not believed: {trades[-1].reason}",
                venue=venue, symbol=symbol, trades=len(trades), trade_id=trades[-1].trade_id,
            )  # fmt: skip

    # -- from people -------------------------------------------------------------------------------------------

    async def asked(self, asked: QuarantineAsked) -> Quarantined:
        trades = await self._store.newest(asked.venue, asked.symbol, asked.limit)
        return Quarantined(trades=tuple(map(_told, trades)))


class Restoring:
    """Gives trades back on a person's word. ``deliver``: by venue, what takes a trade in."""

    def __init__(
        self, store: QuarantineStore, deliver: Mapping[str, Callable[[TradeTick], None]], clock: Clock
    ) -> None:
        self._store = store
        self._deliver = deliver
        self._clock = clock
        self._one_by_one = asyncio.Lock()

    async def restore(self, asked: RestoreAsked) -> TradeSetAside:
        """Raises Refused where it is not set aside, was given back already, or its market is not followed."""
        async with self._one_by_one:
            trade = await self._store.one(asked.venue, asked.symbol, asked.trade_id)
            if trade is None:
                raise Refused("not_set_aside", f"trade {asked.trade_id} of {asked.symbol} is not set aside")
            if trade.restored:
                raise Refused("restored_already", f"trade {asked.trade_id} of {asked.symbol} was given back already")
            deliver = self._deliver.get(asked.venue)
            if deliver is None:
                raise Refused("unknown_venue", f"{asked.venue} is not among the feeds")
            restored = replace(trade, restored=True)
            # Marked first, for a trade given back twice would be counted twice in its candle.
            await self._store.write([restored])
            deliver(self._tick(trade))
            return _told(restored)

    def _tick(self, trade: SetAside) -> TradeTick:
        return TradeTick(
            trade.symbol, trade.trade_id, None, trade.price, trade.quantity, trade.side, trade.time,
            Stamp(self._clock.now(), monotonic_s(), wall_ns()),
        )  # fmt: skip


def _of_tick(venue: str, tick: TradeTick, reason: str) -> SetAside:
    return SetAside(venue, tick.symbol, tick.trade_id, tick.event_time, tick.side, tick.price, tick.quantity, reason)


def _told(trade: SetAside) -> TradeSetAside:
    return TradeSetAside(
        venue=trade.venue, symbol=trade.symbol, trade_id=trade.trade_id, time=trade.time, side=trade.side,
        price=trade.price, quantity=trade.quantity, reason=trade.reason, restored=trade.restored,
    )  # fmt: skip
