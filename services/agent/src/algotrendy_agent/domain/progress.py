"""How far an order of ours has come, whatever it was proposed for.

Invariant: settled means that nothing more can happen to it and every fill it reported has been counted.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Self

from algotrendy_common.enums import OrderStatus
from algotrendy_common.events.order import OrderUpdated
from algotrendy_common.money import ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    status: OrderStatus = OrderStatus.PROPOSED
    revision: int = 0
    filled: Decimal = ZERO
    """By the fills counted."""
    reported_filled: Decimal = ZERO
    """By the order's own newest state."""

    @property
    def settled(self) -> bool:
        return self.status.terminal and self.filled >= self.reported_filled

    def with_update(self, update: OrderUpdated) -> Self:
        """The same object where the update is not newer than what is known."""
        if update.revision <= self.revision:
            return self
        return replace(self, status=update.status, revision=update.revision, reported_filled=update.filled_quantity)

    def with_fill(self, quantity: Decimal) -> Self:
        return replace(self, filled=self.filled + quantity)

    def refused(self) -> Self:
        return self if self.status.terminal else replace(self, status=OrderStatus.REFUSED)
