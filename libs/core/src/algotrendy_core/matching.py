"""Matching by price, then time.

Invariant: the book is never crossed; every trade is at the resting order's price; what a submitted order trades,
rests and gives up adds to its quantity. Ids and time are given, so the same submissions make the same trades.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.money import ZERO

from algotrendy_core.order_book import Level, OrderBook, RestingOrder


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order on its way to the book; ``limit_price`` is None for a market order and only there."""

    order_id: str
    account: str
    side: Side
    type: OrderType
    quantity: Decimal
    limit_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC

    def __post_init__(self) -> None:
        if self.quantity <= ZERO:
            raise ValueError("an order needs a quantity above zero")
        if (self.limit_price is None) != (self.type is OrderType.MARKET):
            raise ValueError("a limit order has a limit price, a market order has none")
        if self.type is OrderType.MARKET and self.time_in_force is TimeInForce.POST_ONLY:
            raise ValueError("a market order cannot be post-only")


@dataclass(frozen=True, slots=True)
class Trade:
    """One match. ``sequence`` numbers the trades of one engine without a hole."""

    sequence: int
    time: datetime
    price: Decimal
    quantity: Decimal
    taker_side: Side
    taker_order_id: str
    taker_account: str
    maker_order_id: str
    maker_account: str


@dataclass(frozen=True, slots=True)
class Matched:
    """The order was taken: ``rests`` tells whether ``remaining`` waits in the book or was given up."""

    trades: tuple[Trade, ...]
    remaining: Decimal
    rests: bool


class RefusalReason(StrEnum):
    WOULD_TAKE = "would_take"
    """A post-only order that would have matched at once."""


@dataclass(frozen=True, slots=True)
class OrderRefused:
    reason: RefusalReason
    limit: Decimal
    observed: Decimal


class MatchingEngine:
    """One instrument's book and the rules that change it."""

    def __init__(self, book: OrderBook | None = None, last_sequence: int = 0) -> None:
        self.book = book if book is not None else OrderBook()
        self.last_sequence = last_sequence

    def submit(self, order: NewOrder, time: datetime) -> Matched | OrderRefused:
        """Match an order and rest what is left where its time in force allows; raises ValueError on an id in use."""
        if order.order_id in self.book:
            raise ValueError(f"order {order.order_id} rests already")
        opposite_best = self.book.best(order.side.opposite)
        if order.time_in_force is TimeInForce.POST_ONLY and _reaches(order, opposite_best):
            assert order.limit_price is not None
            assert opposite_best is not None
            return OrderRefused(RefusalReason.WOULD_TAKE, opposite_best, order.limit_price)
        if order.time_in_force is TimeInForce.FOK and not self._can_fill(order):
            return Matched((), order.quantity, rests=False)
        trades, remaining = self._take(order, time)
        rests = (
            remaining > ZERO
            and order.limit_price is not None
            and order.time_in_force in (TimeInForce.GTC, TimeInForce.POST_ONLY)
        )
        if rests and order.limit_price is not None:
            self.book.add(RestingOrder(order.order_id, order.account, order.side, order.limit_price, remaining))
        return Matched(tuple(trades), remaining, rests)

    def cancel(self, order_id: str) -> RestingOrder | None:
        """Take a resting order off the book; None where it does not rest."""
        return self.book.remove(order_id)

    def walk(self, side: Side, limit_price: Decimal | None = None) -> Iterator[Level]:
        """The levels that an order of ``side`` would take, best first, without taking them."""
        for price, quantity in self.book.levels(side.opposite):
            if limit_price is not None and not _within(side, limit_price, price):
                return
            yield price, quantity

    def _can_fill(self, order: NewOrder) -> bool:
        return sum((quantity for _, quantity in self.walk(order.side, order.limit_price)), ZERO) >= order.quantity

    def _take(self, order: NewOrder, time: datetime) -> tuple[list[Trade], Decimal]:
        trades: list[Trade] = []
        remaining = order.quantity
        while remaining:
            maker = self.book.first(order.side.opposite)
            if maker is None or not _reaches(order, maker.price):
                break
            quantity = min(remaining, maker.remaining)
            self.book.reduce(maker.order_id, quantity)
            remaining -= quantity
            self.last_sequence += 1
            trades.append(
                Trade(
                    self.last_sequence,
                    time,
                    maker.price,
                    quantity,
                    order.side,
                    order.order_id,
                    order.account,
                    maker.order_id,
                    maker.account,
                )
            )
        return trades, remaining


def _within(side: Side, limit_price: Decimal, price: Decimal) -> bool:
    return price <= limit_price if side is Side.BUY else price >= limit_price


def _reaches(order: NewOrder, price: Decimal | None) -> bool:
    if price is None:
        return False
    return order.limit_price is None or _within(order.side, order.limit_price, price)
