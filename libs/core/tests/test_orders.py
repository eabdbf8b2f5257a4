"""The order machine: each transition, then any reports in any order."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from algotrendy_common.enums import Liquidity, OrderStatus, OrderType, Side
from algotrendy_common.errors import InvariantBroken
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.ids import derived_id
from algotrendy_core import order_states as states
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
from algotrendy_core.orders import (
    apply,
    average_price,
    filled_quantity,
    fills_of,
    overfilled_quantity,
    venue_order_id,
    working_quantity,
)
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
TERMS = OrderTerms(
    order_id=derived_id("order"),
    account="paper-1",
    venue="binance",
    symbol="BTC-USDT",
    side=Side.BUY,
    type=OrderType.MARKET,
    quantity=Decimal("1"),
)


def fill(trade_id: str = "1", quantity: str = "0.4", price: str = "100") -> Fill:
    return Fill(
        trade_id, "v1", "binance", "BTC-USDT", Side.BUY, Decimal(price), Decimal(quantity), Decimal("0.04"), "USDT",
        Liquidity.TAKER, NOON,
    )  # fmt: skip


def run(*reports: Report, start: OrderState | None = None) -> OrderState:
    state = start or Submitting(TERMS, 1)
    for report in reports:
        state = apply(state, report)
    return state


A, B, C = fill("1"), fill("2", "0.5", "110"), fill("3", "0.1", "120")
ACCEPTED = AcceptedByVenue("v1")
REJECTED = RejectedByVenue("NO", "no")
CANCELLED = CancelledAtVenue("v1", "asked")
NOT_FOUND = NotFoundAtVenue("asked five times")
SILENCE = SubmissionUnanswered("timeout")


def test_the_usual_life() -> None:
    state: OrderState = Proposed(TERMS)
    seen = []
    for report in (
        ApprovalAsked("large"),
        ApprovalGiven("a1"),
        SubmissionStarted(),
        ACCEPTED,
        FilledAtVenue(A),
        FilledAtVenue(B),
        FilledAtVenue(C),
    ):
        state = apply(state, report)
        seen.append(state.status)
    assert seen == [
        OrderStatus.NEEDS_APPROVAL,
        OrderStatus.APPROVED,
        OrderStatus.SUBMITTING,
        OrderStatus.OPEN,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.FILLED,
    ]
    assert average_price(state) == Decimal("107")
    assert filled_quantity(state) == 1
    assert working_quantity(state) == 0
    assert venue_order_id(state) == "v1"


LIVE = Open(TERMS, "v1")
PARTIAL = PartiallyFilled(TERMS, "v1", (A,))
UNKNOWN = OutcomeUnknown(TERMS, 1, "timeout")
LOST = Lost(TERMS, None, (), "gone")
DONE = Filled(TERMS, "v1", (A, B, C))


@pytest.mark.parametrize(
    ("before", "report", "after"),
    [
        (Submitting(TERMS, 1), SILENCE, UNKNOWN),
        (LIVE, SILENCE, LIVE),  # the stream was faster than the failing call
        (UNKNOWN, SubmissionStarted(), Submitting(TERMS, 2)),
        (Submitting(TERMS, 1), SubmissionStarted(), Submitting(TERMS, 2)),
        (UNKNOWN, ACCEPTED, LIVE),
        (UNKNOWN, REJECTED, Rejected(TERMS, "NO", "no")),
        (UNKNOWN, FilledAtVenue(A), PARTIAL),
        (UNKNOWN, NOT_FOUND, Lost(TERMS, None, (), "asked five times")),
        (UNKNOWN, CANCELLED, Cancelled(TERMS, "v1", (), "asked")),
        (LIVE, NOT_FOUND, Lost(TERMS, "v1", (), "asked five times")),
        (PARTIAL, NOT_FOUND, Lost(TERMS, "v1", (A,), "asked five times")),
        (LOST, ACCEPTED, LIVE),
        (LOST, FilledAtVenue(A), PARTIAL),
        (LOST, REJECTED, Rejected(TERMS, "NO", "no")),
        (LOST, CANCELLED, Cancelled(TERMS, "v1", (), "asked")),
        (LOST, NOT_FOUND, LOST),
        (Lost(TERMS, "v1", (A,), "gone"), ACCEPTED, PARTIAL),
        (Lost(TERMS, "v1", (A,), "gone"), REJECTED, Cancelled(TERMS, "v1", (A,), "no")),
        (LIVE, REJECTED, Rejected(TERMS, "NO", "no")),
        (PARTIAL, REJECTED, Cancelled(TERMS, "v1", (A,), "no")),
        (PARTIAL, CANCELLED, Cancelled(TERMS, "v1", (A,), "asked")),
        (LIVE, CANCELLED, Cancelled(TERMS, "v1", (), "asked")),
        (Approved(TERMS, "a1"), CancelledAtVenue(None, "withdrawn"), Cancelled(TERMS, None, (), "withdrawn")),
        (Cancelled(TERMS, None, (), "x"), ACCEPTED, Cancelled(TERMS, "v1", (), "x")),
        (Cancelled(TERMS, "v1", (), "x"), FilledAtVenue(A), Cancelled(TERMS, "v1", (A,), "x")),
        (Cancelled(TERMS, None, (), "x"), FilledAtVenue(fill("9", "1")), Filled(TERMS, "v1", (fill("9", "1"),))),
        (Rejected(TERMS, "NO", "no"), ACCEPTED, LIVE),
        (Rejected(TERMS, "NO", "no"), FilledAtVenue(A), PARTIAL),
        (Proposed(TERMS), ApprovalRefused("max", "no"), Refused(TERMS, "max", "no")),
        (Refused(TERMS, "max", "no"), ApprovalRefused("max", "no"), Refused(TERMS, "max", "no")),
    ],
)
def test_transition(before: OrderState, report: Report, after: OrderState) -> None:
    assert apply(before, report) == after


@pytest.mark.parametrize(
    ("state", "report"),
    [
        (DONE, ACCEPTED),
        (DONE, CANCELLED),
        (DONE, REJECTED),
        (DONE, SILENCE),
        (DONE, NOT_FOUND),
        (DONE, FilledAtVenue(B)),
        (LIVE, ACCEPTED),
        (PARTIAL, FilledAtVenue(A)),
        (Cancelled(TERMS, "v1", (A,), "x"), FilledAtVenue(A)),
        (Cancelled(TERMS, "v1", (A,), "x"), ACCEPTED),
        (LIVE, ApprovalGiven("a2")),
        (LIVE, ApprovalAsked("late")),
        (Refused(TERMS, "c", "m"), CANCELLED),
    ],
)
def test_a_report_that_says_nothing_new_leaves_the_very_same_state(state: OrderState, report: Report) -> None:
    assert apply(state, report) is state


@pytest.mark.parametrize(
    ("state", "report"),
    [
        (Proposed(TERMS), FilledAtVenue(A)),
        (Approved(TERMS, "a"), FilledAtVenue(A)),
        (Approved(TERMS, "a"), ACCEPTED),
        (Approved(TERMS, "a"), REJECTED),
        (Proposed(TERMS), SubmissionStarted()),
        (DONE, SubmissionStarted()),
        (LOST, SubmissionStarted()),
        (Refused(TERMS, "c", "m"), ApprovalGiven("a")),
        (LIVE, ApprovalRefused("c", "m")),
        (LIVE, FilledAtVenue(replace(A, symbol="LTC-USDT"))),
        (LIVE, FilledAtVenue(replace(A, side=Side.SELL))),
    ],
)
def test_what_cannot_be_true_stops(state: OrderState, report: Report) -> None:
    with pytest.raises(InvariantBroken) as stopped:
        apply(state, report)
    assert stopped.value.context["order_id"] == TERMS.order_id


def test_unknown_and_lost_orders_stay_reserved_in_full() -> None:
    assert working_quantity(UNKNOWN) == 1
    assert working_quantity(LOST) == 1
    assert working_quantity(Lost(TERMS, "v1", (A,), "gone")) == Decimal("0.6")
    assert working_quantity(Cancelled(TERMS, "v1", (A,), "x")) == 0


def test_an_overfill_is_kept_and_seen() -> None:
    state = run(ACCEPTED, FilledAtVenue(fill("1", "0.9")), FilledAtVenue(fill("2", "0.3")))
    assert isinstance(state, Filled)
    assert overfilled_quantity(state) == Decimal("0.2")
    assert working_quantity(state) == 0


fills = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from(["0.1", "0.2", "0.3"])), max_size=6, unique_by=lambda pair: pair[0]
).map(lambda pairs: [FilledAtVenue(fill(str(number), quantity)) for number, quantity in pairs])
venue_reports = st.sampled_from([ACCEPTED, REJECTED, CANCELLED, NOT_FOUND, SILENCE])


@given(st.data())
def test_fills_are_counted_once_whatever_the_order_and_the_repeats(data: st.DataObject) -> None:
    once = data.draw(fills)
    others = data.draw(st.lists(venue_reports, max_size=4))
    repeats = data.draw(st.lists(st.sampled_from(once), max_size=4)) if once else []
    state = run(*data.draw(st.permutations([*once, *others, *repeats])))
    assert {known.trade_id for known in fills_of(state)} == {report.fill.trade_id for report in once}
    assert filled_quantity(state) == sum((report.fill.quantity for report in once), Decimal(0))


@given(st.data())
def test_an_order_of_reports_changes_nothing_when_the_venue_does_not_contradict_itself(data: st.DataObject) -> None:
    once = data.draw(fills)
    end = [CANCELLED] if sum(report.fill.quantity for report in once) < 1 else []
    reports: list[Report] = [ACCEPTED, *once, *end]
    usual = run(*reports)
    shuffled = run(*data.draw(st.permutations([*reports, *data.draw(st.lists(st.sampled_from(reports), max_size=3))])))
    assert shuffled.status is usual.status
    assert {known.key for known in fills_of(shuffled)} == {known.key for known in fills_of(usual)}
    assert venue_order_id(shuffled) == "v1"


@given(st.data())
def test_every_state_survives_storage(data: st.DataObject) -> None:
    start = data.draw(st.sampled_from([Proposed(TERMS), Approved(TERMS, "a"), Submitting(TERMS, 2), UNKNOWN]))
    state: OrderState = start
    for report in data.draw(st.lists(st.one_of(venue_reports, st.sampled_from([FilledAtVenue(A), FilledAtVenue(B)])))):
        try:
            state = apply(state, report)
        except InvariantBroken:
            continue
        assert states.from_json(states.to_json(state)) == state
    assert states.from_json(states.to_json(state)) == state


def test_storage_refuses_what_it_did_not_write() -> None:
    with pytest.raises(ValueError):
        states.from_json({"status": "open", "terms": {}})
