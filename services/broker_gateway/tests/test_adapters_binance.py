"""Binance's words against ours; the payloads beside this file have the shapes of Binance's own documentation."""

import asyncio
import contextlib
import inspect
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import ccxt.pro
import pytest
import uvicorn
from algotrendy_broker_gateway.adapters import binance_messages as messages
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.answered import Answered, repointed
from algotrendy_broker_gateway.adapters.binance import BinanceVenue
from algotrendy_broker_gateway.adapters.binance_pairs import Endings
from algotrendy_broker_gateway.adapters.binance_requests import order_request, pair_request
from algotrendy_broker_gateway.adapters.binance_wire import explicit, refused
from algotrendy_broker_gateway.domain.rate_limit import RESERVE
from algotrendy_broker_gateway.domain.venue_report import Standing, VenueReport
from algotrendy_broker_gateway.errors import KeyTooPowerful, OutcomeUnknown, VenueRefused, VenueUnreachable
from algotrendy_common.clock import from_ms, monotonic_s
from algotrendy_common.enums import Liquidity, MarginMode, Mode, OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.testing.waiting import eventually
from algotrendy_core.instruments import Instrument
from algotrendy_simulator.server import serving
from algotrendy_simulator.settings import SimulatorSettings
from algotrendy_simulator.testing import call_admin
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


async def test_an_order_that_waited_for_its_weight_is_not_sent_into_a_halt(answering):
    venue, prepared = answering
    venue._access = replace(venue._access, halted=lambda: True)
    venue._weights.take(6000 * (1 - RESERVE) + 10, monotonic_s())  # an eighth of a second from now there is room again
    with pytest.raises(VenueRefused) as refusal:
        await venue.submit("c" * 32, terms())
    assert refusal.value.code == "halted"
    assert prepared.get("calls", 0) == 0


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


# -- triggers and pairs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"type": OrderType.STOP, "limit_price": None, "trigger_price": Decimal(40000)},
            {"type": "STOP_LOSS", "stopPrice": "40000", "price": None, "timeInForce": None},
        ),
        (
            {"type": OrderType.STOP_LIMIT, "trigger_price": Decimal(40000)},
            {"type": "STOP_LOSS_LIMIT", "stopPrice": "40000", "price": "50000.1", "timeInForce": "GTC"},
        ),
        (
            {"type": OrderType.TAKE_PROFIT, "limit_price": None, "trigger_price": Decimal(60000)},
            {"type": "TAKE_PROFIT", "stopPrice": "60000"},
        ),
        (
            {"type": OrderType.TRAILING_STOP, "limit_price": None, "trailing_ratio": Decimal("0.015")},
            {"type": "STOP_LOSS", "trailingDelta": "150", "stopPrice": None},
        ),
        # A STOP_LOSS with a stopPrice would begin to trail once the price is worse.
        (
            {
                "type": OrderType.TRAILING_STOP,
                "limit_price": None,
                "trailing_ratio": Decimal("0.015"),
                "trigger_price": Decimal(60000),
            },
            {"type": "TAKE_PROFIT", "trailingDelta": "150", "stopPrice": "60000"},
        ),
        ({"time_in_force": TimeInForce.GTD, "good_until": from_ms(1)}, {"type": "LIMIT", "timeInForce": "GTC"}),
    ],
)
def test_a_trigger_is_said_in_binances_words(changes, expected):
    request = order_request("c" * 32, terms(side=Side.SELL, **changes), "BTCUSDT")

    assert {name: request.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"type": OrderType.STOP, "limit_price": None}, "trigger_price_missing"),
        ({"type": OrderType.STOP_LIMIT, "limit_price": None, "trigger_price": Decimal(1)}, "limit_price_missing"),
        ({"type": OrderType.TRAILING_STOP, "trailing_ratio": Decimal("0.00015")}, "trailing_ratio"),
        (
            {"type": OrderType.STOP_LIMIT, "trigger_price": Decimal(1), "time_in_force": TimeInForce.POST_ONLY},
            "time_in_force",
        ),
    ],
)
def test_what_binance_has_no_word_for_is_refused_before_it_leaves(changes, code):
    with pytest.raises(VenueRefused) as refusal:
        order_request("c" * 32, terms(**changes), "BTCUSDT")

    assert refusal.value.code == code


