"""Positions and P&L from fills alone, at average cost.

Invariant: realised + unrealised - fees equals the change of cash plus the holding at its mark, to the last digit of
the context. Fees never enter the average price: a fee taken in the base asset is a smaller holding and, at the
fill's price, a fee in the quote currency.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from algotrendy_common.errors import InvariantBroken, Refused
from algotrendy_common.money import ZERO

from algotrendy_core.fills import Fill

PositionKey = tuple[str, str]
"""Venue and symbol."""


@dataclass(frozen=True, slots=True)
class Position:
    """One instrument. ``quantity`` is signed (negative: short), ``cost`` is what the open quantity was bought for."""

    venue: str
    symbol: str
    base: str
    quote: str
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    """In the quote currency, with the sign of ``quantity``."""
    realised_pnl: Decimal = ZERO
    """Quote currency, before fees."""
    fees: Decimal = ZERO
    """Quote currency: fees in quote and in base, and others whose price was given."""
    unpriced_fees: tuple[tuple[str, Decimal], ...] = ()
    """Fees in a third currency that nobody priced, in that currency."""

    @property
    def key(self) -> PositionKey:
        return (self.venue, self.symbol)

    @property
    def average_price(self) -> Decimal | None:
        """None when flat."""
        return self.cost / self.quantity if self.quantity else None

    def unrealised_pnl(self, mark: Decimal) -> Decimal:
        """Quote currency, before fees."""
        return self.quantity * mark - self.cost

    @property
    def net_realised_pnl(self) -> Decimal:
        """Realised P&L after fees."""
        return self.realised_pnl - self.fees


def apply_fill(position: Position, fill: Fill, fee_price: Decimal | None = None) -> Position:
    """The position after one fill. The caller sees to it that a fill is applied once (by ``Fill.key``).

    ``fee_price`` is what one unit of a third fee currency costs in the quote currency; without it such a fee is kept
    in ``unpriced_fees``. Raises InvariantBroken where the fill belongs to another instrument.
    """
    if (fill.venue, fill.symbol) != position.key:
        raise InvariantBroken("a fill of another instrument", trade_id=fill.trade_id, symbol=fill.symbol)
    change = fill.side.sign * fill.quantity
    fees, unpriced = position.fees, position.unpriced_fees
    if fill.fee_currency == position.quote:
        fees += fill.fee
    elif fill.fee_currency == position.base:
        change -= fill.fee
        fees += fill.fee * fill.price
    elif fee_price is not None:
        fees += fill.fee * fee_price
    elif fill.fee:
        unpriced = _added(unpriced, fill.fee_currency, fill.fee)
    quantity, cost, realised = _moved(position.quantity, position.cost, change, fill.price)
    return replace(
        position,
        quantity=quantity,
        cost=cost,
        realised_pnl=position.realised_pnl + realised,
        fees=fees,
        unpriced_fees=unpriced,
    )


def _moved(quantity: Decimal, cost: Decimal, change: Decimal, price: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """Quantity, cost and realised P&L after trading ``change`` at ``price``; through zero it closes, then opens."""
    if quantity * change >= 0:
        return quantity + change, cost + change * price, ZERO
    if abs(change) < abs(quantity):
        released = cost * (-change / quantity)
        return quantity + change, cost - released, -change * price - released
    rest = quantity + change
    return rest, rest * price, quantity * price - cost


def _added(fees: tuple[tuple[str, Decimal], ...], currency: str, amount: Decimal) -> tuple[tuple[str, Decimal], ...]:
    totals = dict(fees)
    totals[currency] = totals.get(currency, ZERO) + amount
    return tuple(sorted(totals.items()))


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Cash and positions of one account, in one quote currency."""

    quote: str
    cash: Decimal
    positions: Mapping[PositionKey, Position] = field(default_factory=dict)

    def apply(self, fill: Fill, *, base: str, fee_price: Decimal | None = None) -> "Portfolio":
        """The portfolio after a fill of an instrument quoted in ``quote``.

        A fee in the quote currency, or in a third one that was priced, leaves the cash.
        """
        key = (fill.venue, fill.symbol)
        before = self.positions.get(key) or Position(fill.venue, fill.symbol, base, self.quote)
        after = apply_fill(before, fill, fee_price)
        cash = self.cash - fill.side.sign * fill.notional
        if fill.fee_currency != before.base:
            cash -= after.fees - before.fees
        return replace(self, cash=cash, positions={**self.positions, key: after})

    def exposure(self, marks: Mapping[PositionKey, Decimal]) -> Decimal:
        """Gross: the sum of every holding's absolute value. Raises Refused where a mark is missing."""
        return sum((abs(held.quantity) * _mark(held, marks) for held in self._open()), ZERO)

    def unrealised_pnl(self, marks: Mapping[PositionKey, Decimal]) -> Decimal:
        """Raises Refused where a mark is missing."""
        return sum((held.unrealised_pnl(_mark(held, marks)) for held in self._open()), ZERO)

    def equity(self, marks: Mapping[PositionKey, Decimal]) -> Decimal:
        """Cash and holdings at their marks. Raises Refused where the mark of an open position is missing."""
        return self.cash + sum((held.quantity * _mark(held, marks) for held in self._open()), ZERO)

    def _open(self) -> list[Position]:
        return [held for held in self.positions.values() if held.quantity]


def _mark(position: Position, marks: Mapping[PositionKey, Decimal]) -> Decimal:
    mark = marks.get(position.key)
    if mark is None:
        raise Refused("mark_unknown", "an open position has no mark price", symbol=position.symbol)
    return mark
