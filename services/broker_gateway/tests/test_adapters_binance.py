"""Binance's words against ours; the payloads beside this file have the shapes of Binance's own documentation."""

import asyncio
import contextlib
import inspect
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import ccxt.pro
import pytest
import uvicorn
from algotrendy_broker_gateway.adapters import binance_messages as messages
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.answered import Answered, repointed
from algotrendy_broker_gateway.adapters.binance import BinanceVenue
from algotrendy_broker_gateway.adapters.binance_requests import order_request
from algotrendy_broker_gateway.adapters.binance_wire import explicit, refused
from algotrendy_broker_gateway.domain.venue_report import Standing
from algotrendy_broker_gateway.errors import KeyTooPowerful, OutcomeUnknown, VenueRefused, VenueUnreachable
from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Liquidity, Mode, OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_core.instruments import Instrument
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

INSTRUMENT = Instrument(
    venue="binance",
    symbol="BTC-USDT",
    base="BTC",
    quote="USDT",
    price_step="0.01",
    quantity_step="0.000001",
    min_quantity="0.00001",
    max_quantity="9000",
    min_notional="5",
    maker_fee="0.001",
    taker_fee="0.001",
)
PAYLOADS = Path(__file__).parent / "payloads"


def payload(name):
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def symbol_of(market_id):
    return {"BTCUSDT": "BTC-USDT", "LTCUSDT": "LTC-USDT"}[market_id]


def terms(**changes):
    return OrderTerms(
        **(
            {
                "order_id": "0" * 32,
                "account": "paper-1",
                "venue": "binance",
                "symbol": "BTC-USDT",
                "side": Side.BUY,
                "type": OrderType.LIMIT,
                "quantity": Decimal("0.0100"),
                "limit_price": Decimal("50000.10"),
            }
            | changes
        )
    )


# -- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"type": "LIMIT", "timeInForce": "GTC", "price": "50000.1", "quantity": "0.01", "side": "BUY"}),
        ({"time_in_force": TimeInForce.IOC}, {"type": "LIMIT", "timeInForce": "IOC"}),
        ({"time_in_force": TimeInForce.FOK}, {"type": "LIMIT", "timeInForce": "FOK"}),
        ({"time_in_force": TimeInForce.POST_ONLY}, {"type": "LIMIT_MAKER", "timeInForce": None}),
        (
            {"type": OrderType.MARKET, "limit_price": None, "side": Side.SELL},
            {"type": "MARKET", "price": None, "side": "SELL", "timeInForce": None},
        ),
        ({"quantity": Decimal("1E-7")}, {"quantity": "0.0000001"}),
    ],
)
def test_a_request_says_exactly_the_terms(changes, expected):
    request = order_request("c" * 32, terms(**changes), "BTCUSDT")

    assert request["newClientOrderId"] == "c" * 32
    assert request["newOrderRespType"] == "FULL"
    assert {name: request.get(name) for name in expected} == expected


def test_a_limit_order_without_a_price_is_refused_before_it_leaves():
    with pytest.raises(VenueRefused):
        order_request("c" * 32, terms(limit_price=None), "BTCUSDT")


# -- answers and messages --------------------------------------------------------------------------------------------


def test_a_full_answer_carries_its_fills():
    report = messages.answered_order(payload("order_full"), symbol_of)

    assert (report.order.standing, report.order.executed_quantity) == (Standing.DONE, Decimal(10))
    assert report.order.type is OrderType.MARKET
    assert report.order.limit_price is None
    assert [
        (fill.trade_id, fill.price, fill.quantity, fill.fee, fill.fee_currency, fill.liquidity) for fill in report.fills
    ] == [
        ("56", Decimal(4000), Decimal(1), Decimal(4), "USDT", Liquidity.TAKER),
        ("57", Decimal("3999.77777777"), Decimal(9), Decimal("35.998"), "BNB", Liquidity.TAKER),
    ]
    assert {fill.event_time for fill in report.fills} == {from_ms(1507725176595)}


def test_a_cancellations_answer_names_the_order_not_the_cancellation():
    order = messages.answered_order(payload("order_cancelled"), symbol_of).order

    assert (order.client_id, order.standing, order.time_in_force) == (
        "myOrder1", Standing.CANCELLED, TimeInForce.POST_ONLY,
    )  # fmt: skip
    assert order.executed_quantity == Decimal("0.25")


