"""Orders as they become known, from whoever speaks of them.

Invariant: a later word on an order is never undone by an earlier one that arrives late, and memory stays bounded.
"""

from datetime import datetime

from algotrendy_common.enums import OrderStatus
from algotrendy_common.events.order import OrderApproved, OrderProposed, OrderRefused, OrderUpdated
from algotrendy_common.events.risk import ApprovalRequested

from algotrendy_gateway.domain.orders import Order

type Spoken = OrderProposed | ApprovalRequested | OrderApproved | OrderRefused | OrderUpdated

_KEPT = 2000

# Who outranks whom: the broker gateway's revisions follow from _BROKER upwards.
_PROPOSED, _ASKED, _APPROVED, _REFUSED, _BROKER = range(5)


class OrderList:
    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._ranks: dict[str, int] = {}

    def take(self, event: Spoken) -> Order | None:
        """The order as it now stands; None where the event says nothing new."""
        order_id = event.terms.order_id
        known = self._orders.get(order_id)
        created = None if known is None else known.created_at
        match event:
            case OrderProposed():
                rank, order = _PROPOSED, Order.of_proposal(event)
            case ApprovalRequested():
                rank, order = _ASKED, Order.of_request(event, created)
            case OrderApproved():
                rank, order = _APPROVED, Order.of_approval(event, created)
            case OrderRefused():
                rank, order = _REFUSED, Order.of_refusal(event, created)
            case OrderUpdated():
                rank, order = _BROKER + event.revision, Order.of(event)
        if known is not None and rank <= self._ranks[order_id]:
            return None
        self._orders.pop(order_id, None)
        self._orders[order_id] = order
        self._ranks[order_id] = rank
        self._forget()
        return order

    def get(self, order_id: str) -> Order | None:
        return self._orders.get(order_id)

    def open(self, account: str) -> list[Order]:
        """Orders that something can still happen to, newest first."""
        found = [order for order in self._orders.values() if order.account == account and not order.status.terminal]
        return sorted(found, key=_created, reverse=True)

    def unplaced(self, account: str) -> list[Order]:
        """Orders that the broker gateway has not spoken of: proposed, approved or refused."""
        unplaced = (OrderStatus.PROPOSED, OrderStatus.NEEDS_APPROVAL, OrderStatus.APPROVED, OrderStatus.REFUSED)
        return [order for order in self._orders.values() if order.account == account and order.status in unplaced]

    def _forget(self) -> None:
        """The orders that ended longest ago go first; one that has not ended is never forgotten."""
        if len(self._orders) <= _KEPT:
            return
        for order_id, order in list(self._orders.items()):
            if order.status.terminal:
                del self._orders[order_id], self._ranks[order_id]
                if len(self._orders) <= _KEPT:
                    return


def _created(order: Order) -> datetime:
    return order.created_at
