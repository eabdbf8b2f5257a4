"""Bybit's words against ours; the payloads beside this file are Bybit's own, and what moves is a simulated Bybit."""

import asyncio
import inspect
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import ccxt.pro
import pytest
from algotrendy_broker_gateway.adapters import bybit_messages as messages
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.answered import Answered
from algotrendy_broker_gateway.adapters.bybit import BybitVenue
from algotrendy_broker_gateway.adapters.bybit_messages import LINEAR, SPOT
from algotrendy_broker_gateway.adapters.bybit_requests import already_there, order_request
from algotrendy_broker_gateway.adapters.bybit_wire import Wire, asks_for_silence, explicit, refused
from algotrendy_broker_gateway.domain.venue_report import Standing
from algotrendy_broker_gateway.errors import KeyTooPowerful, OutcomeUnknown, VenueRefused
from algotrendy_common.clock import from_ms, wall_ns
from algotrendy_common.enums import Liquidity, MarginMode, Mode, OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.ids import new_id
from algotrendy_core.instruments import InstrumentKind
from algotrendy_simulator.server import serving
from algotrendy_simulator.settings import SimulatorSettings
from pydantic import SecretStr

RECORDED = {
    row["name"]: row["json"]
    for row in map(json.loads, (Path(__file__).parent / "payloads/bybit/recorded.jsonl").read_text().splitlines())
}
LIVE = [json.loads(line) for line in (Path(__file__).parent / "payloads/bybit/live.jsonl").read_text().splitlines()]
BTC, PERPETUAL = "BTC-USDT", "BTC-USDT-PERP"


def symbol_of(key):
    category, _, symbol = key.partition("/")
    base = symbol.removesuffix("USDT").removesuffix("USD").removesuffix("PERP")
    return f"{base}-USDT{'-PERP' if category == LINEAR else ''}"


def assets_of(symbol):
    base, quote, *_ = symbol.split("-")
    return base, quote


def order(name, category=LINEAR, index=0):
    found = RECORDED[name]
    rows = found["data"] if "data" in found else found["result"]["list"]
    return messages.order(rows[index], rows[index].get("category", category), symbol_of)


def terms(**changes):
    values = {
        "order_id": new_id(),
        "account": "paper-1",
        "venue": "bybit",
        "symbol": BTC,
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "quantity": Decimal("0.0100"),
        "limit_price": Decimal("15000.10"),
    }
    return OrderTerms(**(values | changes))


# -- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("category", "changes", "expected"),
    [
        (SPOT, {}, {"orderType": "Limit", "timeInForce": "GTC", "price": "15000.1", "qty": "0.01", "side": "Buy"}),
        (SPOT, {"time_in_force": TimeInForce.POST_ONLY}, {"timeInForce": "PostOnly"}),
        (SPOT, {"quantity": Decimal("1E-7")}, {"qty": "0.0000001"}),
        # Without its unit a market buy of 0.01 would be worth a cent.
        (SPOT, {"type": OrderType.MARKET, "limit_price": None}, {"marketUnit": "baseCoin", "price": None}),
        (
            SPOT,
            {"type": OrderType.STOP_LIMIT, "side": Side.SELL, "trigger_price": Decimal(14000)},
            {"orderFilter": "StopOrder", "triggerPrice": "14000", "triggerDirection": None, "orderType": "Limit"},
        ),
        (LINEAR, {"reduce_only": True}, {"reduceOnly": True, "positionIdx": 0, "marketUnit": None}),
        (
            LINEAR,
            {"type": OrderType.STOP, "side": Side.SELL, "limit_price": None, "trigger_price": Decimal(14000)},
            {"triggerDirection": 2, "orderType": "Market", "orderFilter": None},
        ),
        (
            LINEAR,
            {"type": OrderType.TAKE_PROFIT, "side": Side.SELL, "limit_price": None, "trigger_price": Decimal(19000)},
            {"triggerDirection": 1},
        ),
        (
            LINEAR,
            {"type": OrderType.STOP, "limit_price": None, "trigger_price": Decimal(19000)},
            {"triggerDirection": 1},
        ),
    ],
)
def test_a_request_says_exactly_the_terms(category, changes, expected):
    request = order_request("c" * 32, terms(**changes), category, "BTCUSDT")

    assert (request["orderLinkId"], request["category"], request["symbol"]) == ("c" * 32, category, "BTCUSDT")
    assert {name: request.get(name) for name in expected} == expected


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
        order_request("c" * 32, terms(**changes), SPOT, "BTCUSDT")


