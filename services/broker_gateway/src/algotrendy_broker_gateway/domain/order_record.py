"""An order as the gateway keeps it, and how one report moves it on.

Invariant: ``revision`` rises by one with each report that changed something, and a report that changed nothing leaves
no trace; a fill comes out of ``advance`` once, with the step that counted it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from algotrendy_common.enums import OrderSource, OrderStatus
from algotrendy_common.events.order import OrderOrigin, OrderTerms
from algotrendy_common.money import ZERO
from algotrendy_core import orders
from algotrendy_core.fills import Fill
from algotrendy_core.order_states import (
    Cancelled,
    CancelledAtVenue,
    EndedLegFilled,
    FilledAtVenue,
    Held,
    LegEnded,
    Lost,
    Open,
    OrderState,
    OutcomeUnknown,
    PartiallyFilled,
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
    leg: int = 0
    """Of orders that go to the venue in legs, one after the other: which it is at."""
    switching: bool = False
    """The leg that works is being ended for the next one: its cancellation does not end the order."""
    ended_venue_ids: tuple[str, ...] = ()
    ended_client_ids: tuple[str, ...] = ()

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
        return isinstance(self.state, Open | PartiallyFilled)

    @property
    def held(self) -> bool:
        """It waits here, with nothing at the venue."""
        return isinstance(self.state, Held)

    @property
    def protective(self) -> bool:
        """The gateway's own: an exit, or a flattening."""
        return self.origin.source is OrderSource.PROTECTION

    @property
    def rest(self) -> Decimal:
        """What may still trade; nothing of an order that is lost, though its exposure stays reserved."""
        return ZERO if isinstance(self.state, Lost) else orders.working_quantity(self.state)

    def of_ended_leg(self, venue_order_id: str, client_id: str) -> bool:
        """True where a report speaks of a leg that has ended."""
        if venue_order_id in self.ended_venue_ids:
            return True
        return client_id in self.ended_client_ids and client_id != self.venue_client_id

    def traded_at(self, venue_order_id: str) -> Decimal:
        """What is counted of one of its legs."""
        fills = orders.fills_of(self.state)
        if venue_order_id in self.ended_venue_ids:
            return sum((fill.quantity for fill in fills if fill.venue_order_id == venue_order_id), ZERO)
        ended = self.ended_venue_ids
        return sum((fill.quantity for fill in fills if fill.venue_order_id not in ended), ZERO)


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
    counted = report.fill if isinstance(report, FilledAtVenue | EndedLegFilled) else None
    return Step(after, counted, counted.event_time if counted else now, _detail(state, counted))


def too_early(order: OrderRecord, report: Report, venue_order_id: str, executed: Decimal) -> bool:
    """True for an end that comes before the last fills, of ``executed`` that the venue counts: until they are here the
    order keeps what it reserves, or whoever guards the position, or weighs the next order, would count on money that
    has been traded already."""
    return isinstance(report, CancelledAtVenue | LegEnded) and order.traded_at(venue_order_id) < executed


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
