"""What an order may still do to the account, from its approval until nothing more can happen to it.

Invariant: a quantity is either reserved or in the ledger, never in neither: a fill moves it from one to the other, and
an order that ended stays reserved for fills that were reported but have not been seen yet.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from algotrendy_common.enums import OrderStatus, Side
from algotrendy_common.events.order import OrderTerms, OrderUpdated
from algotrendy_common.money import ZERO


@dataclass(frozen=True, slots=True)
class Reservation:
    terms: OrderTerms
    price: Decimal | None
    """What a unit is reserved at, quote currency; None where an order from outside could not be valued."""
    fee_ratio: Decimal
    approved_at: datetime
    expires_at: datetime | None
    """Of the approval; None for an order that was made outside and adopted."""
    status: OrderStatus = OrderStatus.APPROVED
    revision: int = 0
    filled: Decimal = ZERO
    """By the fills seen."""
    reported_filled: Decimal = ZERO
    """By the order's own latest state."""

    @property
    def outstanding(self) -> Decimal:
        """Quantity that may still be traded, or was traded without its fill having been seen. ``LOST`` and
        ``OUTCOME_UNKNOWN`` are not terminal, so they count in full."""
        final = self.reported_filled if self.status.terminal else self.terms.quantity
        return max(final - self.filled, ZERO)

    @property
    def open(self) -> bool:
        return not self.status.terminal or self.outstanding > 0

    @property
    def notional(self) -> Decimal | None:
        return None if self.price is None else self.outstanding * self.price

    @property
    def cash(self) -> Decimal | None:
        """What filling the rest would take out of the cash, its fee included."""
        if self.terms.side is Side.SELL or not self.outstanding:
            return ZERO
        return None if self.price is None else self.outstanding * self.price * (1 + self.fee_ratio)

    def with_update(self, update: OrderUpdated) -> "Reservation":
        """The same object where the update is not newer than what is known."""
        if update.revision <= self.revision:
            return self
        return replace(self, status=update.status, revision=update.revision, reported_filled=update.filled_quantity)

    def with_fill(self, quantity: Decimal) -> "Reservation":
        return replace(self, filled=self.filled + quantity)


def adopted(update: OrderUpdated, mark: Decimal | None, fee_ratio: Decimal) -> Reservation:
    """An order that this service never approved: made outside, or approved by an installation whose books are gone."""
    price = update.terms.limit_price or update.average_price or mark
    fresh = Reservation(update.terms, price, fee_ratio, approved_at=update.created_at, expires_at=None)
    return replace(fresh, status=update.status, revision=update.revision, reported_filled=update.filled_quantity)
