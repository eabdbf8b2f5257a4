"""An order that a strategy proposed to reach a target.

Invariant: until it is settled the strategy proposes no other one like it.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from algotrendy_common.enums import OrderStatus

from algotrendy_agent.domain.progress import Progress


@dataclass(frozen=True, slots=True)
class OwnOrder(Progress):
    order_id: str
    bar_time: datetime
    target: Decimal
    """Fraction of the strategy's capital that it is to reach."""
    clipped: bool
    """The venue's largest order is less than what was wanted."""
    proposed_at: datetime

    @property
    def reached_target(self) -> bool:
        return self.status is OrderStatus.FILLED and not self.clipped
