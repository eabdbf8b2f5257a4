"""What can be traded and on which grid: steps, limits and fee rates of one instrument.

Invariant: ``check`` names every rule an order breaks, not the first one only; an order it passes is on the
venue's grid and within its limits.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum

from algotrendy_common.enums import Side
from algotrendy_common.ids import Symbol, Venue
from algotrendy_common.money import ZERO, Amount, Price, Quantity, round_down, round_nearest
from pydantic import BaseModel, ConfigDict, model_validator


class Rule(StrEnum):
    """The rules a venue lays on an order of this instrument."""

    PRICE_POSITIVE = "price_positive"
    PRICE_STEP = "price_step"
    QUANTITY_STEP = "quantity_step"
    MIN_QUANTITY = "min_quantity"
    MAX_QUANTITY = "max_quantity"
    MIN_NOTIONAL = "min_notional"


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule with the limit it sets and what was found instead."""

    rule: Rule
    limit: Decimal
    observed: Decimal


class InstrumentKind(StrEnum):
    SPOT = "spot"
    PERPETUAL = "perpetual"
    """Linear: quoted and settled in ``quote``."""


class Instrument(BaseModel):
    """A pair of one venue. Prices are quote for one base, quantities are base, rates are fractions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    venue: Venue
    symbol: Symbol
    base: str
    quote: str
    price_step: Price
    quantity_step: Quantity
    min_quantity: Quantity
    max_quantity: Quantity
    min_notional: Amount
    """Least price times quantity, in the quote currency."""
    maker_fee: Amount
    taker_fee: Amount
    kind: InstrumentKind = InstrumentKind.SPOT
    contract_size: Quantity = Decimal(1)
    """Base in one contract of a perpetual; quantities here are base, an adapter converts them."""
    max_leverage: Amount = Decimal(1)

    @model_validator(mode="after")
    def _limits_make_sense(self) -> "Instrument":
        if self.min_quantity > self.max_quantity:
            raise ValueError("min_quantity is above max_quantity")
        if self.min_notional < 0:
            raise ValueError("min_notional is negative")
        return self

    def round_price(self, price: Decimal) -> Decimal:
        """The price on the grid nearest to ``price``, ties to even."""
        return round_nearest(price, self.price_step)

    def round_price_passively(self, price: Decimal, side: Side) -> Decimal:
        """The price on the grid that is no more aggressive: down for a buy, up for a sell."""
        rounding = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
        return (price / self.price_step).to_integral_value(rounding=rounding) * self.price_step

    def round_quantity(self, quantity: Decimal) -> Decimal:
        """The largest quantity on the grid that does not exceed ``quantity``."""
        return round_down(quantity, self.quantity_step)

    def check(self, quantity: Decimal, price: Decimal, *, price_is_limit: bool = True) -> tuple[Violation, ...]:
        """Every rule broken by an order of ``quantity`` at ``price``; empty where there is none.

        For a market order ``price`` is the reference the notional is estimated with, and ``price_is_limit`` is
        false: a reference need not be on the grid.
        """
        found: list[Violation] = []
        if price <= ZERO:
            found.append(Violation(Rule.PRICE_POSITIVE, ZERO, price))
        elif price_is_limit and price % self.price_step:
            found.append(Violation(Rule.PRICE_STEP, self.price_step, price))
        if quantity % self.quantity_step:
            found.append(Violation(Rule.QUANTITY_STEP, self.quantity_step, quantity))
        if quantity < self.min_quantity:
            found.append(Violation(Rule.MIN_QUANTITY, self.min_quantity, quantity))
        if quantity > self.max_quantity:
            found.append(Violation(Rule.MAX_QUANTITY, self.max_quantity, quantity))
        notional = quantity * price
        if notional < self.min_notional:
            found.append(Violation(Rule.MIN_NOTIONAL, self.min_notional, notional))
        return tuple(found)
