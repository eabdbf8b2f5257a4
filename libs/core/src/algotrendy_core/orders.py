"""An order's life: ``apply`` moves an order from one state to the next by one report.

Invariant: reports may come twice and in any order. A fill is counted once by its trade id, nothing a venue says about
money is ever dropped, and a state that is already known better is not replaced by an older one.

    (``Held`` beside ``open``: the gateway waits for a price. An order in legs comes back to it between two of them.)

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
    EndedLegFilled,
    Filled,
    FilledAtVenue,
    Held,
    HeldByGateway,
    LegEnded,
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
        case SubmissionStarted(quantity):
            return _start(state, report, quantity)
        case HeldByGateway(quantity):
            return _hold(state, report, quantity)
        case LegEnded():
            return _end_leg(state)
        case AcceptedByVenue(venue_order_id):
            return _accept(state, report, venue_order_id)
        case RejectedByVenue():
            return _reject(state, report)
        case SubmissionUnanswered(detail):
            # A stream message may have told us more already while the call timed out.
            if isinstance(state, Submitting):
                return OutcomeUnknown(state.terms, state.attempt, detail, state.fills)
            return state
        case FilledAtVenue(fill):
            return _fill(state, report, fill)
        case EndedLegFilled(fill):
            return _fill_late(state, report, fill)
        case CancelledAtVenue():
            return _cancel(state, report)
        case NotFoundAtVenue(detail):
            return _lose(state, detail)
        case _:
            assert_never(report)


def _start(state: OrderState, report: Report, quantity: Decimal | None) -> OrderState:
    match state:
        case Approved():
            return Submitting(_lessened(state.terms, quantity), 1)
        case Held():
            return Submitting(_lessened(state.terms, quantity), 1, state.fills)
        case Submitting() | OutcomeUnknown():
            return Submitting(state.terms, state.attempt + 1, state.fills)
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


def _hold(state: OrderState, report: Report, quantity: Decimal | None) -> OrderState:
    match state:
        case Approved():
            return Held(_lessened(state.terms, quantity))
        case Held():
            return state
        case _:
            raise _impossible(state, report)


def _end_leg(state: OrderState) -> OrderState:
    """Only of what works: what has ended altogether stays ended."""
    match state:
        case Open():
            return Held(state.terms)
        case PartiallyFilled():
            return Held(state.terms, state.fills)
        case _:
            return state


def _lessened(terms: OrderTerms, quantity: Decimal | None) -> OrderTerms:
    if quantity is None or quantity >= terms.quantity:
        return terms
    return terms.model_copy(update={"quantity": quantity})


def _accept(state: OrderState, report: Report, venue_order_id: str) -> OrderState:
    match state:
        case Rejected():
            # After a rejection the later word wins because it is the one that costs money if it is true.
            return Open(state.terms, venue_order_id)
        case Submitting() | OutcomeUnknown() | Lost():
            return _working(state.terms, venue_order_id, state.fills)
        case Held():
            return state
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
        case Open():
            return Rejected(state.terms, report.code, report.message)
        case Submitting() | OutcomeUnknown():
            if not state.fills:
                return Rejected(state.terms, report.code, report.message)
            return Cancelled(state.terms, None, state.fills, report.message)
        case Lost():
            if not state.fills:
                return Rejected(state.terms, report.code, report.message)
            return Cancelled(state.terms, state.venue_order_id, state.fills, report.message)
        case PartiallyFilled():
            return Cancelled(state.terms, state.venue_order_id, state.fills, report.message)
        case Filled() | Cancelled() | Rejected() | Held():
            return state
        case Proposed() | NeedsApproval() | Refused() | Approved():
            raise _impossible(state, report)
        case _:
            assert_never(state)


def _fill(state: OrderState, report: Report, fill: Fill) -> OrderState:
    _check_own(state, report, fill)
    match state:
        case Open() | Rejected():
            return _working(state.terms, fill.venue_order_id, (fill,))
        case Submitting() | OutcomeUnknown():
            if _counted(state.fills, fill):
                return state
            return _working(state.terms, fill.venue_order_id, (*state.fills, fill))
        case Held():
            return _fill_late(state, report, fill)
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


def _fill_late(state: OrderState, report: Report, fill: Fill) -> OrderState:
    """A fill that says nothing about what works now: only the count changes, and the end where nothing is left."""
    _check_own(state, report, fill)
    match state:
        case Submitting() | OutcomeUnknown() | Held():
            if _counted(state.fills, fill):
                return state
            fills = (*state.fills, fill)
            if isinstance(state, Held) and _total(fills) >= state.terms.quantity:
                return Filled(state.terms, fill.venue_order_id, fills)
            return replace(state, fills=fills)
        case Open():
            return _working(state.terms, state.venue_order_id, (fill,))
        case _:
            return _fill(state, report, fill)


def _check_own(state: OrderState, report: Report, fill: Fill) -> None:
    terms = state.terms
    if fill.symbol != terms.symbol or fill.venue != terms.venue or fill.side is not terms.side:
        raise _impossible(state, report)


def _cancel(state: OrderState, report: CancelledAtVenue) -> OrderState:
    match state:
        case Proposed() | NeedsApproval() | Approved():
            return Cancelled(state.terms, report.venue_order_id, (), report.reason)
        case Submitting() | OutcomeUnknown() | Held():
            return Cancelled(state.terms, report.venue_order_id, state.fills, report.reason)
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
            return Lost(state.terms, None, state.fills, detail)
        case Open():
            return Lost(state.terms, state.venue_order_id, (), detail)
        case PartiallyFilled():
            return Lost(state.terms, state.venue_order_id, state.fills, detail)
        case (
            Proposed()
            | NeedsApproval()
            | Refused()
            | Approved()
            | Held()
            | Filled()
            | Cancelled()
            | Rejected()
            | Lost()
        ):
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
    traded = Submitting | Held | PartiallyFilled | Filled | Cancelled | OutcomeUnknown | Lost
    return state.fills if isinstance(state, traded) else ()


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