def test_a_queried_order_keeps_both_its_times():
    order = messages.answered_order(payload("order_queried"), symbol_of).order

    assert (order.created_at, order.updated_at) == (from_ms(1499827319559), from_ms(1499827319600))
    assert (order.standing, order.time_in_force) == (Standing.WORKING, TimeInForce.FOK)


def test_own_trades_say_side_liquidity_and_fee():
    bought, sold = (messages.own_trade(row, symbol_of) for row in payload("my_trades"))

    assert (bought.trade_id, bought.side, bought.liquidity, bought.fee, bought.fee_currency) == (
        "28457", Side.BUY, Liquidity.TAKER, Decimal("0.0121"), "BTC",
    )  # fmt: skip
    assert (sold.side, sold.liquidity, sold.venue_order_id) == (Side.SELL, Liquidity.MAKER, "100235")


def test_a_trade_report_carries_one_fill_and_the_orders_total():
    report = messages.execution_report(payload("execution_report_trade"), symbol_of, lambda symbol: "USDT")

    (fill,) = report.fills
    assert (fill.trade_id, fill.quantity, fill.price) == ("77", Decimal("0.4"), Decimal("0.102644"))
    assert (fill.fee, fill.fee_currency, fill.liquidity) == (Decimal("0.0004"), "BTC", Liquidity.MAKER)
    assert report.order.executed_quantity == Decimal("0.7")
    assert report.order.standing is Standing.WORKING


def test_a_cancel_report_is_found_under_the_orders_own_id():
    report = messages.execution_report(payload("execution_report_cancelled"), symbol_of, lambda symbol: "USDT")

    assert report.order.client_id == "6d5dca4a0f0d4f6f8f0e8a7d1f0a4b11"
    assert (report.order.standing, report.fills) == (Standing.CANCELLED, ())


@pytest.mark.parametrize(("status", "code"), [("EXPIRED", "expired"), ("EXPIRED_IN_MATCH", "expired")])
def test_an_order_the_venue_ended_is_cancelled_with_its_reason(status, code):
    message = payload("execution_report_cancelled") | {"X": status, "x": "EXPIRED"}
    order = messages.execution_report(message, symbol_of, lambda symbol: "USDT").order

    assert order.standing is Standing.CANCELLED
    assert order.reason.startswith(f"{code}: ")


def test_a_fee_without_a_currency_is_in_the_quote():
    message = payload("execution_report_trade") | {"n": "0", "N": None}

    assert messages.execution_report(message, symbol_of, lambda symbol: "USDT").fills[0].fee_currency == "USDT"


@pytest.mark.parametrize("field", ["X", "i", "L", "t", "s"])
def test_a_message_that_lacks_something_is_not_half_understood(field):
    message = {name: value for name, value in payload("execution_report_trade").items() if name != field}
    with pytest.raises(KeyError):
        messages.execution_report(message, symbol_of, lambda symbol: "USDT")


def test_balances_add_free_and_locked_and_leave_zeros_out():
    (balance,) = messages.account_balances(payload("account"))

    assert (balance.asset, balance.total, balance.reserved) == ("BTC", Decimal("4723846.8920813"), Decimal("1E-8"))


# -- what an error answer means --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "message", "refusal"),
    [
        (400, -2010, "Account has insufficient balance for requested action.", "venue_refused"),
        (400, -1013, "Filter failure: LOT_SIZE", "venue_filter"),
        (429, -1003, "Too many requests.", "rate_limited"),
        (401, -2015, "Invalid API-key, IP, or permissions for action.", "key_refused"),
        (400, -2010, "Duplicate order sent.", None),
        (400, -1007, "Timeout waiting for response from backend server.", None),
        (400, -1006, "An unexpected response was received from the message bus.", None),
        (503, -1013, "Service unavailable.", None),
        (500, None, "Internal server error", None),
        (403, None, "<html>", None),
    ],
)
def test_only_an_unmistakable_no_is_a_refusal(status, code, message, refusal):
    answer = Answered(status, code, message, 0.0)

    assert explicit(answer) is (refusal is not None)
    if refusal:
        assert refused(answer).code == refusal


