"""From a target exposure to an order that the venue would take, or to the reason why there is none.

Invariant: quantities are whole steps, rounded towards doing less; an order never crosses the target.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from algotrendy_common.enums import Side
from algotrendy_common.money import ZERO, plain, round_down

from algotrendy_core.instruments import Instrument

DEFAULT_RESERVE = Decimal("0.01")
"""Share of the capital kept back, live and in backtests alike, so that fee and slippage can be paid."""


class NoOrder(StrEnum):
    """Why nothing should be sent."""

    AT_TARGET = "at_target"
    """The difference is zero, or less than one step: dust."""
    BELOW_MINIMUM_QUANTITY = "below_minimum_quantity"
    BELOW_MINIMUM_NOTIONAL = "below_minimum_notional"


@dataclass(frozen=True, slots=True)
class SizedOrder:
    side: Side
    quantity: Decimal
    """In base, positive, a multiple of the instrument's quantity step."""
    reduce_only: bool
    """It brings the position nearer to flat and not through it."""
    clipped: bool
    """The venue's maximum quantity was less than what was wanted; another order is needed for the rest."""


@dataclass(frozen=True, slots=True)
class NothingToSend:
    reason: NoOrder
    limit: Decimal
    observed: Decimal

    @property
    def message(self) -> str:
        return f"{self.reason.value.replace('_', ' ')}: {plain(self.observed)} against {plain(self.limit)}"


def target_quantity(target: Decimal, capital: Decimal, price: Decimal, reserve: Decimal = ZERO) -> Decimal:
    """Units of base that ``target`` (a fraction of capital, negative: short) stands for, not yet rounded.

    ``reserve`` is the fraction of capital kept back for fees and for the price moving before the fill.
    """
    return target * max(capital, ZERO) * (1 - reserve) / price


def size_order(
    target: Decimal,
    *,
    capital: Decimal,
    price: Decimal,
    position: Decimal,
    instrument: Instrument,
    reserve: Decimal = ZERO,
    allow_short: bool = False,
) -> SizedOrder | NothingToSend:
    """The order that takes ``position`` (signed, base) to ``target`` of ``capital`` (quote) at ``price``.

    A target below zero counts as zero unless ``allow_short``. Raises ValueError on a price that is not positive.
    """
    if price <= 0:
        raise ValueError(f"{price} is not a price")
    wanted = target_quantity(target if allow_short else max(target, ZERO), capital, price, reserve)
    change = wanted - position
    side = Side.BUY if change > 0 else Side.SELL
    quantity = round_down(abs(change), instrument.quantity_step)
    if not quantity:
        return NothingToSend(NoOrder.AT_TARGET, instrument.quantity_step, abs(change))
    clipped = quantity > instrument.max_quantity
    if clipped:
        quantity = round_down(instrument.max_quantity, instrument.quantity_step)
    if quantity < instrument.min_quantity:
        return NothingToSend(NoOrder.BELOW_MINIMUM_QUANTITY, instrument.min_quantity, quantity)
    if quantity * price < instrument.min_notional:
        return NothingToSend(NoOrder.BELOW_MINIMUM_NOTIONAL, instrument.min_notional, quantity * price)
    reduces = position * side.sign < 0 and quantity <= abs(position)
    return SizedOrder(side, quantity, reduces, clipped)
