"""Orders that wait at the gateway and go to the venue in legs, one after the other."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from algotrendy_common.enums import Liquidity, OrderStatus, OrderType, Side
from algotrendy_common.errors import InvariantBroken
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.ids import derived_id
from algotrendy_core import order_states as states
from algotrendy_core import orders
from algotrendy_core.fills import Fill
from hypothesis import given
from hypothesis import strategies as st

TERMS = OrderTerms(
    order_id=derived_id("an order in legs"),
    account="a",
    venue="binance",
    symbol="BTC-USDT",
    side=Side.SELL,
    type=OrderType.OCO,
    quantity=Decimal(1),
    limit_price=Decimal(110),
    trigger_price=Decimal(90),
)


def fill(trade_id: str, quantity: str, leg: str = "v0") -> Fill:
    return Fill(
        trade_id=trade_id,
        venue_order_id=leg,
        venue="binance",
        symbol="BTC-USDT",
        side=Side.SELL,
        price=Decimal(100),
        quantity=Decimal(quantity),
        fee=Decimal(0),
        fee_currency="USDT",
        liquidity=Liquidity.TAKER,
        event_time=datetime(2026, 3, 1, tzinfo=UTC),
    )


def run(state: states.OrderState, *reports: states.Report) -> states.OrderState:
    for report in reports:
        state = orders.apply(state, report)
    return state


APPROVED = states.Approved(TERMS, "approval")


def test_an_order_held_here_is_open_and_goes_out_when_its_price_has_come() -> None:
    held = run(APPROVED, states.HeldByGateway())
    assert held == states.Held(TERMS)
    assert held.status is OrderStatus.OPEN
    assert orders.working_quantity(held) == 1
    out = run(held, states.SubmissionStarted(), states.AcceptedByVenue("v0"))
    assert out == states.Open(TERMS, "v0")


def test_a_lessened_order_is_the_order_from_then_on() -> None:
    out = run(APPROVED, states.SubmissionStarted(Decimal("0.4")))
    assert out.terms.quantity == Decimal("0.4")
    done = run(out, states.FilledAtVenue(fill("1", "0.4")))
    assert done.status is OrderStatus.FILLED


def test_what_an_ended_leg_traded_is_kept_through_the_next_one() -> None:
    leg = run(
        APPROVED, states.SubmissionStarted(), states.AcceptedByVenue("v0"), states.FilledAtVenue(fill("1", "0.3"))
    )
    between = run(leg, states.LegEnded())
    assert between == states.Held(TERMS, (fill("1", "0.3"),))
    unknown = run(between, states.SubmissionStarted(), states.SubmissionUnanswered("timeout"))
    assert orders.filled_quantity(unknown) == Decimal("0.3")
    assert orders.working_quantity(unknown) == Decimal("0.7")
    done = run(unknown, states.FilledAtVenue(fill("2", "0.7", "v1")))
    assert done.status is OrderStatus.FILLED
    assert orders.venue_order_id(done) == "v1"


def test_a_late_fill_of_an_ended_leg_counts_and_does_not_speak_for_the_next() -> None:
    submitting = run(APPROVED, states.HeldByGateway(), states.SubmissionStarted())
    after = run(submitting, states.EndedLegFilled(fill("1", "0.3")))
    assert isinstance(after, states.Submitting)
    assert orders.filled_quantity(after) == Decimal("0.3")
    assert run(after, states.EndedLegFilled(fill("1", "0.3"))) is after
    working = run(after, states.AcceptedByVenue("v1"), states.EndedLegFilled(fill("2", "0.1")))
    assert orders.venue_order_id(working) == "v1"
    assert orders.filled_quantity(working) == Decimal("0.4")


def test_a_refused_leg_ends_an_order_that_has_traded_as_cancelled_with_what_it_has() -> None:
    between = states.Held(TERMS, (fill("1", "0.3"),))
    refused = run(between, states.SubmissionStarted(), states.RejectedByVenue("no", "no money"))
    assert refused == states.Cancelled(TERMS, None, (fill("1", "0.3"),), "no money")
    assert run(states.Held(TERMS), states.CancelledAtVenue(None, "asked")).status is OrderStatus.CANCELLED


@pytest.mark.parametrize("state", [states.Proposed(TERMS), states.Filled(TERMS, "v", (fill("1", "1"),))])
def test_only_what_was_approved_can_be_held(state: states.OrderState) -> None:
    with pytest.raises(InvariantBroken):
        orders.apply(state, states.HeldByGateway())


_REPORTS = st.lists(
    st.one_of(
        st.builds(states.FilledAtVenue, st.builds(fill, st.sampled_from("abcdef"), st.sampled_from(["0.1", "0.2"]))),
        st.builds(states.EndedLegFilled, st.builds(fill, st.sampled_from("abcdef"), st.sampled_from(["0.1", "0.2"]))),
        st.sampled_from(
            [
                states.LegEnded(),
                states.AcceptedByVenue("v0"),
                states.AcceptedByVenue("v1"),
                states.SubmissionUnanswered("timeout"),
                states.CancelledAtVenue("v0", "gone"),
                states.NotFoundAtVenue("nowhere"),
                states.RejectedByVenue("no", "no"),
            ]
        ),
    ),
    max_size=15,
)


@given(_REPORTS)
def test_no_order_of_reports_loses_or_doubles_a_fill(reports: list[states.Report]) -> None:
    state: states.OrderState = run(APPROVED, states.SubmissionStarted())
    seen: dict[str, Decimal] = {}
    for report in reports:
        if isinstance(report, states.FilledAtVenue | states.EndedLegFilled):
            seen.setdefault(report.fill.trade_id, report.fill.quantity)
        state = orders.apply(state, report)
        assert orders.filled_quantity(state) == sum(seen.values(), Decimal(0))
        assert states.from_json(states.to_json(state)) == state
        if isinstance(state, states.Held):
            state = orders.apply(state, states.SubmissionStarted())