@pytest.mark.parametrize(
    ("type_", "side", "last", "there"),
    [
        (OrderType.STOP, Side.SELL, 99, True),
        (OrderType.STOP, Side.SELL, 101, False),
        (OrderType.STOP, Side.BUY, 101, True),
        (OrderType.TAKE_PROFIT, Side.SELL, 101, True),
        (OrderType.TAKE_PROFIT_LIMIT, Side.BUY, 101, False),
    ],
)
def test_a_trigger_that_has_been_passed_is_known(type_, side, last, there):
    wanted = terms(type=type_, side=side, trigger_price=Decimal(100))
    assert already_there(wanted, Decimal(last)) is there


# -- answers and messages ----------------------------------------------------------------------------------------------


def test_a_resting_order_is_read_whole():
    found = order("http_get_orders_realtime")

    assert (found.client_id, found.side, found.type, found.standing) == (
        "client-open-1", Side.BUY, OrderType.LIMIT, Standing.WORKING,
    )  # fmt: skip
    assert (found.limit_price, found.quantity, found.executed_quantity) == (Decimal("3930.41"), Decimal("0.010"), 0)
    assert (found.symbol, found.created_at) == ("ETH-USDT-PERP", from_ms(1761355905606))
    assert (found.trigger_price, found.waiting, found.reduce_only) == (None, False, False)


def test_a_documented_order_with_zeros_for_nothing_is_no_stop():
    found = order("GetOrders")
    assert (found.type, found.trigger_price, found.limit_price) == (OrderType.LIMIT, None, Decimal("1600.00"))


@pytest.mark.parametrize(
    ("name", "index", "type_", "waiting"),
    [
        ("ws_account_order_stop_limit", 0, OrderType.STOP_LIMIT, True),
        ("ws_account_order_buy_stop_market", 0, OrderType.STOP, True),
        ("ws_account_order_market_if_touched", 0, OrderType.TAKE_PROFIT, True),
        ("ws_account_order_sell_market_if_touched", 0, OrderType.TAKE_PROFIT, True),
        ("http_get_orders_realtime_tp_sl", 0, OrderType.TAKE_PROFIT, True),
        ("http_get_orders_realtime_tp_sl", 1, OrderType.STOP_LIMIT, True),
    ],
)
def test_side_and_direction_tell_a_stop_from_a_take_profit(name, index, type_, waiting):
    found = order(name, index=index)
    assert (found.type, found.waiting, found.standing) == (type_, waiting, Standing.WORKING)
    assert found.trigger_price is not None


def test_without_a_direction_the_price_at_the_beginning_tells_and_else_it_is_a_guard():
    row = RECORDED["ws_account_order_stop_limit"]["data"][0] | {"triggerDirection": 0}
    read = lambda **more: messages.order(row | more, SPOT, symbol_of).type  # noqa: E731

    assert read() is OrderType.STOP_LIMIT
    assert read(lastPriceOnCreated="40000") is OrderType.TAKE_PROFIT_LIMIT
    assert read(lastPriceOnCreated="") is OrderType.STOP_LIMIT


def test_what_was_rejected_after_it_had_traded_is_cancelled():
    found = order("ws_account_order_partially_filled_rejected")
    assert (found.standing, found.executed_quantity) == (Standing.CANCELLED, Decimal("50.0"))


def test_endings_have_their_reason():
    assert order("ws_account_order").reason == "cancelled"
    assert order("GetOrderHistory").reason == "expired: EC_PostOnlyWillTakeLiquidity"
    assert order("ws_account_order_filled").standing is Standing.DONE


