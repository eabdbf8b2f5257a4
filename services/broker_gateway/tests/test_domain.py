"""Pure decisions, first by example, then by their properties."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from algotrendy_broker_gateway.accounts.halting import Halting
from algotrendy_broker_gateway.desk.gate import TradingGate
from algotrendy_broker_gateway.domain.admission import Gate, admit, refusal_while_waiting
from algotrendy_broker_gateway.domain.balances import adoptable, differences, movements
from algotrendy_broker_gateway.domain.order_record import OrderRecord, advance, fee_of, reason_of, too_early
from algotrendy_broker_gateway.domain.outbound_count import OutboundCount, Pass, check_executed
from algotrendy_broker_gateway.domain.rate_limit import TokenBucket
from algotrendy_broker_gateway.domain.search import Patience, Search, next_delay, not_found, unanswered
from algotrendy_broker_gateway.domain.venue_report import Standing, VenueOrder, VenueReport, steps_of
from algotrendy_broker_gateway.errors import OutboundBreach
from algotrendy_common.approval import Signer
from algotrendy_common.clock import ManualClock
from algotrendy_common.enums import Liquidity, OrderSource, OrderStatus, OrderType, Side, TimeInForce
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.order import OrderApproved, OrderOrigin, OrderTerms
from algotrendy_common.ids import client_order_id, derived_id
from algotrendy_core import orders
from algotrendy_core.fills import Fill
from algotrendy_core.order_states import (
    AcceptedByVenue,
    CancelledAtVenue,
    FilledAtVenue,
    LegEnded,
    RejectedByVenue,
    SubmissionUnanswered,
    Submitting,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def terms(**changes):
    return OrderTerms(
        **(
            {
                "order_id": derived_id("order"),
                "account": "paper-1",
                "venue": "binance",
                "symbol": "BTC-USDT",
                "side": Side.BUY,
                "type": OrderType.LIMIT,
                "quantity": Decimal(2),
                "limit_price": Decimal(100),
            }
            | changes
        )
    )


def approval(expires_in=10 * SECOND, **changes):
    wanted = terms(**changes)
    return EventFactory("risk", ManualClock(NOW)).make(
        OrderApproved,
        approval_id=derived_id("approval"),
        terms=wanted,
        origin=OrderOrigin(source=OrderSource.TRADER, user="tom"),
        notional=Decimal(200),
        expires_at=NOW + expires_in,
        signature=Signer("11" * 32).sign(derived_id("approval"), wanted, Decimal(200), NOW + expires_in),
    )


def fill(trade_id="1", quantity="1", price="100", fee="0.001", currency="BTC", side=Side.BUY):
    return Fill(
        trade_id, "v-1", "binance", "BTC-USDT", side, Decimal(price), Decimal(quantity), Decimal(fee), currency,
        Liquidity.TAKER, NOW,
    )  # fmt: skip


def record(state=None):
    order = admit(approval(), Gate.OPEN, "binance", NOW).order
    return replace(order, state=state) if state else order


# -- admission -------------------------------------------------------------------------------------------------------


def test_an_open_gate_lets_an_approved_order_out_under_its_own_id():
    admission = admit(approval(), Gate.OPEN, "binance", NOW)

    assert admission.submit
    assert admission.order.status is OrderStatus.SUBMITTING
    assert admission.order.client_order_id == client_order_id(derived_id("order"))
    assert admission.order.submitted_at == NOW
    assert [status for status, _, _ in admission.history] == ["approved", "submitting"]


def test_a_waiting_gate_keeps_the_order_approved():
    admission = admit(approval(), Gate.WAITING, "binance", NOW)

    assert not admission.submit
    assert (admission.order.status, admission.order.submitted_at) == (OrderStatus.APPROVED, None)


@pytest.mark.parametrize(
    ("gate", "expires_in", "venue", "code"),
    [
        (None, 10 * SECOND, "binance", "account_unknown"),
        (Gate.OPEN, 10 * SECOND, "kraken", "venue_unknown"),
        (Gate.OPEN, 0 * SECOND, "binance", "approval_expired"),
        (Gate.WAITING, -SECOND, "binance", "approval_expired"),
        (Gate.HALTED, 10 * SECOND, "binance", "halted"),
        (Gate.STOPPED, 10 * SECOND, "binance", "stopped"),
    ],
)
def test_what_may_not_leave_is_cancelled_with_its_reason(gate, expires_in, venue, code):
    admission = admit(approval(expires_in), gate, venue, NOW)

    assert not admission.submit
    assert admission.order.status is OrderStatus.CANCELLED
    assert reason_of(admission.order.state)[0] == code


def test_waiting_ends_with_the_approval_or_a_halt():
    order = admit(approval(), Gate.WAITING, "binance", NOW).order

    assert refusal_while_waiting(order, Gate.WAITING, NOW) is None
    assert refusal_while_waiting(order, Gate.OPEN, NOW + 10 * SECOND).startswith("approval_expired: ")
    assert refusal_while_waiting(order, Gate.HALTED, NOW).startswith("halted: ")
    assert refusal_while_waiting(order, Gate.STOPPED, NOW).startswith("stopped: ")


@pytest.mark.parametrize(
    ("reconciled", "halted", "stopped", "closing", "state"),
    [
        (True, False, None, False, Gate.OPEN),
        (False, False, None, False, Gate.WAITING),
        (True, None, None, False, Gate.WAITING),
        (True, False, None, True, Gate.WAITING),
        (False, True, None, False, Gate.HALTED),
        (True, True, "count", False, Gate.STOPPED),
    ],
)
def test_the_gate_is_open_only_when_everything_is_proved(reconciled, halted, stopped, closing, state):
    gate = TradingGate()
    assert gate.state is Gate.WAITING
    assert gate.problem() is not None
    gate.reconciled, gate.halted, gate.stopped, gate.closing = reconciled, halted, stopped, closing

    assert gate.state is state
    assert (gate.problem() is None) == (reconciled and halted is not None and stopped is None)


async def test_the_kill_file_holds_from_the_moment_it_is_there(tmp_path):
    file = tmp_path / "KILL"
    gate = TradingGate()
    gate.reconciled, gate.halted = True, False
    halting = Halting({"main": SimpleNamespace(account="main", desk=SimpleNamespace(gate=gate))}, None, file)
    await halting.begin()

    assert gate.state is Gate.OPEN
    file.touch()
    assert gate.state is Gate.HALTED  # nobody has looked for it since
    file.unlink()
    assert gate.state is Gate.OPEN


# -- steps -----------------------------------------------------------------------------------------------------------


def test_a_report_that_says_nothing_new_leaves_no_trace():
    first = advance(record(), AcceptedByVenue("v-1"), NOW)

    assert first.order.revision == 2
    assert advance(first.order, AcceptedByVenue("v-1"), NOW) is None


def test_a_fill_is_counted_by_the_step_that_met_it_first():
    step = advance(record(), FilledAtVenue(fill()), NOW + SECOND)

    assert (step.fill, step.time) == (fill(), NOW)
    assert advance(step.order, FilledAtVenue(fill()), NOW) is None
    assert orders.filled_quantity(step.order.state) == 1


@pytest.mark.parametrize(
    ("report", "executed", "early"),
    [
        (CancelledAtVenue("v-1", "cancelled"), "0.5", True),
        (CancelledAtVenue("v-1", "cancelled"), "0.4", False),
        (LegEnded(), "0.5", True),
        (FilledAtVenue(fill(quantity="0.1")), "0.5", False),
        (AcceptedByVenue("v-1"), "0.5", False),
    ],
)
def test_an_order_ends_with_its_last_fill_and_not_before(report, executed, early):
    order = advance(record(), AcceptedByVenue("v-1"), NOW).order
    order = advance(order, FilledAtVenue(fill(trade_id="a", quantity="0.4")), NOW).order
    assert too_early(order, report, "v-1", Decimal(executed)) is early


@pytest.mark.parametrize(
    ("report", "code", "message"),
    [
        (RejectedByVenue("venue_refused", "no money"), "venue_refused", "no money"),
        (CancelledAtVenue(None, "expired: its time was up"), "expired", "its time was up"),
        (CancelledAtVenue(None, "cancelled"), "cancelled", None),
        (SubmissionUnanswered("reset"), "outcome_unknown", "reset"),
        (AcceptedByVenue("v-1"), None, None),
    ],
)
def test_what_went_wrong_is_told_as_code_and_message(report, code, message):
    assert reason_of(advance(record(), report, NOW).order.state) == (code, message)


def test_fees_add_up_in_one_currency_and_are_left_to_the_fills_in_several():
    order = record()
    for number, currency in enumerate(("BTC", "BTC", "BNB")):
        order = advance(order, FilledAtVenue(fill(str(number), "0.5", currency=currency)), NOW).order
        if number == 1:
            assert fee_of(order.state) == (Decimal("0.002"), "BTC")
    assert fee_of(order.state) == (Decimal(0), None)


def venue_order(standing, executed="0", reason=""):
    return VenueOrder(
        "v-1", "c-1", "BTC-USDT", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, Decimal(2), Decimal(100),
        Decimal(executed), standing, reason, NOW, NOW,
    )  # fmt: skip


@given(st.permutations(["1", "2", "3", "4"]), st.integers(0, 3), st.booleans())
def test_reports_in_any_order_and_twice_end_in_the_same_order(trades, split, cancelled):
    """A stream, an answer and a query tell of the same fills, each in its own order."""
    fills = {trade_id: fill(trade_id, "0.25") for trade_id in trades}
    first = VenueReport(venue_order(Standing.WORKING), tuple(fills[one] for one in trades[:split]))
    end = Standing.CANCELLED if cancelled else Standing.WORKING
    second = VenueReport(venue_order(end, "1"), tuple(fills[one] for one in sorted(trades)))
    order, counted = record(), []
    for report in (first, second, first, second):
        for one in steps_of(report):
            step = advance(order, one, NOW)
            if step is not None:
                order = step.order
                counted += [step.fill.trade_id] if step.fill else []

    assert sorted(counted) == ["1", "2", "3", "4"]
    assert orders.filled_quantity(order.state) == 1
    assert order.status is (OrderStatus.CANCELLED if cancelled else OrderStatus.PARTIALLY_FILLED)


def test_a_rejected_report_is_only_that():
    assert steps_of(VenueReport(venue_order(Standing.REJECTED, reason="r"))) == (
        RejectedByVenue("venue_rejected", "r"),
    )


# -- the independent count -------------------------------------------------------------------------------------------


def count_of(notional="200", **changes):
    count = OutboundCount(Decimal("0.0001"))
    count.admit("c", Pass("a", terms(**changes), Decimal(notional)))
    return count


def test_one_approval_lets_one_order_out_once():
    count = count_of()
    count.let_out("c", terms())
    assert (count.approvals, count.orders) == (1, 1)
    with pytest.raises(OutboundBreach):
        count.let_out("c", terms())


def test_what_was_admitted_and_was_no_new_order_lets_nothing_out():
    count = count_of()
    assert count.knows("c")
    count.withdraw("c")
    assert not count.knows("c")
    with pytest.raises(OutboundBreach):
        count.let_out("c", terms())
    assert (count.approvals, count.orders) == (0, 0)


@pytest.mark.parametrize("change", [{"quantity": Decimal(3)}, {"side": Side.SELL}, {"limit_price": Decimal(99)}])
def test_other_terms_than_the_approved_ones_do_not_leave(change):
    with pytest.raises(OutboundBreach):
        count_of().let_out("c", terms(**change))


def test_nobody_elses_pass_is_used():
    with pytest.raises(OutboundBreach):
        count_of().let_out("d", terms())


@pytest.mark.parametrize(("notional", "breach"), [("200", False), ("199.99", False), ("199", True)])
def test_the_notional_stays_within_the_approval(notional, breach):
    count = count_of(notional)
    if breach:
        with pytest.raises(OutboundBreach):
            count.let_out("c", terms())
    else:
        count.let_out("c", terms())


@pytest.mark.parametrize(
    ("side", "executed", "breach"), [(Side.BUY, "209", False), (Side.BUY, "211", True), (Side.SELL, "900", False)]
)
def test_what_a_buy_has_cost_is_held_against_its_approval(side, executed, breach):
    arguments = (terms(side=side), Decimal(executed), Decimal(200), Decimal("0.05"), "a")
    if breach:
        with pytest.raises(OutboundBreach):
            check_executed(*arguments)
    else:
        check_executed(*arguments)


# -- the search ------------------------------------------------------------------------------------------------------

PATIENCE = Patience(5 * SECOND, 6, 30 * SECOND, timedelta(milliseconds=250), 5 * SECOND)


@given(st.lists(st.floats(0.0, 20.0), min_size=1, max_size=60))
def test_an_order_is_given_up_only_after_settling_enough_checks_and_enough_time(pauses):
    search, now, counted = Search(NOW), NOW, []
    for pause in pauses:
        now += timedelta(seconds=pause)
        search, over = not_found(search, now, PATIENCE)
        if now >= NOW + PATIENCE.settle_time:
            counted.append(now)
        assert over == (len(counted) >= 6 and counted[-1] - counted[0] >= 30 * SECOND)
        if over:
            break


def test_the_back_off_doubles_up_to_the_longest():
    search, delays = Search(NOW), []
    for _ in range(7):
        delays.append(next_delay(search, PATIENCE).total_seconds())
        search = unanswered(search)

    assert delays == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert search.not_found == 0
    assert next_delay(Search(NOW, asked=10_000), PATIENCE) == 5 * SECOND


# -- balances --------------------------------------------------------------------------------------------------------


def test_a_fill_moves_both_assets_and_the_fees():
    assert movements(fill(quantity="2", fee="0.002"), "BTC", "USDT") == {"BTC": Decimal("1.998"), "USDT": Decimal(-200)}
    assert movements(fill(quantity="2", fee="0.2", currency="USDT", side=Side.SELL), "BTC", "USDT") == {
        "BTC": Decimal(-2),
        "USDT": Decimal("199.8"),
    }
    assert movements(fill(fee="0.1", currency="BNB"), "BTC", "USDT")["BNB"] == Decimal("-0.1")


def test_differences_within_the_venues_rounding_are_none():
    expected = {"BTC": Decimal(1), "USDT": Decimal(100), "LTC": Decimal(0)}
    found = {"BTC": Decimal("1.00000001"), "USDT": Decimal(90), "ETH": Decimal(3)}

    assert [(one.asset, one.amount) for one in differences(expected, found, Decimal("1E-7"))] == [
        ("ETH", Decimal(3)),
        ("USDT", Decimal(-10)),
    ]


def test_a_surplus_alone_is_a_deposit_and_a_deficit_needs_a_person():
    surplus = differences({}, {"ETH": Decimal(3)}, Decimal(0))
    mixed = differences({"USDT": Decimal(10)}, {"ETH": Decimal(3)}, Decimal(0))

    assert adoptable(surplus, losses_too=False) == surplus
    assert adoptable(mixed, losses_too=False) == ()
    assert adoptable(mixed, losses_too=True) == mixed
    assert surplus[0].described(adopted=True).ours == "0"


# -- the rate limit --------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.integers(1, 20)), max_size=60))
def test_no_window_ever_holds_more_than_the_limit(calls):
    bucket, now_s, leaving = TokenBucket(40, 4.0), 0.0, []
    for pause_s, weight in calls:
        now_s += pause_s
        leaving.append((now_s + bucket.take(weight, now_s), weight))
    for begin_s, _ in leaving:
        within = sum(weight for at_s, weight in leaving if begin_s <= at_s <= begin_s + 10)
        assert within <= 40 + 4 * 10 + 20 + 1e-6


def test_a_call_inside_the_limit_waits_nothing():
    bucket = TokenBucket(10, 1.0)

    assert [bucket.take(5, 100.0) for _ in range(3)] == [0.0, 0.0, 5.0]


def test_a_record_is_what_it_was_made_of():
    order = record()

    assert isinstance(order, OrderRecord)
    assert isinstance(order.state, Submitting)
    assert not order.working
    assert advance(order, AcceptedByVenue("v-1"), NOW).order.working
