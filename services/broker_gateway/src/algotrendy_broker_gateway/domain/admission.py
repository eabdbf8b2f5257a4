"""What becomes of an approval that arrives: its order is submitted, waits, or is cancelled before it ever left.

Invariant: only ``SUBMIT`` lets anything out, and it needs an account we run, a genuine and unexpired approval, books
that agree with the venue's, and a risk service that was heard and does not say halt.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from algotrendy_common.events.order import OrderApproved
from algotrendy_common.ids import client_order_id
from algotrendy_core.order_states import Approved, Cancelled, OrderState, Submitting

from algotrendy_broker_gateway.domain.order_record import OrderRecord


class Gate(StrEnum):
    """Whether orders may leave an account now."""

    OPEN = "open"
    WAITING = "waiting"
    """Not reconciled yet, or risk was not heard yet: approved orders wait."""
    HALTED = "halted"
    """By risk or a person: approved orders are cancelled."""
    STOPPED = "stopped"
    """By our own independent count: nothing leaves until a person has looked."""
    VENUE_DOWN = "venue_down"
    """Another account stands in: approved orders are cancelled, so that they can be proposed there."""


@dataclass(frozen=True, slots=True)
class Admission:
    """The order as it enters the books, and what its history says of it."""

    order: OrderRecord
    submit: bool
    history: tuple[tuple[str, datetime, str], ...]
    """Status, time, detail."""


def admit(
    approved: OrderApproved, gate: Gate | None, venue: str, now: datetime, objection: str | None = None
) -> Admission:
    """``gate`` is the account's, None where we do not run it; ``objection`` says why the venue cannot take the order.

    The signature has been verified before.
    """
    terms = approved.terms
    given = ("approved", approved.received_time, f"approval {approved.approval_id}")
    refusal = _refusal(approved, gate, venue, now) or objection
    state: OrderState
    history: tuple[tuple[str, datetime, str], ...]
    if refusal is not None:
        state = Cancelled(terms, None, (), refusal)
        history = (given, (state.status.value, now, refusal))
    elif gate is Gate.OPEN:
        state = Submitting(terms, 1)
        history = (given, (state.status.value, now, ""))
    else:
        state = Approved(terms, approved.approval_id)
        history = (given,)
    submitting = isinstance(state, Submitting)
    client_id = client_order_id(terms.order_id)
    order = OrderRecord(
        client_order_id=client_id,
        venue_client_id=client_id,
        approval_id=approved.approval_id,
        notional=approved.notional,
        expires_at=approved.expires_at,
        origin=approved.origin,
        state=state,
        revision=1,
        created_at=now,
        submitted_at=now if submitting else None,
    )
    return Admission(order, submitting, history)


def _refusal(approved: OrderApproved, gate: Gate | None, venue: str, now: datetime) -> str | None:
    if gate is None:
        return f"account_unknown: no account {approved.terms.account} here"
    if approved.terms.venue != venue:
        return f"venue_unknown: {approved.terms.account} does not trade on {approved.terms.venue}"
    if approved.expires_at <= now:
        return f"approval_expired: it ended {approved.expires_at.isoformat()}"
    if gate is Gate.HALTED:
        return "halted: trading on the account is halted"
    if gate is Gate.STOPPED:
        return "stopped: orders out did not match approvals in"
    if gate is Gate.VENUE_DOWN:
        return "venue_down: nothing was sent; the account's venue does not answer and another account stands in"
    return None


def refusal_while_waiting(order: OrderRecord, gate: Gate, now: datetime) -> str | None:
    """Why an order that waited cannot be submitted any more; None where it may still be."""
    if order.expires_at is not None and order.expires_at <= now:
        return f"approval_expired: it ended {order.expires_at.isoformat()} while the order waited"
    if gate is Gate.HALTED:
        return "halted: trading on the account is halted"
    if gate is Gate.STOPPED:
        return "stopped: orders out did not match approvals in"
    if gate is Gate.VENUE_DOWN:
        return "venue_down: nothing was sent; the account's venue does not answer and another account stands in"
    return None