def test_an_execution_says_side_liquidity_and_fee():
    (row,) = RECORDED["ws_account_execution"]["data"]
    fill = messages.execution(row, symbol_of, assets_of)

    assert (fill.symbol, fill.side, fill.liquidity) == (PERPETUAL, Side.SELL, Liquidity.TAKER)
    assert (fill.price, fill.quantity, fill.fee) == (Decimal("95900.1"), Decimal("0.5"), Decimal("26.3725275"))
    # No currency is told: of a perpetual it is what it settles in.
    assert fill.fee_currency == "USDT"
    assert messages.execution(row | {"execType": "Funding"}, symbol_of, assets_of) is None


@pytest.mark.parametrize(("side", "currency"), [("Buy", "BTC"), ("Sell", "USDT")])
def test_a_spot_fee_without_a_currency_is_in_what_was_received(side, currency):
    row = RECORDED["ws_account_execution"]["data"][0] | {"category": SPOT, "side": side}
    assert messages.execution(row, symbol_of, assets_of).fee_currency == currency


def test_the_documented_execution_is_read_with_the_questions_category():
    row = {"category": LINEAR, **RECORDED["GetUserTrades"]["result"]["list"][0]}
    fill = messages.execution(row, symbol_of, assets_of)
    assert (fill.trade_id, fill.price, fill.fee) == (
        "e0cbe81d-0f18-5866-9415-cf319b5dab3b", Decimal("1190.15"), Decimal("0.071409"),
    )  # fmt: skip


def test_a_wallet_reserves_what_orders_and_positions_hold():
    read = {row.asset: row for row in messages.balances(RECORDED["ws_account_wallet"]["data"])}

    assert (read["USDT"].total, read["USDT"].reserved) == (Decimal("9647.75537647"), Decimal("127.8573161"))
    assert read["BTC"].available == Decimal("0.00102964") - Decimal("0.00010000")


def test_what_is_held_never_exceeds_what_is_there():
    (row,) = messages.balances(RECORDED["ws_account_wallet_locked_exceeds_total"]["data"])
    assert (row.total, row.available, row.reserved) == (Decimal("100.0"), 0, Decimal("100.0"))


def test_the_withdrawable_amount_is_not_taken_for_the_free_one():
    """Bybit leaves it empty, or at zero, while the balance is free to trade."""
    wallets = json.loads(json.dumps(RECORDED["http_get_wallet_balance"]["result"]["list"]))
    for row in wallets[0]["coin"]:
        row["availableToWithdraw"] = ""
    read = {row.asset: row for row in messages.balances(wallets)}
    assert (read["USDT"].available, read["USDT"].reserved) == (Decimal("1000.50"), 0)


def test_a_short_position_is_below_zero():
    row = RECORDED["GetPositions"]["result"]["list"][0]
    found = messages.position(row, symbol_of)

    assert (found.quantity, found.entry_price, found.leverage) == (
        Decimal(-300),
        Decimal("27464.50441675"),
        Decimal(10),
    )
    assert (found.liquidation_price, found.margin_mode) == (None, MarginMode.CROSS)
    assert messages.position(row | {"size": "0", "side": ""}, symbol_of) is None


def test_instruments_of_both_categories_are_read():
    rates = Decimal("0.0002"), Decimal("0.00055")
    spot = messages.instrument(SPOT, RECORDED["http_get_instruments_spot"]["result"]["list"][0], rates)
    linear = messages.instrument(LINEAR, RECORDED["GetLinearInverseSymbols"]["result"]["list"][0], rates)

    assert (spot.symbol, spot.quantity_step, spot.min_notional) == (BTC, Decimal("0.0001"), Decimal(10))
    assert (linear.symbol, linear.kind, linear.max_leverage) == (PERPETUAL, InstrumentKind.PERPETUAL, Decimal(100))
    assert (linear.price_step, linear.min_notional, linear.taker_fee) == (Decimal("0.10"), Decimal(5), rates[1])


@pytest.mark.parametrize("field", ["orderStatus", "orderId", "cumExecQty", "symbol", "side", "createdTime"])
def test_an_order_that_lacks_something_is_not_half_understood(field):
    row = {name: value for name, value in RECORDED["ws_account_order"]["data"][0].items() if name != field}
    with pytest.raises(KeyError):
        messages.order(row, LINEAR, symbol_of)


