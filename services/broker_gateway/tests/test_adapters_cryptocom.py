"""Crypto.com's words against ours; the payloads beside this file are Crypto.com's own, and what moves is simulated."""

import inspect
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import ccxt.pro
import pytest
from algotrendy_broker_gateway.adapters import cryptocom_messages as messages
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.answered import Answered
from algotrendy_broker_gateway.adapters.cryptocom import CryptocomVenue
from algotrendy_broker_gateway.adapters.cryptocom_wire import Wire, explicit, refused
from algotrendy_broker_gateway.domain.venue_report import Standing
from algotrendy_broker_gateway.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from algotrendy_common.clock import SystemClock, from_ms, to_ms
from algotrendy_common.enums import Liquidity, MarginMode, Mode, OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.ids import new_id
from algotrendy_simulator.server import serving
from algotrendy_simulator.settings import SimulatorSettings
from algotrendy_simulator.testing import call_admin
from pydantic import SecretStr

RECORDED = {
    row["name"]: row["json"]
    for row in map(json.loads, (Path(__file__).parent / "payloads/cryptocom/recorded.jsonl").read_text().splitlines())
}
LIVE = {
    row["name"]: row["json"]["result"]
    for row in map(json.loads, (Path(__file__).parent / "payloads/cryptocom/live.jsonl").read_text().splitlines())
}
BTC = "BTC-USDT"


def symbol_of(name):
    return {"BTC_USDT": BTC, "BTCUSD-PERP": "BTC-USD-PERP"}[name]


def terms(**changes):
    values = {
        "order_id": new_id(),
        "account": "paper-1",
        "venue": "cryptocom",
        "symbol": BTC,
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "quantity": Decimal("0.0100"),
        "limit_price": Decimal("15000.10"),
    }
    return OrderTerms(**(values | changes))


# -- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"type": "LIMIT", "time_in_force": "GOOD_TILL_CANCEL", "price": "15000.1", "quantity": "0.01"}),
        ({"time_in_force": TimeInForce.IOC}, {"time_in_force": "IMMEDIATE_OR_CANCEL", "exec_inst": None}),
        ({"time_in_force": TimeInForce.FOK}, {"time_in_force": "FILL_OR_KILL"}),
        # Post-only with any other time in force is refused there.
        (
            {"time_in_force": TimeInForce.POST_ONLY},
            {"time_in_force": "GOOD_TILL_CANCEL", "exec_inst": ["POST_ONLY"]},
        ),
        (
            {"type": OrderType.MARKET, "limit_price": None, "side": Side.SELL},
            {"type": "MARKET", "price": None, "time_in_force": None, "side": "SELL"},
        ),
        (
            {"type": OrderType.STOP, "limit_price": None, "trigger_price": Decimal(14000)},
            {"type": "STOP_LOSS", "ref_price": "14000", "ref_price_type": "LAST_PRICE"},
        ),
        ({"type": OrderType.TAKE_PROFIT_LIMIT, "trigger_price": Decimal(14000)}, {"type": "TAKE_PROFIT_LIMIT"}),
        ({"quantity": Decimal("1E-7")}, {"quantity": "0.0000001"}),
    ],
)
def test_a_request_says_exactly_the_terms(changes, expected):
    request = messages.order_request("c" * 32, terms(**changes), "BTC_USDT")

    assert request["client_oid"] == "c" * 32
    assert {name: request.get(name) for name in expected} == expected
    assert None not in request.values()


@pytest.mark.parametrize(
    "changes",
    [
        {"limit_price": None},
        {"type": OrderType.STOP, "limit_price": None},
        {"type": OrderType.TRAILING_STOP, "trailing_ratio": Decimal("0.01")},
        {"type": OrderType.OCO, "trigger_price": Decimal(14000)},
    ],
)
def test_what_cannot_be_said_is_refused_before_it_leaves(changes):
    with pytest.raises(VenueRefused):
        messages.order_request("c" * 32, terms(**changes), "BTC_USDT")


# -- answers and messages ----------------------------------------------------------------------------------------------


def test_a_documented_order_is_read_whole():
    found = messages.order(RECORDED["GetOrder"]["result"], symbol_of)

    assert (found.venue_order_id, found.client_id) == ("19848525", "1613571154900")
    assert (found.type, found.time_in_force, found.side) == (OrderType.LIMIT, TimeInForce.GTC, Side.BUY)
    assert (found.quantity, found.limit_price, found.executed_quantity) == (Decimal("0.0100"), Decimal("50000.0"), 0)
    assert (found.standing, found.created_at) == (Standing.WORKING, from_ms(1613575617173))


def test_documented_closed_orders_are_read():
    cancelled, filled = (messages.order(row, symbol_of) for row in RECORDED["GetClosedOrders"]["result"]["data"])

    assert (cancelled.standing, cancelled.reason, cancelled.executed_quantity) == (Standing.CANCELLED, "cancelled", 0)
    assert (filled.standing, filled.executed_quantity) == (Standing.DONE, Decimal("0.0500"))


