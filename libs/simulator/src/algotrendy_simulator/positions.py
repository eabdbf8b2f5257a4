"""Positions held on margin: linear perpetuals, and spot bought or sold with leverage.

The quote currency is the collateral. Invariant: pure but for ``Holding``, which is its account's own record;
``cost`` is what the open quantity was entered for and ``margin`` what of the account's quote balance is locked for it,
so both are zero when the quantity is.
"""

from dataclasses import dataclass
from decimal import Decimal

from algotrendy_common.enums import MarginMode, Side
from algotrendy_common.money import ZERO, round_nearest
from algotrendy_core.fees import FEE_STEP

MAINTENANCE_RATE = Decimal("0.005")
"""Of a position's value: what it must at least be covered by, or it is liquidated."""


@dataclass(slots=True)
class Holding:
    account: str
    symbol: str
    leverage: Decimal = Decimal(1)
    margin_mode: MarginMode = MarginMode.CROSS
    quantity: Decimal = ZERO
    """Base, above zero for a long position."""
    cost: Decimal = ZERO
    margin: Decimal = ZERO
    realised_pnl: Decimal = ZERO
    """Before fees, over all time."""
    uncovered: Decimal = ZERO
    """Losses past what the account had, which the venue's insurance bore."""

    def unrealised_pnl(self, mark_price: Decimal) -> Decimal:
        return mark_price * self.quantity - (self.cost if self.quantity > ZERO else -self.cost)

    def maintenance(self, mark_price: Decimal) -> Decimal:
        return abs(self.quantity) * mark_price * MAINTENANCE_RATE


@dataclass(frozen=True, slots=True)
class Position:
    """A holding as it is worth now."""

    account: str
    symbol: str
    quantity: Decimal
    """Base, above zero for a long position."""
    entry_price: Decimal
    mark_price: Decimal
    liquidation_price: Decimal | None
    """None where no price above zero liquidates it."""
    leverage: Decimal
    margin_mode: MarginMode
    margin: Decimal
    unrealised_pnl: Decimal
    realised_pnl: Decimal


@dataclass(frozen=True, slots=True)
class Booked:
    """What a fill did to a position: the two parts of its quantity, what closing freed and earned."""

    closed: Decimal
    opened: Decimal
    freed_margin: Decimal
    realised: Decimal


def reducible(holding: Holding, side: Side) -> Decimal:
    """How much an order of this side could take off the position."""
    return abs(holding.quantity) if holding.quantity * side.sign < ZERO else ZERO


def book_fill(holding: Holding, side: Side, price: Decimal, quantity: Decimal) -> Booked:
    """Change the holding by a fill; its margin for what is opened is left to who knows what the account can lock."""
    closed = min(quantity, reducible(holding, side))
    opened = quantity - closed
    freed, realised = ZERO, ZERO
    if closed:
        held = abs(holding.quantity)
        all_of_it = closed == held
        cost = holding.cost if all_of_it else round_nearest(holding.cost * closed / held, FEE_STEP)
        freed = holding.margin if all_of_it else round_nearest(holding.margin * closed / held, FEE_STEP)
        # The closing side is the opposite of the position's: a sale closes a long one.
        realised = (cost - price * closed) * side.sign
        holding.cost -= cost
        holding.margin -= freed
        holding.realised_pnl += realised
    holding.quantity += side.sign * quantity
    holding.cost += price * opened
    return Booked(closed, opened, freed, realised)


def initial_margin(value: Decimal, leverage: Decimal) -> Decimal:
    return round_nearest(value / leverage, FEE_STEP)


def liquidation_price(holding: Holding, cover: Decimal) -> Decimal | None:
    """The mark at which ``cover`` (what stands behind the position, its own profit apart) and its profit meet its
    maintenance; None where there is no such price."""
    if not holding.quantity:
        return None
    size = abs(holding.quantity)
    if holding.quantity > ZERO:
        price = (holding.cost - cover) / (size * (1 - MAINTENANCE_RATE))
    else:
        price = (holding.cost + cover) / (size * (1 + MAINTENANCE_RATE))
    return price if price > ZERO else None
