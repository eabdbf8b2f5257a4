"""An order that a strategy proposed, until it is settled.

Invariant: settled means that nothing more can happen to it and every fill it reported has been counted; until then the
strategy proposes nothing else.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from algotrendy_common.enums import OrderStatus
from algotrendy_common.events.order import OrderUpdated
from algotrendy_common.money import ZERO


@dataclass(frozen=True, slots=True)
class OwnOrder:
    order_id: str
    bar_time: datetime
    target: Decimal
    """Fraction of the strategy's capital that it is to reach."""
    clipped: bool
    """The venue's largest order is less than what was wanted."""
    proposed_at: datetime
    status: OrderStatus = OrderStatus.PROPOSED
    revision: int = 0
    filled: Decimal = ZERO
    """By the fills counted."""
    reported_filled: Decimal = ZERO
    """By the order's own newest state."""

    @property
    def settled(self) -> bool:
        return self.status.terminal and self.filled >= self.reported_filled

    @property
    def reached_target(self) -> bool:
        return self.status is OrderStatus.FILLED and not self.clipped

    def with_update(self, update: OrderUpdated) -> "OwnOrder":
        """The same object where the update is not newer than what is known."""
        if update.revision <= self.revision:
            return self
        return replace(self, status=update.status, revision=update.revision, reported_filled=update.filled_quantity)

    def with_fill(self, quantity: Decimal) -> "OwnOrder":
        return replace(self, filled=self.filled + quantity)

    def refused(self) -> "OwnOrder":
        return self if self.status.terminal else replace(self, status=OrderStatus.REFUSED)