def test_open_orders_are_read_as_one_alone():
    (row,) = RECORDED["GetOpenOrders"]["result"]["data"]
    assert messages.order(row, symbol_of) == messages.order(RECORDED["GetOrder"]["result"], symbol_of)


@pytest.mark.parametrize(
    ("status", "reason", "standing", "said"),
    [
        ("REJECTED", 306, Standing.REJECTED, "rejected: 306"),
        ("CANCELED", 43004, Standing.CANCELLED, "expired: reason 43004"),
        ("CANCELED", None, Standing.CANCELLED, "cancelled"),
        ("EXPIRED", None, Standing.CANCELLED, "expired: the venue ended the order"),
        ("NEW", None, Standing.WORKING, ""),
    ],
)
def test_endings_have_their_reason(status, reason, standing, said):
    row = RECORDED["GetOrder"]["result"] | {"status": status, "reason": reason}
    found = messages.order(row, symbol_of)
    assert (found.standing, found.reason) == (standing, said)


@pytest.mark.parametrize(("status", "waiting"), [("PENDING", True), ("ACTIVE", False)])
def test_a_stop_waits_until_it_is_active(status, waiting):
    row = RECORDED["GetOrder"]["result"] | {"order_type": "STOP_LIMIT", "ref_price": "49000.0", "status": status}
    found = messages.order(row, symbol_of)
    assert (found.type, found.trigger_price, found.waiting) == (OrderType.STOP_LIMIT, Decimal("49000.0"), waiting)


def test_a_fee_that_was_paid_is_below_zero_there_and_above_here():
    (row,) = RECORDED["GetUserTrades"]["result"]["data"]
    fill = messages.own_trade(row, symbol_of)

    assert (fill.trade_id, fill.venue_order_id) == ("38554669", "19708564")
    assert (fill.fee, fill.fee_currency, fill.liquidity) == (Decimal("1.025570"), "USD", Liquidity.MAKER)
    assert (fill.price, fill.quantity) == (Decimal("51278.5"), Decimal("0.0500"))


def test_balances_come_from_the_positions_of_the_account():
    read = {row.asset: row for row in messages.balances(RECORDED["GetBalances"]["result"]["data"])}
    assert (read["CRO"].total, read["CRO"].reserved) == (Decimal("24422.72427884"), 0)


def test_the_least_value_of_an_order_stands_with_the_risk_parameters():
    row = {"instrument_name": "BTC", "min_order_notional_usd": "1.0"}
    least = messages.least_values({"result": {"base_currency_config": [row, {"instrument_name": "OLD"}]}})
    assert least == {"BTC": Decimal("1.0"), "OLD": 0}
    assert messages.least_values(RECORDED["GetRiskParameters"])["AAVE"] == 0
    rates = messages.fee_rates(
        {"result": {"effective_spot_maker_rate_bps": "6.5", "effective_spot_taker_rate_bps": "6.9"}}
    )
    listed = RECORDED["GetSymbols"]["result"]["data"][0]
    found = messages.instrument(listed, rates, least["BTC"])
    assert (found.price_step, found.quantity_step, found.min_notional) == (Decimal("0.5"), Decimal("0.0001"), 1)
    assert (found.maker_fee, found.taker_fee) == (Decimal("0.00065"), Decimal("0.00069"))


@pytest.mark.parametrize("field", ["status", "order_id", "quantity", "side", "create_time", "order_type"])
def test_an_order_that_lacks_something_is_not_half_understood(field):
    row = {name: value for name, value in RECORDED["GetOrder"]["result"].items() if name != field}
    with pytest.raises(KeyError):
        messages.order(row, symbol_of)


def test_the_real_venues_answers_are_read():
    found = messages.order(LIVE["fetchOrder"], lambda name: name)
    (fill,) = (messages.own_trade(row, lambda name: name) for row in LIVE["fetchMyTrades"]["data"])
    held = {row.asset: row for row in messages.balances(LIVE["fetchBalance"]["data"])}

    # A plain order has a reference price of zero, whose kind is "NULL_VAL".
    assert (found.type, found.trigger_price, found.waiting) == (OrderType.MARKET, None, False)
    assert (found.standing, found.executed_quantity, found.limit_price) == (Standing.DONE, 1, None)
    assert (fill.fee, fill.fee_currency, fill.liquidity) == (Decimal("0.00075"), "XRP", Liquidity.TAKER)
    assert fill.venue_order_id == found.venue_order_id
    assert (held["USDT"].total, held["USDT"].reserved) == (Decimal("94.3411639875"), 11)


