"""The orders of a seed: of every kind, with their prices as distances from the market at the moment they come.

Invariant: a ticket says nothing about a venue; whether its kind waits there or at the gateway is the plan's.
"""

import random
from dataclasses import dataclass, replace
from decimal import Decimal

from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderTerms, Protection

from tests.faults.order_sim.virtual_market import SYMBOLS, wire_price

_BASIS_POINT = Decimal("0.0001")
_STOPS = (OrderType.STOP, OrderType.STOP_LIMIT)
_TAKES = (OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT)
_LIMITS_IN_FORCE = (
    *(TimeInForce.GTC,) * 3,
    TimeInForce.IOC,
    TimeInForce.FOK,
    TimeInForce.POST_ONLY,
    TimeInForce.GTD,
)


@dataclass(frozen=True, slots=True)
class Guarded:
    """Exits that an entry brings: fractions of its price."""

    stop: Decimal | None
    take: Decimal | None
    trailing: Decimal | None


@dataclass(frozen=True, slots=True)
class Amended:
    """Replaced after a while by one of another price and quantity."""

    after_s: float
    away: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Ticket:
    """An order to come: ``away`` is the limit's distance from the market, as a fraction, negative behind it."""

    at_s: float
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    away: Decimal
    lifetime_s: float
    cancel_after_s: float | None
    trigger: Decimal = Decimal(0)
    """Distance of the price that it waits for, towards where its kind has it."""
    trailing: Decimal | None = None
    reduce_only: bool = False
    guarded: Guarded | None = None
    amended: Amended | None = None
    good_for_s: float | None = None

    def prices(self, market: Decimal) -> dict[str, object]:
        """Of its terms, while the market is at this price."""
        trigger = limit = None
        forward = market * (1 + self.side.sign * self.trigger)
        behind = market * (1 - self.side.sign * self.trigger)
        if self.type in _STOPS or self.type is OrderType.OCO:
            trigger = wire_price(forward, self.side)
        elif self.type in _TAKES or (self.type is OrderType.TRAILING_STOP and self.trigger):
            trigger = wire_price(behind, self.side)
        if self.type is OrderType.OCO:
            limit = wire_price(behind, self.side)
        elif self.type.priced:
            around = trigger if trigger is not None else market
            limit = wire_price(around * (1 + self.side.sign * self.away), self.side)
        protection = None
        if self.guarded is not None:
            protection = self._protection(self.guarded, limit if limit is not None else trigger or market)
        return {
            "limit_price": limit,
            "trigger_price": trigger,
            "trailing_ratio": self.trailing,
            "protection": protection,
        }

    def _protection(self, guarded: Guarded, entry: Decimal) -> Protection:
        sign = self.side.sign
        return Protection(
            stop_price=None if guarded.stop is None else wire_price(entry * (1 - sign * guarded.stop), self.side),
            take_profit_price=None
            if guarded.take is None
            else wire_price(entry * (1 + sign * guarded.take), self.side),
            trailing_ratio=guarded.trailing,
        )

    def instead(self, terms: OrderTerms, order_id: str, market: Decimal) -> OrderTerms:
        """What replaces it."""
        assert self.amended is not None
        other = replace(self, away=self.amended.away, trigger=abs(self.amended.away) or self.trigger)
        quantity = self.quantity * self.amended.quantity
        prices = other.prices(market)
        changed = {name: prices[name] for name in ("limit_price", "trigger_price")}
        return terms.model_copy(
            update=changed
            | {
                "order_id": order_id,
                "replaces": terms.order_id,
                "quantity": quantity.quantize(_BASIS_POINT),
                "protection": None,
            }
        )


def ticket(chance: random.Random, ends_s: float) -> Ticket:
    plain = _plain(chance, ends_s)
    kind = chance.random()
    if kind < 0.42:
        return plain
    if kind < 0.62:
        return _bracket(chance, plain)
    if kind < 0.85:
        return _triggered(chance, plain)
    if kind < 0.93:
        return replace(plain, side=Side.SELL, reduce_only=True)
    return _amended(chance, plain)


def _plain(chance: random.Random, ends_s: float) -> Ticket:
    kind = chance.choice((OrderType.MARKET, OrderType.LIMIT, OrderType.LIMIT))
    in_force = TimeInForce.GTC if kind is OrderType.MARKET else chance.choice(_LIMITS_IN_FORCE)
    return Ticket(
        at_s=chance.uniform(1, ends_s),
        symbol=chance.choice(SYMBOLS),
        side=chance.choice(list(Side)),
        type=kind,
        time_in_force=in_force,
        quantity=Decimal(chance.randint(20, 5000)) / 10_000,
        away=Decimal(chance.choice((-300, -5, -2, 2, 10))) / 10_000,
        lifetime_s=chance.choice((1.5, 12.0, 12.0, 12.0)),
        cancel_after_s=chance.choice((None, None, None, -0.05, 0.03, 0.5, 3.0)),
        good_for_s=chance.uniform(3, 9) if in_force is TimeInForce.GTD else None,
    )


def _bracket(chance: random.Random, plain: Ticket) -> Ticket:
    """Most of them trade, some in parts: exits have to follow."""
    some = [None, *(Decimal(points) * _BASIS_POINT for points in (15, 30, 60))]
    stop, take = chance.choice(some), chance.choice(some)
    trailing = chance.choice((None, None, Decimal("0.003")))
    if stop is None and take is None and trailing is None:
        stop = Decimal(40) * _BASIS_POINT
    return replace(
        plain,
        side=chance.choice((Side.BUY, Side.BUY, Side.BUY, Side.SELL)),
        away=Decimal(chance.choice((-5, 2, 10, 10))) * _BASIS_POINT,
        cancel_after_s=chance.choice((None, None, None, 0.5)),
        guarded=Guarded(stop, take, trailing),
    )


def _triggered(chance: random.Random, plain: Ticket) -> Ticket:
    kind = chance.choice([kind for kind in OrderType if kind.triggered])
    trailing = kind is OrderType.TRAILING_STOP
    trigger = Decimal(chance.choice((8, 15, 25, 50))) * _BASIS_POINT
    return replace(
        plain,
        type=kind,
        time_in_force=TimeInForce.GTC,
        good_for_s=None,
        # A stop-limit's limit lies behind its trigger or past it; a pair's two prices lie on both sides.
        away=Decimal(chance.choice((-4, 4, 8))) * _BASIS_POINT,
        trigger=chance.choice((Decimal(0), trigger)) if trailing else trigger,
        trailing=Decimal(chance.choice((2, 4))) / 1000 if trailing else None,
        reduce_only=plain.side is Side.SELL and chance.random() < 0.4,
        cancel_after_s=chance.choice((None, None, None, 3.0, 6.0)),
    )


def _amended(chance: random.Random, plain: Ticket) -> Ticket:
    kind = chance.choice((OrderType.LIMIT, OrderType.LIMIT, OrderType.STOP, OrderType.OCO))
    return replace(
        plain,
        type=kind,
        time_in_force=TimeInForce.GTC,
        good_for_s=None,
        away=Decimal(chance.choice((-300, -10, -2))) * _BASIS_POINT,
        trigger=Decimal(40) * _BASIS_POINT,
        cancel_after_s=None,
        lifetime_s=12.0,
        amended=Amended(
            chance.choice((0.05, 1.0, 4.0)),
            Decimal(chance.choice((-20, -5, 10))) * _BASIS_POINT,
            Decimal(chance.choice(("0.5", "1", "1.5"))),
        ),
    )
