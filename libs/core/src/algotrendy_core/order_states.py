"""The states an order can be in and the reports that move it on; ``orders.apply`` says how.

Invariant: a state has the fields that mean something in it and no others, and survives ``to_json`` / ``from_json``.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from algotrendy_common.enums import OrderStatus
from algotrendy_common.events.order import OrderTerms
from pydantic import TypeAdapter

from algotrendy_core.fills import Fill

# ── states ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Proposed:
    status: ClassVar[OrderStatus] = OrderStatus.PROPOSED
    terms: OrderTerms


@dataclass(frozen=True, slots=True)
class NeedsApproval:
    status: ClassVar[OrderStatus] = OrderStatus.NEEDS_APPROVAL
    terms: OrderTerms
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Risk or a person said no; it never reached a venue."""

    status: ClassVar[OrderStatus] = OrderStatus.REFUSED
    terms: OrderTerms
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Approved:
    status: ClassVar[OrderStatus] = OrderStatus.APPROVED
    terms: OrderTerms
    approval_id: str


@dataclass(frozen=True, slots=True)
class Submitting:
    """Committed before the call to the venue; ``attempt`` counts the calls, all with one client order id.

    ``fills`` is what earlier legs traded, where an order goes to the venue in legs that follow one another.
    """

    status: ClassVar[OrderStatus] = OrderStatus.SUBMITTING
    terms: OrderTerms
    attempt: int
    fills: tuple[Fill, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing of it works at the venue: it waits here for its price, or between two of its legs."""

    status: ClassVar[OrderStatus] = OrderStatus.OPEN
    terms: OrderTerms
    fills: tuple[Fill, ...] = ()


@dataclass(frozen=True, slots=True)
class Open:
    status: ClassVar[OrderStatus] = OrderStatus.OPEN
    terms: OrderTerms
    venue_order_id: str


@dataclass(frozen=True, slots=True)
class PartiallyFilled:
    status: ClassVar[OrderStatus] = OrderStatus.PARTIALLY_FILLED
    terms: OrderTerms
    venue_order_id: str
    fills: tuple[Fill, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """The whole quantity, or more where the venue overfilled (see ``overfilled_quantity``)."""

    status: ClassVar[OrderStatus] = OrderStatus.FILLED
    terms: OrderTerms
    venue_order_id: str
    fills: tuple[Fill, ...]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Nothing more will trade. ``fills`` is what traded before; one that is reported late is added."""

    status: ClassVar[OrderStatus] = OrderStatus.CANCELLED
    terms: OrderTerms
    venue_order_id: str | None
    fills: tuple[Fill, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The venue said no."""

    status: ClassVar[OrderStatus] = OrderStatus.REJECTED
    terms: OrderTerms
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """The call to the venue gave no answer: the order may be working. Its exposure stays reserved in full."""

    status: ClassVar[OrderStatus] = OrderStatus.OUTCOME_UNKNOWN
    terms: OrderTerms
    attempt: int
    detail: str
    fills: tuple[Fill, ...] = ()


@dataclass(frozen=True, slots=True)
class Lost:
    """The venue was asked often enough and does not know it. Not terminal: if it appears after all, it is adopted."""

    status: ClassVar[OrderStatus] = OrderStatus.LOST
    terms: OrderTerms
    venue_order_id: str | None
    fills: tuple[Fill, ...]
    detail: str


OrderState = (
    Proposed
    | NeedsApproval
    | Refused
    | Approved
    | Submitting
    | Held
    | Open
    | PartiallyFilled
    | Filled
    | Cancelled
    | Rejected
    | OutcomeUnknown
    | Lost
)

# ── reports ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ApprovalAsked:
    """Risk wants a person to decide."""

    reason: str


@dataclass(frozen=True, slots=True)
class ApprovalGiven:
    approval_id: str


@dataclass(frozen=True, slots=True)
class ApprovalRefused:
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SubmissionStarted:
    """The call to the venue is about to be made (a second time only with the same client order id)."""

    quantity: Decimal | None = None
    """Where less is to be traded than was ordered: a reduction of more than there is, the rest of an amended order."""


@dataclass(frozen=True, slots=True)
class HeldByGateway:
    """The venue cannot wait for its price: we do."""

    quantity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class LegEnded:
    """What worked at the venue for the order is gone for good, and the order goes on with another leg."""


@dataclass(frozen=True, slots=True)
class AcceptedByVenue:
    """The venue has the order: its answer, a stream message, or a query that found it working."""

    venue_order_id: str


@dataclass(frozen=True, slots=True)
class RejectedByVenue:
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SubmissionUnanswered:
    """Timeout, broken connection, 5xx or an answer that makes no sense."""

    detail: str


@dataclass(frozen=True, slots=True)
class FilledAtVenue:
    fill: Fill


@dataclass(frozen=True, slots=True)
class EndedLegFilled:
    """A trade of a leg that has ended, learnt late: it counts, and says nothing about the leg that works now."""

    fill: Fill


@dataclass(frozen=True, slots=True)
class CancelledAtVenue:
    """Cancelled or expired, at the venue or (before submission) by ourselves."""

    venue_order_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class NotFoundAtVenue:
    """The verdict after repeated queries over the venue's settle time; one empty answer is not it."""

    detail: str


Report = (
    ApprovalAsked
    | ApprovalGiven
    | ApprovalRefused
    | SubmissionStarted
    | AcceptedByVenue
    | RejectedByVenue
    | SubmissionUnanswered
    | HeldByGateway
    | LegEnded
    | FilledAtVenue
    | EndedLegFilled
    | CancelledAtVenue
    | NotFoundAtVenue
)

# ── storage ─────────────────────────────────────────────────────────────────────────────────────────────────────

_HELD = "held"
"""In place of its status, which it shares with ``Open``."""
_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    _HELD if state is Held else state.status.value: TypeAdapter(state)
    for state in (
        Proposed,
        NeedsApproval,
        Refused,
        Approved,
        Submitting,
        Held,
        Open,
        PartiallyFilled,
        Filled,
        Cancelled,
        Rejected,
        OutcomeUnknown,
        Lost,
    )
}


def to_json(state: OrderState) -> dict[str, Any]:
    """The state as plain JSON values; ``from_json`` gives it back exactly."""
    name = _HELD if isinstance(state, Held) else state.status.value
    return {"status": name, **_ADAPTERS[name].dump_python(state, mode="json")}


def from_json(document: dict[str, Any]) -> OrderState:
    """Raises ValueError (pydantic's included) on anything that ``to_json`` did not write."""
    if document.get("status") not in _ADAPTERS:
        raise ValueError(f"no state is called {document.get('status')!r}")
    fields = {key: value for key, value in document.items() if key != "status"}
    state: OrderState = _ADAPTERS[document["status"]].validate_python(fields)
    return state