def live(name):
    """Rows of the real venue's answers, each with the category of the question."""
    answers = [row["json"]["result"] for row in LIVE if row["name"] == name]
    return [{"category": answer.get("category", LINEAR), **row} for answer in answers for row in answer["list"]]


def test_the_real_venues_answers_are_read():
    whole = lambda key: key  # noqa: E731
    orders = [messages.order(row, row["category"], whole) for row in (*live("fetchOrder"), *live("fetchClosedOrders"))]
    fills = [messages.execution(row, whole, lambda symbol: ("BASE", "QUOTE")) for row in live("fetchMyTrades")]
    positions = [messages.position(row, whole) for row in live("fetchPositions")]

    # A market buy worth an amount of quote ends "partially filled, cancelled" when the amount is used up.
    assert (orders[0].standing, orders[0].quantity) == (Standing.CANCELLED, Decimal("0.001614"))
    assert orders[0].reason == "expired: EC_CancelForNoFullFill"
    assert [one.standing for one in orders[1:]] == [Standing.DONE] * len(orders[1:])
    assert [(fill.quantity, fill.fee, fill.fee_currency) for fill in fills] == [
        (Decimal("0.000336"), Decimal("3.36E-7"), "BASE"),
        (Decimal("0.001"), Decimal("0.000001"), "ETH"),
        (Decimal("0.1"), Decimal("0.00468105"), "QUOTE"),
    ]
    assert [(one.symbol, one.quantity) for one in positions] == [
        ("linear/TRIAUSDT", Decimal(-11710)),
        ("linear/LTCUSDT", Decimal("1.2")),
    ]
    held = {row.asset: row.reserved for row in messages.balances(live("fetchBalance"))}
    assert held["USDC"] == Decimal("3.18541012")


# -- what an error answer means --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "message", "refusal"),
    [
        (200, 10001, "Qty invalid", "venue_filter"),
        (200, 10002, "invalid request, please check your server timestamp", "clock_skew"),
        (401, 10003, "API key is invalid.", "key_refused"),
        (200, 10006, "Too many visits!", "rate_limited"),
        (200, 110007, "ab not enough for new order", "insufficient_balance"),
        (200, 110017, "reduce-only rule not satisfied", "reduce_only"),
        (200, 170131, "Balance insufficient.", "insufficient_balance"),
        (200, 170193, "Buy order price cannot be higher than the limit.", "venue_refused"),
        (403, None, "403, access too frequent", "rate_limited"),
        # The id is known there: proof of an order and no refusal.
        (200, 170141, "Duplicate clientOrderId.", None),
        (200, 110072, "OrderLinkedID is duplicate", None),
        (200, 12141, "Duplicate clientOrderId.", None),
        # The venue itself does not know, with status 200.
        (200, 10000, "Server Timeout", None),
        (200, 10016, "Internal server error or the service is restarting", None),
        (200, 170007, "Timeout waiting for response from backend server.", None),
        (200, 170146, "Order creation timeout.", None),
        # Not in any list.
        (200, 999999, "Something new", None),
        (503, None, "<html>", None),
        (502, 0, "", None),
        (403, None, "<html>blocked</html>", None),
        (429, None, "", None),
    ],
)
def test_only_a_known_no_is_a_refusal(status, code, message, refusal):
    answer = Answered(status, code, message)

    assert explicit(answer) is (refusal is not None)
    if refusal:
        assert refused(answer).code == refusal


def wire(**config):
    return Wire({"apiKey": "XXXXXXXXXX", "secret": "XXXXXXXXXX", **config}, lambda message: None, lambda: None)


def test_a_throttled_call_says_until_when_and_a_shut_out_address_waits_ten_minutes():
    reset_ms = wall_ns() // 1_000_000 + 900
    headers = {"X-Bapi-Limit-Reset-Timestamp": str(reset_ms)}
    body = {"retCode": 10006, "retMsg": "Too many visits!"}
    with pytest.raises(Answered) as throttled:
        wire().handle_errors(200, "OK", "https://x", "GET", headers, json.dumps(body), body, {}, None)
    with pytest.raises(Answered) as shut_out:
        wire().handle_errors(403, "Forbidden", "https://x", "GET", {}, "403, access too frequent", None, {}, None)

    assert 0.5 < throttled.value.retry_after_s <= 0.9
    assert shut_out.value.retry_after_s == 600
    assert asks_for_silence(throttled.value)
    assert asks_for_silence(shut_out.value)