@pytest.mark.parametrize(("side", "limit", "stop"), [(Side.SELL, "above", "below"), (Side.BUY, "below", "above")])
def test_a_pairs_take_profit_is_on_its_own_side_of_the_price(side, limit, stop):
    request = pair_request("c" * 32, terms(side=side, type=OrderType.OCO, trigger_price=Decimal(40000)), "BTCUSDT")

    assert (request[f"{limit}Type"], request[f"{limit}Price"]) == ("LIMIT_MAKER", "50000.1")
    assert (request[f"{stop}Type"], request[f"{stop}StopPrice"]) == ("STOP_LOSS", "40000")
    assert (request[f"{limit}ClientOrderId"], request[f"{stop}ClientOrderId"]) == ("c" * 32, "c" * 32 + "s")


def _leg_event(order_id, status):
    return {"i": order_id, "g": 7, "X": status}


@pytest.mark.parametrize(
    ("events", "told"),
    [
        # The stop is ended by the take-profit's fill, and the other way round: no cancellation of ours.
        ([(1, "NEW"), (2, "NEW"), (2, "EXPIRED"), (1, "FILLED")], [True, True, False, True]),
        ([(1, "FILLED"), (2, "EXPIRED")], [True, False]),
        ([(2, "EXPIRED"), (1, "PARTIALLY_FILLED"), (1, "CANCELED")], [False, True, True]),
        ([(1, "EXPIRED"), (2, "PARTIALLY_FILLED"), (2, "FILLED")], [False, True, True]),
        ([(1, "CANCELED"), (2, "CANCELED")], [True, False]),
        ([(1, "EXPIRED"), (1, "EXPIRED"), (2, "EXPIRED")], [False, False, True]),
    ],
)
def test_a_pair_has_ended_when_both_legs_have(events, told):
    endings = Endings()

    assert [endings.tells(_leg_event(*event)) for event in events] == told
    assert endings.tells({"i": 9, "g": -1, "X": "EXPIRED"})


# -- the adapter at a simulated venue --------------------------------------------------------------------------------


@pytest.fixture
async def trading():
    """The adapter with half a bitcoin bought, the venue, and what the user stream says."""
    settings = SimulatorSettings(port=0, paused=True, history=30)
    async with serving(settings) as simulated:
        venue = BinanceVenue(
            VenueAccess(Mode.PAPER, simulated.http, simulated.ws, SecretStr(settings.key), settings.secret)
        )
        await venue.connect()
        heard = []

        async def listen():
            async for message in venue.stream():
                heard.append(message)

        listening = asyncio.create_task(listen())
        await eventually(lambda: heard)
        await venue.submit("b" * 32, terms(type=OrderType.MARKET, limit_price=None, quantity=Decimal("0.5")))
        yield venue, simulated, heard
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await venue.close()


def pair_terms(**changes):
    values = {"side": Side.SELL, "type": OrderType.OCO, "limit_price": Decimal(19000), "trigger_price": Decimal(15000)}
    return terms(**(values | changes))


async def price_of(simulated):
    return Decimal((await call_admin(simulated.http, "GET", "/admin/status"))["symbols"][0]["last_price"])


async def test_listings_carry_the_venues_steps_and_the_accounts_fees(trading):
    venue, _, _ = trading

    instrument = venue.instrument("BTC-USDT")
    assert (instrument.price_step, instrument.quantity_step) == (Decimal("0.01"), Decimal("0.000001"))
    assert (instrument.min_notional, instrument.maker_fee, instrument.taker_fee) == (
        5,
        Decimal("0.001"),
        Decimal("0.001"),
    )
    assert venue.assets("BTC-USDT") == ("BTC", "USDT")
    with pytest.raises(VenueRefused):
        venue.instrument("DOGE-USDT")


@pytest.mark.parametrize(("limit", "stop", "leg"), [("3", "-2000", "c" * 32), ("2000", "-4", "c" * 32 + "s")])
async def test_a_pair_is_one_order_whichever_leg_trades(trading, limit, stop, leg):
    venue, simulated, heard = trading
    price = await price_of(simulated)
    placed = await venue.submit(
        "c" * 32, pair_terms(limit_price=price + Decimal(limit), trigger_price=price + Decimal(stop))
    )
    assert (placed.order.client_id, placed.order.type, placed.order.standing) == (
        "c" * 32, OrderType.OCO, Standing.WORKING,
    )  # fmt: skip
    (working,) = await venue.open_orders()
    assert working.order == placed.order
    cursor = await venue.fills_cursor("BTC-USDT")

    async def traded():
        await call_admin(simulated.http, "POST", "/admin/step", {"candles": 1})
        report = await venue.order("BTC-USDT", "c" * 32)
        return report.order.standing is Standing.DONE and report

    done = await eventually(traded)
    assert (done.order.venue_order_id, done.order.executed_quantity) == (placed.order.venue_order_id, Decimal("0.01"))
    fills = await venue.fills_of("BTC-USDT", placed.order.venue_order_id)
    assert sum(fill.quantity for fill in fills) == Decimal("0.01")
    assert {fill.venue_order_id for fill in fills} == {placed.order.venue_order_id}
    assert (await venue.fills_after("BTC-USDT", cursor)).fills == fills
    assert await venue.order_by_venue_id("BTC-USDT", placed.order.venue_order_id) == done
    of_pair = [each for each in heard if isinstance(each, VenueReport) and each.order.client_id == "c" * 32]
    assert of_pair[-1].order.standing is Standing.DONE
    assert Standing.CANCELLED not in {each.order.standing for each in of_pair}
    orders = {
        order["clientOrderId"]: order["status"] for order in await call_admin(simulated.http, "GET", "/admin/orders")
    }
    assert orders[leg] == "FILLED"


