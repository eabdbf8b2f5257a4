"""What befalls the world beside the faults of single calls: servers away, streams cut, a person at the venue, a halt.

Invariant: each happens at the moment that the plan says, and ends by itself.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from algotrendy_common import ids
from algotrendy_common.enums import HaltLevel, Side
from algotrendy_common.events.risk import HaltChanged

from tests.faults.order_sim.account import ACCOUNT
from tests.faults.order_sim.virtual_exchange import ExchangeRefusal
from tests.faults.order_sim.virtual_market import SYMBOLS, by_hand

if TYPE_CHECKING:
    from tests.faults.order_sim.world import World


class Mishaps:
    def __init__(self, world: "World", chance: random.Random) -> None:
        self._world = world
        self._chance = chance

    async def befall(self, at_s: float, what: str, for_s: float) -> None:
        await asyncio.sleep(at_s)
        self._world.say(f"mishap {what} {for_s:.3f}")
        mishap: Callable[[float], Any] = getattr(self, f"_{what}")
        done = mishap(for_s)
        if done is not None:
            await done

    def _postgres_away(self, for_s: float) -> None:
        self._world.postgres.away_until_s = self._world.loop.now_s + for_s

    def _venue_down(self, for_s: float) -> None:
        self._world.network.down_until_s = self._world.loop.now_s + for_s
        self._world.stream.cut()

    def _stream_cut(self, for_s: float) -> None:
        self._world.stream.cut()

    def _stream_silent(self, for_s: float) -> None:
        self._world.stream.silent_until_s = self._world.loop.now_s + for_s

    def _venue_cancels(self, for_s: float) -> None:
        self._world.exchange.cancel_by_itself()

    def _partial_fills(self, for_s: float) -> None:
        self._world.exchange.fill_partially()

    def _feed_silent(self, for_s: float) -> None:
        self._world.feed.silent_until_s = self._world.loop.now_s + for_s

    def _outside_order(self, for_s: float) -> None:
        symbol, side = self._chance.choice(SYMBOLS), self._chance.choice(list(Side))
        price = self._world.exchange.price(symbol) * Decimal(self._chance.choice(("0.95", "1", "1.05")))
        order_id = ids.derived_id("by hand", self._world.seed, len(self._world.exchange.held))
        terms = by_hand(order_id, symbol, side, Decimal("0.05"), price.quantize(Decimal("0.01")))
        with contextlib.suppress(ExchangeRefusal):  # whoever sells what is not there is told so, and nothing happens
            self._world.exchange.submit(f"web-{order_id[:8]}", terms)

    async def _halt(self, for_s: float) -> None:
        """Risk's own halt, or the kill switch."""
        switch = self._chance.random() < 0.5
        for engaged in (True, False):
            if switch:
                self._world.switch = self._world.risk_events.make(
                    HaltChanged,
                    level=HaltLevel.ACCOUNT,
                    key=ACCOUNT,
                    revision=1 if engaged else 2,
                    engaged=engaged,
                    by="ada",
                    reason="drill",
                    flatten=False,
                    since=self._world.clock.now(),
                )
            else:
                self._world.halted = engaged
            life = self._world.life
            if life is not None and life.reading:
                life.process.spawn(life.app.hear(self._world.switch) if switch else self._world.risk_said(life))
            await asyncio.sleep(for_s)

    def _bus_repeats(self, for_s: float) -> None:
        self._world.bus.repeat()
