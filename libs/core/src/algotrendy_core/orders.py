"""An order's life: ``apply`` moves an order from one state to the next by one report.

Invariant: reports may come twice and in any order. A fill is counted once by its trade id, nothing a venue says about
money is ever dropped, and a state that is already known better is not replaced by an older one.

    proposed ─► needs_approval ─► approved ─► submitting ─► open ─► partially_filled ─► filled
        └► refused    └► refused                 │  ▲        └───────────┴► cancelled
                                                 │  └ rejected
                                                 └► outcome_unknown ─► (whatever the venue turns out to say) | lost
"""

from dataclasses import replace
from decimal import Decimal
from typing import assert_never

from algotrendy_common.errors import InvariantBroken
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import ZERO

from algotrendy_core.fills import Fill
from algotrendy_core.order_states import (
    AcceptedByVenue,
    ApprovalAsked,
    ApprovalGiven,
    ApprovalRefused,
    Approved,
    Cancelled,
    CancelledAtVenue,
    Filled,
    FilledAtVenue,
    Lost,
    NeedsApproval,
    NotFoundAtVenue,
    Open,
    OrderState,
    OutcomeUnknown,
    PartiallyFilled,
    Proposed,
    Refused,
    Rejected,
    RejectedByVenue,
    Report,
    SubmissionStarted,
    SubmissionUnanswered,
    Submitting,
)


def apply(state: OrderState, report: Report) -> OrderState:
    """The state after ``report``; the same object when it says nothing new.

    Raises InvariantBroken on a report that cannot be true, such as a fill of an order that was never submitted.
    """
    match report:
        case ApprovalAsked(reason):
            return NeedsApproval(state.terms, reason) if isinstance(state, Proposed) else state
        case ApprovalGiven(approval_id):
            if isinstance(state, Refused):
                raise _impossible(state, report)
            return Approved(state.terms, approval_id) if isinstance(state, Proposed | NeedsApproval) else state
        case ApprovalRefused(code, message):
            if isinstance(state, Proposed | NeedsApproval):
                return Refused(state.terms, code, message)
            if isinstance(state, Refused):
                return state
            raise _impossible(state, report)
        case SubmissionStarted():
            return _start(state, report)
        case AcceptedByVenue(venue_order_id):
            return _accept(state, report, venue_order_id)
        case RejectedByVenue():
            return _reject(state, report)
        case SubmissionUnanswered(detail):
            # A stream message may have told us more already while the call timed out.
            return OutcomeUnknown(state.terms, state.attempt, detail) if isinstance(state, Submitting) else state
        case FilledAtVenue(fill):
            return _fill(state, report, fill)
        case CancelledAtVenue():
            return _cancel(state, report)
        case NotFoundAtVenue(detail):
            return _lose(state, detail)
        case _:
            assert_never(report)


def _start(state: OrderState, report: Report) -> OrderState:
    match state:
        case Approved():
            return Submitting(state.terms, 1)
        case Submitting() | OutcomeUnknown():
            return Submitting(state.terms, state.attempt + 1)
        case (
            Proposed()
            | NeedsApproval()
            | Refused()
            | Open()
            | PartiallyFilled()
            | Filled()
            | Cancelled()
            | Rejected()
            | Lost()
        ):
            raise _impossible(state, report)
        case _:
            assert_never(state)


def _accept(state: OrderState, report: Report, venue_order_id: str) -> OrderState:
    match state:
        case Submitting() | OutcomeUnknown() | Rejected():
            # After a rejection the later word wins because it is the one that costs money if it is true.
            return Open(state.terms, venue_order_id)
        case Lost():
            return _working(state.terms, venue_order_id, state.fills)
        case Cancelled():
            return state if state.venue_order_id else replace(state, venue_order_id=venue_order_id)
        case Open() | PartiallyFilled() | Filled():
            return state
        case Proposed() | NeedsApproval() | Refused() | Approved():
            raise _impossible(state, report)
        case _:
            assert_never(state)


def _reject(state: OrderState, report: RejectedByVenue) -> OrderState:
    match state:
        case Submitting() | OutcomeUnknown() | Open():
            return Rejected(state.terms, report.code, report.message)
        case Lost():
            if not state.fills:
                return Rejected(state.terms, report.code, report.message)
            return Cancelled(state.terms, state.venue_order_id, state.fills, report.message)
        case PartiallyFilled():
            return Cancelled(state.terms, state.venue_order_id, state.fills, report.message)
        case Filled() | Cancelled() | Rejected():
            return state
        case Proposed() | NeedsApproval() | Refused() | Approved():
            raise _impossible(state, report)
        case _:
            assert_never(state)


