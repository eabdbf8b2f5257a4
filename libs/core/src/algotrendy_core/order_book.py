"""Resting orders in price-time order.

Invariant: within a side the best price comes first and, at one price, the earliest order; what a level shows is
the sum of what its orders have left, and no level is empty. ``sequence`` grows with every change.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from algotrendy_common.enums import Side
from algotrendy_common.money import ZERO

type Level = tuple[Decimal, Decimal]
"""Price, and the quantity resting there."""


@dataclass(slots=True)
class RestingOrder:
    order_id: str
    account: str
    side: Side
    price: Decimal
    remaining: Decimal


class _BookSide:
    """One side; the prices are kept ascending, so the best bid is the last and the best ask the first."""

    def __init__(self, side: Side) -> None:
        self._best = -1 if side is Side.BUY else 0
        self._prices: list[Decimal] = []
        self._queues: dict[Decimal, dict[str, RestingOrder]] = {}
        self.totals: dict[Decimal, Decimal] = {}

    def best(self) -> Decimal | None:
        return self._prices[self._best] if self._prices else None

    def prices(self) -> Iterator[Decimal]:
        return reversed(self._prices) if self._best else iter(self._prices)

    def queue(self, price: Decimal) -> dict[str, RestingOrder]:
        return self._queues[price]

    def add(self, order: RestingOrder) -> None:
        queue = self._queues.get(order.price)
        if queue is None:
            queue = self._queues[order.price] = {}
            self.totals[order.price] = ZERO
            insort(self._prices, order.price)
        queue[order.order_id] = order
        self.totals[order.price] += order.remaining

    def reduce(self, order: RestingOrder, by: Decimal) -> None:
        order.remaining -= by
        self.totals[order.price] -= by
        if not order.remaining:
            queue = self._queues[order.price]
            del queue[order.order_id]
            if not queue:
                del self._queues[order.price], self.totals[order.price]
                del self._prices[bisect_left(self._prices, order.price)]


class OrderBook:
    def __init__(self, sequence: int = 0) -> None:
        self._sides = {Side.BUY: _BookSide(Side.BUY), Side.SELL: _BookSide(Side.SELL)}
        self._orders: dict[str, RestingOrder] = {}
        self.sequence = sequence

    def __len__(self) -> int:
        return len(self._orders)

    def __contains__(self, order_id: str) -> bool:
        return order_id in self._orders

    def get(self, order_id: str) -> RestingOrder | None:
        return self._orders.get(order_id)

    def best(self, side: Side) -> Decimal | None:
        """The best price of a side, None where it is empty."""
        return self._sides[side].best()

    def quantity_at(self, side: Side, price: Decimal) -> Decimal:
        return self._sides[side].totals.get(price, ZERO)

    def totals(self, side: Side) -> dict[Decimal, Decimal]:
        """Quantity by price, a copy."""
        return dict(self._sides[side].totals)

    def levels(self, side: Side, depth: int | None = None) -> list[Level]:
        """The levels of a side, best first, at most ``depth`` of them."""
        book_side = self._sides[side]
        levels: list[Level] = []
        for price in book_side.prices():
            if depth is not None and len(levels) == depth:
                break
            levels.append((price, book_side.totals[price]))
        return levels

    def orders(self, side: Side) -> Iterator[RestingOrder]:
        """A side's orders in the order in which they would be matched; do not change the book meanwhile."""
        book_side = self._sides[side]
        for price in book_side.prices():
            yield from book_side.queue(price).values()

    def add(self, order: RestingOrder) -> None:
        """Put an order at the end of the queue of its price; raises ValueError on a known id or an empty order."""
        if order.order_id in self._orders:
            raise ValueError(f"order {order.order_id} rests already")
        if order.remaining <= ZERO:
            raise ValueError(f"order {order.order_id} has nothing to rest")
        self._orders[order.order_id] = order
        self._sides[order.side].add(order)
        self.sequence += 1

    def reduce(self, order_id: str, by: Decimal) -> RestingOrder:
        """Take ``by`` off an order, which keeps its place; at nothing left it leaves the book.

        Raises KeyError on an unknown id, ValueError where ``by`` is not above zero or exceeds what is left.
        """
        order = self._orders[order_id]
        if not ZERO < by <= order.remaining:
            raise ValueError(f"cannot take {by} off {order.remaining} of order {order_id}")
        self._sides[order.side].reduce(order, by)
        if not order.remaining:
            del self._orders[order_id]
        self.sequence += 1
        return order

    def remove(self, order_id: str) -> RestingOrder | None:
        """Take an order off the book, with what it had left; None where it does not rest."""
        order = self._orders.get(order_id)
        if order is None:
            return None
        remaining = order.remaining
        self.reduce(order_id, remaining)
        order.remaining = remaining
        return order

    def first(self, side: Side) -> RestingOrder | None:
        """The order of a side that is matched next."""
        book_side = self._sides[side]
        price = book_side.best()
        return None if price is None else next(iter(book_side.queue(price).values()))
