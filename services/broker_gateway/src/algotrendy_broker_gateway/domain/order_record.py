"""An order as the gateway keeps it, and how one report moves it on.

Invariant: ``revision`` rises by one with each report that changed something, and a report that changed nothing leaves
no trace; a fill comes out of ``advance`` once, with the step that counted it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from algotrendy_common.enums import OrderStatus
from algotrendy_common.events.order import OrderOrigin, OrderTerms
from algotrendy_common.money import ZERO
from algotrendy_core import orders
from algotrendy_core.fills import Fill
from algotrendy_core.order_states import (
    Cancelled,
    FilledAtVenue,
    Lost,
    OrderState,
    OutcomeUnknown,
    Rejected,
    Report,
    Submitting,
)


@dataclass(frozen=True, slots=True)
class OrderRecord:
    client_order_id: str
    """Ours: 32 hex characters."""
    venue_client_id: str
    """What the venue shows: the same for our orders, anything for orders made elsewhere."""
    approval_id: str | None
    """None for an order made outside the platform."""
    notional: Decimal | None
    expires_at: datetime | None
    origin: OrderOrigin
    state: OrderState
    revision: int
    created_at: datetime
    submitted_at: datetime | None
    cancel_requested: bool = False

    @property
    def terms(self) -> OrderTerms:
        return self.state.terms

    @property
    def order_id(self) -> str:
        return self.state.terms.order_id

    @property
    def status(self) -> OrderStatus:
        return self.state.status

    @property
    def working(self) -> bool:
        """The venue holds it, as far as we know."""
        return self.status in (OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED)


@dataclass(frozen=True, slots=True)
class Step:
    """One change: the order after it, the fill it counted, and a line for the order's history."""

    order: OrderRecord
    fill: Fill | None
    time: datetime
    detail: str


def advance(record: OrderRecord, report: Report, now: datetime) -> Step | None:
    """The step that ``report`` makes; None where it says nothing new. Raises InvariantBroken as ``orders.apply``."""
    state = orders.apply(record.state, report)
    if state is record.state:
        return None
    submitted_at = record.submitted_at
    if submitted_at is None and isinstance(state, Submitting):
        submitted_at = now
    after = replace(record, state=state, revision=record.revision + 1, submitted_at=submitted_at)
    counted = report.fill if isinstance(report, FilledAtVenue) else None
    return Step(after, counted, counted.event_time if counted else now, _detail(state, counted))


def _detail(state: OrderState, fill: Fill | None) -> str:
    if fill is not None:
        return f"{fill.quantity} at {fill.price}, trade {fill.trade_id}"
    code, message = reason_of(state)
    return message or code or ""


def reason_of(state: OrderState) -> tuple[str | None, str | None]:
    """Code and message of an order that did not go as asked; (None, None) for one that did."""
    match state:
        case Rejected(code=code, message=message):
            return code, message
        case Cancelled(reason=reason):
            code, colon, message = reason.partition(": ")
            return code, (message if colon else None)
        case OutcomeUnknown(detail=detail) | Lost(detail=detail):
            return state.status.value, detail
        case _:
            return None, None


def fee_of(state: OrderState) -> tuple[Decimal, str | None]:
    """Sum of the fills' fees with their currency; (0, None) where they were charged in several: see the fills."""
    fills = orders.fills_of(state)
    currencies = {fill.fee_currency for fill in fills if fill.fee}
    if len(currencies) != 1:
        return ZERO, None
    return sum((fill.fee for fill in fills), ZERO), currencies.pop()