@pytest.mark.parametrize(
    ("stamp", "method", "params", "signature"),
    [
        (
            1658384313791,
            "GET",
            {"category": "option", "symbol": "BTC-29JUL22-25000-C"},
            "b3a13cbd6f9de0ad7ece696645a98000281be3558716624cfca03debd2f24574",
        ),
        (
            1658385578423,
            "POST",
            {"category": "option"},
            "a04dea33a62e644897b14c6ff458db428b9c2424b5cb785c9586490ccaca24af",
        ),
    ],
)
def test_calls_are_signed_as_in_the_venues_guide(stamp, method, params, signature):
    signing = wire(options={"recvWindow": 5000})
    signing.nonce = lambda: stamp
    signed = signing.sign("v5/order/realtime", ["private"], method, params)
    assert signed["headers"]["X-BAPI-SIGN"] == signature


def test_ccxt_still_has_the_places_that_are_opened():
    dispatched = inspect.getsource(ccxt.pro.bybit.handle_message)
    for place in ("handle_order", "handle_my_trades", "handle_balance", "handle_subscription_status"):
        assert f"self.{place}" in dispatched
    assert list(inspect.signature(ccxt.pro.bybit.handle_errors).parameters)[1:8] == [
        "httpCode", "reason", "url", "method", "headers", "body", "response",
    ]  # fmt: skip


# -- the adapter on a simulated Bybit --------------------------------------------------------------------------------


@pytest.fixture
async def simulated():
    async with serving(SimulatorSettings(port=0, paused=True, history=30, venue="bybit")) as running:
        yield running


def access(simulated, **changes):
    values = {
        "mode": Mode.PAPER,
        "http_url": simulated.http,
        "ws_url": simulated.ws,
        "api_key": SecretStr("demo-key"),
        "api_secret": SecretStr("demo-secret"),
        "answer_timeout": timedelta(seconds=2),
    }
    return VenueAccess(**(values | changes))


@pytest.fixture
async def venue(simulated):
    venue = BybitVenue(access(simulated))
    await venue.connect()
    yield venue
    await venue.close()


@pytest.mark.parametrize("symbol", [BTC, PERPETUAL])
async def test_an_id_that_is_there_already_leaves_the_outcome_to_a_question(simulated, venue, symbol):
    client_id = new_id()
    mode = {"margin_mode": MarginMode.CROSS} if symbol == PERPETUAL else {}
    first = await venue.submit(client_id, terms(symbol=symbol, limit_price=Decimal(15000), **mode))
    with pytest.raises(OutcomeUnknown):
        await venue.submit(client_id, terms(symbol=symbol, limit_price=Decimal(15000), **mode))

    found = await venue.order(symbol, client_id)
    assert found.order.venue_order_id == first.order.venue_order_id
    assert len(simulated.simulation.exchange.orders) == 1


async def test_a_spot_stop_that_came_too_late_is_not_left_waiting_for_the_price_to_come_back(simulated, venue):
    last = simulated.simulation.exchange.markets["BTCUSDT"].last_price
    late = terms(type=OrderType.STOP, limit_price=None, trigger_price=last - 10)
    with pytest.raises(VenueRefused) as no:
        await venue.submit(new_id(), late)
    assert (no.value.code, simulated.simulation.exchange.orders) == ("would_trigger", {})


async def test_an_orders_leverage_is_set_before_the_order(simulated, venue):
    wanted = {"symbol": PERPETUAL, "margin_mode": MarginMode.CROSS, "limit_price": Decimal(15000)}
    await venue.submit(new_id(), terms(leverage=Decimal(7), **wanted))
    account = simulated.simulation.exchange.accounts["paper-1"]
    assert simulated.simulation.exchange.margin_settings(account, "BTCUSDT-PERP")[0] == 7

    with pytest.raises(VenueRefused):
        await venue.submit(new_id(), terms(leverage=Decimal(125), **wanted))
    with pytest.raises(VenueRefused):
        await venue.set_leverage(PERPETUAL, Decimal(3), MarginMode.ISOLATED)
    with pytest.raises(VenueRefused):
        await venue.set_leverage(BTC, Decimal(3), MarginMode.CROSS)
    assert len(simulated.simulation.exchange.orders) == 1