def test_every_address_is_repointed_and_its_path_kept():
    urls = {"a": {"b": "https://api.binance.com/api/v3"}, "ws": {"c": "wss://ws-api.binance.com:443/ws-api/v3"}}

    assert repointed(urls, "http://127.0.0.1:1", "ws://127.0.0.1:2") == {
        "a": {"b": "http://127.0.0.1:1/api/v3"},
        "ws": {"c": "ws://127.0.0.1:2/ws-api/v3"},
    }
    assert repointed(urls, None, None) == urls


# -- the adapter against a server that misbehaves --------------------------------------------------------------------


@pytest.fixture
async def answering():
    """A server that gives one prepared answer to everything, and the adapter aimed at it."""
    prepared = {"response": Response(status_code=500), "calls": 0}

    async def answer(request: Request) -> Response:
        prepared["calls"] += 1
        return prepared["response"]

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST", "DELETE"])])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    server.capture_signals = contextlib.nullcontext
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    venue = BinanceVenue(_access(url))
    venue._list("BTCUSDT", INSTRUMENT)
    venue._wire.markets = {}
    yield venue, prepared
    await venue.close()
    server.should_exit = True
    await serving


def _access(url):
    return VenueAccess(Mode.PAPER, url, url.replace("http", "ws"), SecretStr("k"), SecretStr("s"))


@pytest.mark.parametrize(
    "response",
    [
        PlainTextResponse("<html>gateway</html>", status_code=502),
        PlainTextResponse("not json at all", status_code=200),
        PlainTextResponse('{"status": "FILLED"}', status_code=200),
        PlainTextResponse('{"status": "SURPRISE", "symbol": "BTCUSDT"}', status_code=200),
        PlainTextResponse('{"code": -1007, "msg": "Timeout"}', status_code=408),
        PlainTextResponse('{"code": -2010, "msg": "Duplicate order sent."}', status_code=400),
    ],
)
async def test_an_answer_without_a_clear_yes_or_no_leaves_the_outcome_unknown(answering, response):
    venue, prepared = answering
    prepared["response"] = response
    with pytest.raises(OutcomeUnknown):
        await venue.submit("c" * 32, terms())
    assert prepared["calls"] == 1


async def test_after_a_429_the_adapter_keeps_silent(answering):
    venue, prepared = answering
    prepared["response"] = PlainTextResponse(
        '{"code": -1003, "msg": "Too much request weight used."}', status_code=429, headers={"Retry-After": "30"}
    )
    with pytest.raises(VenueUnreachable):
        await venue.balances()
    with pytest.raises(VenueUnreachable):
        await venue.balances()
    with pytest.raises(VenueRefused) as refusal:
        await venue.submit("c" * 32, terms())

    assert refusal.value.code == "rate_limited"
    assert prepared["calls"] == 1


async def test_a_venue_that_is_not_there_leaves_the_outcome_unknown():
    venue = BinanceVenue(_access("http://127.0.0.1:9"))
    venue._list("BTCUSDT", INSTRUMENT)
    try:
        with pytest.raises(OutcomeUnknown):
            await venue.submit("c" * 32, terms())
        with pytest.raises(VenueRefused):
            await venue.submit("c" * 32, terms(symbol="DOGE-USDT"))
    finally:
        await venue.close()


async def test_a_key_that_may_withdraw_is_refused(answering):
    venue, prepared = answering
    prepared["response"] = PlainTextResponse('{"enableWithdrawals": true}')
    with pytest.raises(KeyTooPowerful):
        await venue._refuse_withdrawal_rights()


async def test_a_live_venue_must_say_what_the_key_may_do(answering):
    venue, prepared = answering
    prepared["response"] = Response(status_code=404)
    await venue._refuse_withdrawal_rights()
    venue._access = replace(venue._access, mode=Mode.LIVE)
    with pytest.raises(KeyTooPowerful):
        await venue._refuse_withdrawal_rights()


def test_ccxt_still_has_the_places_that_are_opened():
    dispatched = inspect.getsource(ccxt.pro.binance.handle_message)
    assert "self.handle_order_update" in dispatched
    assert "self.handle_balance" in dispatched
    assert list(inspect.signature(ccxt.pro.binance.handle_errors).parameters)[1:8] == [
        "code", "reason", "url", "method", "headers", "body", "response",
    ]  # fmt: skip