@pytest.mark.parametrize("knows_the_list", [True, False])
async def test_a_pair_is_cancelled_as_one(trading, knows_the_list):
    venue, _, heard = trading
    placed = await venue.submit("c" * 32, pair_terms())

    report = await venue.cancel("BTC-USDT", "c" * 32, placed.order.venue_order_id if knows_the_list else None)
    assert (report.order.standing, report.order.limit_price, report.order.trigger_price) == (
        Standing.CANCELLED, Decimal(19000), Decimal(15000),
    )  # fmt: skip
    assert await venue.open_orders() == ()
    assert await venue.cancel("BTC-USDT", "c" * 32) is None
    cancelled = lambda: [  # noqa: E731
        each for each in heard if isinstance(each, VenueReport) and each.order.standing is Standing.CANCELLED
    ]
    assert len(await eventually(cancelled)) == 1


async def test_a_waiting_order_is_seen_waiting_and_everything_is_cancelled_at_once(trading):
    venue, _, _ = trading
    stop = await venue.submit(
        "d" * 32, terms(side=Side.SELL, type=OrderType.STOP, limit_price=None, trigger_price=Decimal(15000))
    )
    assert (stop.order.waiting, stop.order.trigger_price, stop.order.type) == (True, Decimal(15000), OrderType.STOP)
    trailing = terms(
        side=Side.SELL, type=OrderType.TRAILING_STOP, limit_price=None, trailing_ratio=Decimal("0.02"),
        trigger_price=Decimal(18000),
    )  # fmt: skip
    await venue.submit("e" * 32, trailing)
    await venue.submit("f" * 32, pair_terms())
    shown = {report.order.client_id: report.order for report in await venue.open_orders()}
    assert (shown["e" * 32].type, shown["e" * 32].trailing_ratio) == (OrderType.TRAILING_STOP, Decimal("0.02"))
    assert {"d" * 32, "e" * 32, "f" * 32} == set(shown)
    await venue.cancel_all()
    assert await venue.open_orders() == ()
    await venue.cancel_all()


async def test_a_clock_that_is_wrong_is_set_by_the_venues(trading):
    venue, _, _ = trading
    venue._wire.options["timeDifference"] = -60_000
    with pytest.raises(VenueRefused) as refusal:
        await venue.submit("c" * 32, terms(limit_price=Decimal(15000)))
    assert refusal.value.code == "clock_skew"
    await venue.ping()
    assert (await venue.submit("c" * 32, terms(limit_price=Decimal(15000)))).order.standing is Standing.WORKING


async def test_nothing_is_sent_to_a_venue_that_has_banned_us(trading):
    venue, simulated, _ = trading
    await call_admin(simulated.http, "POST", "/admin/ban", {"seconds": 60})
    with pytest.raises(VenueUnreachable):
        await venue.balances()
    await call_admin(simulated.http, "DELETE", "/admin/faults")
    with pytest.raises(VenueRefused) as refusal:
        await venue.submit("c" * 32, terms())
    assert refusal.value.code == "rate_limited"


async def test_a_closed_venue_leaves_an_order_unknown(trading):
    """ccxt takes the answer for a bad request, which would be a refusal."""
    venue, simulated, _ = trading
    await call_admin(simulated.http, "POST", "/admin/maintenance", {"on": True})
    with pytest.raises(OutcomeUnknown):
        await venue.submit("c" * 32, terms())


async def test_spot_has_neither_leverage_nor_a_dead_mans_switch(trading):
    venue, _, _ = trading
    assert await venue.positions() == ()
    with pytest.raises(VenueRefused):
        await venue.set_leverage("BTC-USDT", Decimal(2), MarginMode.CROSS)
    with pytest.raises(VenueRefused):
        await venue.arm_dead_man_switch(timedelta(seconds=10))
    assert not venue.capabilities.dead_man_switch
    assert venue.capabilities.margin_modes == {MarginMode.NONE}