def _fill(state: OrderState, report: Report, fill: Fill) -> OrderState:
    if fill.symbol != state.terms.symbol or fill.venue != state.terms.venue or fill.side is not state.terms.side:
        raise _impossible(state, report)
    match state:
        case Submitting() | OutcomeUnknown() | Open() | Rejected():
            return _working(state.terms, fill.venue_order_id, (fill,))
        case PartiallyFilled() | Filled() | Lost():
            if _counted(state.fills, fill):
                return state
            return _working(state.terms, state.venue_order_id or fill.venue_order_id, (*state.fills, fill))
        case Cancelled():
            if _counted(state.fills, fill):
                return state
            fills = (*state.fills, fill)
            venue_order_id = state.venue_order_id or fill.venue_order_id
            if _total(fills) >= state.terms.quantity:
                return Filled(state.terms, venue_order_id, fills)
            return replace(state, venue_order_id=venue_order_id, fills=fills)
        case Proposed() | NeedsApproval() | Refused() | Approved():
            raise _impossible(state, report)
        case _:
            assert_never(state)


def _cancel(state: OrderState, report: CancelledAtVenue) -> OrderState:
    match state:
        case Proposed() | NeedsApproval() | Approved() | Submitting() | OutcomeUnknown():
            return Cancelled(state.terms, report.venue_order_id, (), report.reason)
        case Open():
            return Cancelled(state.terms, state.venue_order_id, (), report.reason)
        case PartiallyFilled():
            return Cancelled(state.terms, state.venue_order_id, state.fills, report.reason)
        case Lost():
            return Cancelled(state.terms, state.venue_order_id or report.venue_order_id, state.fills, report.reason)
        case Refused() | Filled() | Cancelled() | Rejected():
            return state
        case _:
            assert_never(state)


def _lose(state: OrderState, detail: str) -> OrderState:
    match state:
        case Submitting() | OutcomeUnknown():
            return Lost(state.terms, None, (), detail)
        case Open():
            return Lost(state.terms, state.venue_order_id, (), detail)
        case PartiallyFilled():
            return Lost(state.terms, state.venue_order_id, state.fills, detail)
        case Proposed() | NeedsApproval() | Refused() | Approved() | Filled() | Cancelled() | Rejected() | Lost():
            return state
        case _:
            assert_never(state)


def _working(terms: OrderTerms, venue_order_id: str, fills: tuple[Fill, ...]) -> OrderState:
    if not fills:
        return Open(terms, venue_order_id)
    if _total(fills) >= terms.quantity:
        return Filled(terms, venue_order_id, fills)
    return PartiallyFilled(terms, venue_order_id, fills)


def _counted(fills: tuple[Fill, ...], fill: Fill) -> bool:
    return any(known.key == fill.key for known in fills)


def _total(fills: tuple[Fill, ...]) -> Decimal:
    return sum((fill.quantity for fill in fills), ZERO)


def _impossible(state: OrderState, report: Report) -> InvariantBroken:
    return InvariantBroken(
        f"{type(report).__name__} cannot happen to an order that is {state.status}", order_id=state.terms.order_id
    )


# ── questions ───────────────────────────────────────────────────────────────────────────────────────────────────


def fills_of(state: OrderState) -> tuple[Fill, ...]:
    """What has traded, in the order in which it became known."""
    return state.fills if isinstance(state, PartiallyFilled | Filled | Cancelled | Lost) else ()


def filled_quantity(state: OrderState) -> Decimal:
    return _total(fills_of(state))


def average_price(state: OrderState) -> Decimal | None:
    """Quantity-weighted price of the fills; None before the first."""
    fills = fills_of(state)
    return sum((fill.notional for fill in fills), ZERO) / _total(fills) if fills else None


def working_quantity(state: OrderState) -> Decimal:
    """What may still trade, and so must stay reserved. In full while the outcome is unknown or the order is lost."""
    if state.status.terminal:
        return ZERO
    return max(state.terms.quantity - filled_quantity(state), ZERO)


def overfilled_quantity(state: OrderState) -> Decimal:
    """What the venue traded beyond the order; more than zero is an alarm."""
    return max(filled_quantity(state) - state.terms.quantity, ZERO)


def venue_order_id(state: OrderState) -> str | None:
    return getattr(state, "venue_order_id", None)
