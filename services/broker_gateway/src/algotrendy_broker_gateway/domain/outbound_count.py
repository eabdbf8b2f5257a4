"""The independent count at the door: orders out never outnumber approvals in, nor exceed what was approved.

Invariant: each approval lets one client order id out, once. It shares nothing with the code that decides to submit, so
that an error there (a loop, a replayed message, a wrong quantity) ends here instead of at the venue.
"""

from dataclasses import dataclass
from decimal import Decimal

from algotrendy_common.enums import Side
from algotrendy_common.events.order import OrderTerms

from algotrendy_broker_gateway.errors import OutboundBreach


@dataclass(frozen=True, slots=True)
class Pass:
    """What one approval allows."""

    approval_id: str
    terms: OrderTerms
    notional: Decimal


class OutboundCount:
    """One an account and process. ``approvals`` and ``orders`` are the two sums that are compared."""

    def __init__(self, tolerance: Decimal) -> None:
        self._tolerance = tolerance
        self._passes: dict[str, Pass] = {}
        self.approvals = 0
        self.orders = 0

    def admit(self, client_order_id: str, allowed: Pass) -> None:
        """An approval came in and its order was committed."""
        self._passes[client_order_id] = allowed
        self.approvals += 1

    def let_out(self, client_order_id: str, terms: OrderTerms) -> None:
        """Called with what is about to go on the wire; raises OutboundBreach where nothing allows it."""
        allowed = self._passes.pop(client_order_id, None)
        if allowed is None:
            raise OutboundBreach("an order without an unused approval was about to leave", client=client_order_id)
        if allowed.terms != terms:
            raise OutboundBreach("an order differs from its approval", approval_id=allowed.approval_id)
        if terms.limit_price is not None:
            _check_notional(terms.quantity * terms.limit_price, allowed.notional, self._tolerance, allowed.approval_id)
        self.orders += 1
        if self.orders > self.approvals:
            raise OutboundBreach("more orders than approvals", orders=self.orders, approvals=self.approvals)


def check_executed(
    terms: OrderTerms, executed: Decimal, approved: Decimal, slippage: Decimal, approval_id: str
) -> None:
    """What a buy has cost against what was approved: a market order has no price to be judged by before it trades.

    A sell that brought in more than was approved is luck. Raises OutboundBreach.
    """
    if terms.side is Side.BUY:
        _check_notional(executed, approved, slippage, approval_id)


def _check_notional(notional: Decimal, approved: Decimal, tolerance: Decimal, approval_id: str) -> None:
    if notional > approved * (1 + tolerance):
        raise OutboundBreach(
            "an order is larger than its approval", approval_id=approval_id, notional=notional, approved=approved
        )