# -- what an error answer means ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "message", "refusal"),
    [
        # Plain refusals, whatever their status.
        (500, 306, "INSUFFICIENT_AVAILABLE_BALANCE", "insufficient_balance"),
        (500, 415, "BELOW_MIN_ORDER_SIZE", "venue_filter"),
        (500, 43005, "POST_ONLY_REJ", "would_take"),
        (400, 213, "INVALID_ORDERQTY", "venue_filter"),
        (401, 40101, "UNAUTHORIZED", "key_refused"),
        (400, 40102, "INVALID_NONCE", "clock_skew"),
        (429, 42901, "TOO_MANY_REQUESTS", "rate_limited"),
        (200, 40401, "NOT_FOUND", "not_found"),
        # The id is known there: proof of an order and no refusal.
        (400, 204, "DUPLICATE_CLORDID", None),
        (400, 40006, "DUPLICATE_REQUEST", None),
        (408, 40801, "REQUEST_TIMEOUT", None),
        (400, 50001, "ERR_INTERNAL", None),
        (200, 10001, "SYS_ERROR", None),
        (503, 9010001, "SYSTEM_MAINTENANCE", None),
        (500, 987654, "SOMETHING_NEW", None),
        (502, None, "<html>", None),
        (429, None, "", None),
    ],
)
def test_only_a_known_no_is_a_refusal(status, code, message, refusal):
    answer = Answered(status, code, message)

    assert explicit(answer) is (refusal is not None)
    if refusal:
        assert refused(answer).code == refusal


@pytest.mark.parametrize("code", [306, "306"])
def test_a_code_is_read_as_a_number_or_as_text(code):
    wire = Wire({}, lambda message: None, lambda: None)
    body = {"id": 1, "code": code, "message": "INSUFFICIENT_AVAILABLE_BALANCE"}
    with pytest.raises(Answered) as answered:
        wire.handle_errors(500, "Error", "https://x", "POST", {}, json.dumps(body), body, {}, None)
    assert (answered.value.status, answered.value.code, answered.value.retry_after_s) == (500, 306, 0)


def test_ccxt_still_has_the_places_that_are_opened():
    assert "self.handle_subscribe" in inspect.getsource(ccxt.pro.cryptocom.handle_message)
    assert list(inspect.signature(ccxt.pro.cryptocom.handle_errors).parameters)[1:8] == [
        "code", "reason", "url", "method", "headers", "body", "response",
    ]  # fmt: skip


# -- the adapter on a simulated Crypto.com -----------------------------------------------------------------------------


@pytest.fixture
async def simulated():
    async with serving(SimulatorSettings(port=0, paused=True, history=30, venue="cryptocom")) as running:
        yield running


@pytest.fixture
async def venue(simulated):
    access = VenueAccess(
        mode=Mode.PAPER,
        http_url=simulated.http,
        ws_url=simulated.ws,
        api_key=SecretStr("demo-key"),
        api_secret=SecretStr("demo-secret"),
        answer_timeout=timedelta(seconds=2),
    )
    venue = CryptocomVenue(access)
    await venue.connect()
    yield venue
    await venue.close()


async def test_an_id_that_is_there_already_leaves_the_outcome_to_a_question(simulated, venue):
    client_id = new_id()
    first = await venue.submit(client_id, terms())
    with pytest.raises(OutcomeUnknown):
        await venue.submit(client_id, terms())

    found = await venue.order(BTC, client_id)
    assert found.order.venue_order_id == first.order.venue_order_id
    assert len(simulated.simulation.exchange.orders) == 1


async def test_a_market_in_maintenance_leaves_the_outcome_open_and_answers_nothing(simulated, venue):
    await call_admin(simulated.http, "POST", "/admin/maintenance", {"on": True})
    with pytest.raises(OutcomeUnknown):
        await venue.submit(new_id(), terms())
    with pytest.raises(VenueUnreachable):
        await venue.balances()


async def test_what_spot_does_not_have_is_refused(venue):
    with pytest.raises(VenueRefused):
        await venue.set_leverage(BTC, Decimal(2), MarginMode.CROSS)
    with pytest.raises(VenueRefused):
        await venue.arm_dead_man_switch(timedelta(seconds=30))
    assert not venue.capabilities.dead_man_switch


async def test_trades_are_asked_for_no_more_than_once_a_second(venue):
    """The venue's own limit: the second question waits instead of being refused."""
    await venue.submit(new_id(), terms(type=OrderType.MARKET, limit_price=None))
    cursors = [await venue.fills_cursor(BTC) for _ in range(3)]
    assert len(set(cursors)) == 1


async def test_a_quiet_symbol_is_not_asked_for_day_by_day(simulated, venue):
    """The cursor moves on with the clock, so the next question spans a minute and not all the days without a trade."""
    cursor = await venue.fills_cursor(BTC)
    page = await venue.fills_after(BTC, cursor)
    reached = [int(text.partition("|")[0]) for text in (cursor, page.cursor)]
    assert page.fills == ()
    assert 60_000 < to_ms(SystemClock().now()) - reached[1] < 75_000
    assert reached[1] >= reached[0]
