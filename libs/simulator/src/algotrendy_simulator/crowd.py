"""Everybody else in the market: the crowd quotes around the recorded price and trades what was recorded.

A recorded trade at ``price`` says that nobody bid above it or asked below it any more. So it first meets the users'
orders that it passes, then whatever rests at the price, oldest first, and the crowd's own quotes are there to take
the rest. Invariant: the prints of one recorded trade add to its quantity, and the crowd never crosses a user.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache
from zlib import crc32

from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.money import ZERO
from algotrendy_core.matching import Matched, NewOrder
from algotrendy_core.order_book import RestingOrder

from algotrendy_simulator.events import TapeTrade
from algotrendy_simulator.market import Market
from algotrendy_simulator.ticks import Tick

CROWD = "crowd"


@dataclass(frozen=True, slots=True)
class BookShape:
    """How the crowd quotes: a best price beside the last trade, and round prices behind it."""

    levels: int
    """Of each side."""
    level_step: Decimal
    """Distance between the round prices."""
    level_quantity: Decimal
    """About the quantity of a level; levels have between 0.3 and 2 times as much."""
    widest_spread: int
    """In price steps; the spread is between one step and this."""


class Crowd:
    def __init__(self, market: Market, shape: BookShape, seed: int, next_order_id: Iterator[int]) -> None:
        self._market = market
        self._shape = shape
        self._seed = f"{seed}:{market.wire_symbol}"
        self._next_order_id = next_order_id
        self._weight = lru_cache(maxsize=4096)(self._drawn_weight)

    def quote(self, price: Decimal, passive: Side, needed: Decimal = ZERO) -> None:
        """Have the book stand around ``price``, which is the best of the ``passive`` side and holds ``needed``."""
        targets = self._targets(price, passive)
        self._withdraw(targets)
        self._offer(targets, passive, price, needed)

    def play(self, tick: Tick, time_ms: int) -> list[TapeTrade]:
        """Trade a recorded trade; the prints it made."""
        passive = tick.side.opposite
        targets = self._targets(tick.price, passive)
        self._withdraw(targets)
        remaining, printed = self._take(passive, tick.price, tick.quantity, time_ms)
        self._offer(targets, passive, tick.price, remaining)
        if remaining:
            left, more = self._take(tick.side, tick.price, remaining, time_ms)
            assert not left, "the crowd offered less than was recorded"
            printed += more
        return printed

    def _take(self, side: Side, price: Decimal, quantity: Decimal, time_ms: int) -> tuple[Decimal, list[TapeTrade]]:
        order = NewOrder(str(next(self._next_order_id)), CROWD, side, OrderType.LIMIT, quantity, price, TimeInForce.IOC)
        outcome, printed = self._market.submit(order, time_ms)
        assert isinstance(outcome, Matched)
        return outcome.remaining, printed

    def _targets(self, price: Decimal, passive: Side) -> dict[Side, dict[Decimal, Decimal]]:
        """What each side should show, quantity by price."""
        step = self._market.instrument.price_step
        spread = step * (1 + int(self._weight(price, "spread") * self._shape.widest_spread))
        bid = price if passive is Side.BUY else price - spread
        ask = price if passive is Side.SELL else price + spread
        grid = self._shape.level_step
        down = (bid / grid).to_integral_value(ROUND_CEILING) - 1
        up = (ask / grid).to_integral_value(ROUND_FLOOR) + 1
        bids = [bid, *((down - place) * grid for place in range(self._shape.levels - 1))]
        asks = [ask, *((up + place) * grid for place in range(self._shape.levels - 1))]
        return {
            Side.BUY: {level: self._quantity(level, Side.BUY) for level in bids if level > ZERO},
            Side.SELL: {level: self._quantity(level, Side.SELL) for level in asks},
        }

    def _withdraw(self, targets: dict[Side, dict[Decimal, Decimal]]) -> None:
        engine = self._market.engine
        for side, wanted in targets.items():
            stale = [
                order.order_id
                for order in engine.book.orders(side)
                if order.account == CROWD and order.price not in wanted
            ]
            for order_id in stale:
                engine.cancel(order_id)

    def _offer(
        self, targets: dict[Side, dict[Decimal, Decimal]], passive: Side, price: Decimal, needed: Decimal
    ) -> None:
        """Top the crowd's levels up to their targets where no user's order is in the way."""
        book = self._market.engine.book
        for side, wanted in targets.items():
            shown: dict[Decimal, Decimal] = {}
            for order in book.orders(side):
                if order.account == CROWD:
                    shown[order.price] = shown.get(order.price, ZERO) + order.remaining
            barrier = book.best(side.opposite)
            for level, quantity in wanted.items():
                if barrier is not None and (level >= barrier if side is Side.BUY else level <= barrier):
                    continue
                target = quantity + needed if side is passive and level == price else quantity
                missing = target - shown.get(level, ZERO)
                if missing > ZERO:
                    book.add(RestingOrder(str(next(self._next_order_id)), CROWD, side, level, missing))

    def _quantity(self, level: Decimal, side: Side) -> Decimal:
        weight = Decimal(str(0.3 + 1.7 * self._weight(level, side.value)))
        instrument = self._market.instrument
        return max(instrument.round_quantity(self._shape.level_quantity * weight), instrument.quantity_step)

    def _drawn_weight(self, price: Decimal, what: str) -> float:
        """A number in [0, 1) that belongs to this price, so that a level keeps its size while the market moves."""
        return crc32(f"{self._seed}:{what}:{price.normalize()}".encode()) / 2**32
