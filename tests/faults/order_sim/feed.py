"""The market's prices on their way to the gateway: what it does not hear is lost, for nobody keeps them.

Invariant: what it hears comes in the order in which it happened.
"""

import asyncio
import random
from decimal import Decimal
from typing import TYPE_CHECKING

from algotrendy_common.errors import Retryable
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.market import QuoteChanged, TradePrinted

from tests.faults.order_sim.virtual_market import NAME, Look

if TYPE_CHECKING:
    from tests.faults.order_sim.world import Life, World

_SWEEP = (*(Decimal("-0.008"),) * 8, *(Decimal("0.012"),) * 12, *(Decimal("-0.004"),) * 3)
"""One way, the other, and back as far as any trailing stop follows: past whatever anybody waits for."""


_STAYS = Decimal(0)


class Feed:
    def __init__(self, world: "World", chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._events = EventFactory("ingest", world.clock)
        self._number = 0
        self.silent_until_s = 0.0
        self.still = False
        """Prices stay where they are; there is somebody to trade with all the same."""

    async def forever(self) -> None:
        while True:
            if self.still:
                await asyncio.sleep(2.5)
                await self._step(_STAYS)
            else:
                await asyncio.sleep(self._chance.uniform(0.8, 2.0))
                await self._step(None)

    async def sweep(self) -> None:
        first = self._chance.choice((1, -1))
        for drift in _SWEEP:
            await asyncio.sleep(0.4)
            await self._step(first * drift)

    async def _step(self, drift: Decimal | None) -> None:
        world = self._world
        world.exchange.crowd.tick(drift)
        if world.loop.now_s < self.silent_until_s:
            return
        looks = tuple(world.exchange.crowd.looks())
        await asyncio.sleep(self._chance.uniform(0.002, 0.03))
        life = world.life
        if life is not None and life.reading:
            life.process.spawn(self._tell(life, looks))

    async def _tell(self, life: "Life", looks: tuple[Look, ...]) -> None:
        amount = Decimal("0.1")
        for look in looks:
            self._number += 1
            life.process.step("price: arrived")
            quote = {"bid": look.bid, "bid_quantity": amount, "ask": look.ask, "ask_quantity": amount}
            told = {"trade_id": str(self._number), "price": look.last, "quantity": amount, "side": look.side}
            try:
                await life.app.hear(self._events.make(TradePrinted, venue=NAME, symbol=look.symbol, **told))
                await life.app.hear(self._events.make(QuoteChanged, venue=NAME, symbol=look.symbol, **quote))
            except Retryable as error:
                self._world.say(f"a price not taken: {error!r}")