async def test_an_order_made_by_hand_is_seen_under_the_venues_own_id(simulated, venue):
    request = {"category": "spot", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "50"}
    await venue._wire.privatePostV5OrderCreate(request)
    (by_hand,) = simulated.simulation.exchange.orders.values()

    seen = await venue.order_by_venue_id(BTC, str(by_hand.order_id))

    assert (seen.order.quantity, seen.order.standing) == (by_hand.filled, Standing.DONE)
    assert seen.order.client_id == by_hand.client_order_id


async def test_a_key_that_may_withdraw_is_refused(simulated):
    simulated.simulation.exchange.open_account("rich", "k", "s", {}, may_withdraw=True)
    venue = BybitVenue(access(simulated, api_key=SecretStr("k"), api_secret=SecretStr("s")))
    try:
        with pytest.raises(KeyTooPowerful):
            await venue.connect()
    finally:
        await venue.close()


async def test_more_orders_and_fills_than_a_page_are_all_read(simulated, venue):
    exchange = simulated.simulation.exchange
    cursor = await venue.fills_cursor(BTC)
    await venue.submit(new_id(), terms(type=OrderType.MARKET, limit_price=None, quantity=Decimal("4.2")))
    for number in range(12):
        await venue.submit(new_id(), terms(limit_price=Decimal(15000 + number)))
    request = {"category": "spot", "symbol": "BTCUSDT", "limit": "5"}
    paged = await venue._questions._pages(
        venue._wire.privateGetV5OrderRealtime, request, lambda answer: answer["result"]["list"]
    )

    assert len(paged) == 12
    assert {row["orderId"] for row in paged} == {one.order.venue_order_id for one in await venue.open_orders()}
    page = await venue.fills_after(BTC, cursor)
    assert len(page.fills) == len(exchange.fills) > 3


async def until(question, within_s=60.0):
    async with asyncio.timeout(within_s):
        while not await question():
            await asyncio.sleep(0.05)


async def test_the_dead_mans_switch_fires_for_whoever_stops_arming_it(simulated, venue):
    account = simulated.simulation.exchange.accounts["paper-1"]
    client_id = new_id()
    await venue.submit(client_id, terms(limit_price=Decimal(15000)))
    await venue.arm_dead_man_switch(timedelta(seconds=1))
    await asyncio.sleep(0.6)
    await venue.arm_dead_man_switch(timedelta(seconds=1))
    assert (account.dead_man_ms, len(simulated.simulation.exchange.open_orders(account))) == (None, 1)

    async def cancelled():
        return (await venue.order(BTC, client_id)).order.standing is Standing.CANCELLED

    await until(cancelled)


async def test_without_bybits_own_consent_there_is_no_dead_mans_switch(venue):
    """The call to arm it succeeds all the same there: only the question tells."""
    venue._check_protection({"result": {"dcpInfos": [{"product": "SPOT", "dcpStatus": "ON", "timeWindow": "10"}]}})
    assert not venue.capabilities.dead_man_switch
    assert BybitVenue.capabilities.dead_man_switch
    with pytest.raises(VenueRefused):
        await venue.arm_dead_man_switch(timedelta(seconds=30))


async def test_a_dead_mans_switch_that_is_let_go_cancels_nothing(simulated, venue):
    account = simulated.simulation.exchange.accounts["paper-1"]
    await venue.submit(new_id(), terms(limit_price=Decimal(15000)))
    await venue.arm_dead_man_switch(timedelta(seconds=30))
    await venue.arm_dead_man_switch(timedelta(0))

    async def gone():
        return simulated.simulation.exchange.open_orders(account) and account.dead_man_ms is None

    await until(gone)
    assert len(simulated.simulation.exchange.open_orders(account)) == 1
