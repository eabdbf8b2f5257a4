"""OKX's words against ours, and the traps of its API and of the library that speaks it, each a test."""

import asyncio
import json
from datetime import timedelta
from decimal import Decimal

import pytest
from aiohttp import web
from algotrendy_broker_gateway.adapters import okx_messages as messages
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.answered import Answered
from algotrendy_broker_gateway.adapters.okx import OkxVenue
from algotrendy_broker_gateway.adapters.okx_questions import FillCursor, pages
from algotrendy_broker_gateway.adapters.okx_requests import algo_request, order_request
from algotrendy_broker_gateway.adapters.okx_wire import explicit, refused
from algotrendy_broker_gateway.domain.venue_report import Standing
from algotrendy_broker_gateway.errors import KeyTooPowerful, OutcomeUnknown, VenueRefused
from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Liquidity, MarginMode, Mode, OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_core.instruments import Instrument, InstrumentKind
from pydantic import SecretStr

SPOT = Instrument(
    venue="okx", symbol="BTC-USDT", base="BTC", quote="USDT", price_step="0.1", quantity_step="0.00000001",
    min_quantity="0.00001", max_quantity="9000", min_notional="0", maker_fee="0.0008", taker_fee="0.001",
)  # fmt: skip
SWAP = SPOT.model_copy(
    update={"symbol": "BTC-USDT-PERP", "kind": InstrumentKind.PERPETUAL, "contract_size": Decimal("0.01")}
)
ID = "c" * 32


def terms(**changes):
    shape = {
        "order_id": "0" * 32, "account": "paper-1", "venue": "okx", "symbol": "BTC-USDT", "side": Side.SELL,
        "type": OrderType.LIMIT, "quantity": Decimal("0.50"), "limit_price": Decimal("50000.10"),
    }  # fmt: skip
    return OrderTerms(**(shape | changes))


# -- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"ordType": "limit", "px": "50000.1", "sz": "0.5", "tdMode": "cash", "tgtCcy": None, "clOrdId": ID}),
        ({"time_in_force": TimeInForce.IOC}, {"ordType": "ioc"}),
        ({"time_in_force": TimeInForce.FOK}, {"ordType": "fok"}),
        ({"time_in_force": TimeInForce.POST_ONLY}, {"ordType": "post_only"}),
        ({"type": OrderType.MARKET, "limit_price": None}, {"ordType": "market", "tgtCcy": "base_ccy", "px": None}),
        ({"reduce_only": True}, {"reduceOnly": None}),
    ],
)
def test_a_spot_request_says_exactly_the_terms(changes, expected):
    request = order_request(ID, terms(**changes), "BTC-USDT", SPOT)

    assert {name: request.get(name) for name in expected} == expected


def test_a_swaps_size_is_contracts_and_its_mode_is_said():
    asked = terms(symbol="BTC-USDT-PERP", reduce_only=True, margin_mode=MarginMode.ISOLATED)

    request = order_request(ID, asked, "BTC-USDT-SWAP", SWAP)

    assert (request["sz"], request["tdMode"], request["reduceOnly"]) == ("50", "isolated", True)
    assert "tgtCcy" not in request


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"type": OrderType.STOP, "limit_price": None, "trigger_price": Decimal(40000)},
            {"ordType": "conditional", "slTriggerPx": "40000", "slOrdPx": "-1", "tpTriggerPx": None},
        ),
        (
            {"type": OrderType.STOP_LIMIT, "trigger_price": Decimal(40000), "limit_price": Decimal(39900)},
            {"ordType": "conditional", "slTriggerPx": "40000", "slOrdPx": "39900"},
        ),
        (
            {"type": OrderType.TAKE_PROFIT_LIMIT, "trigger_price": Decimal(60000)},
            {"ordType": "conditional", "tpTriggerPx": "60000", "tpOrdPx": "50000.1", "slTriggerPx": None},
        ),
        (
            {"type": OrderType.OCO, "trigger_price": Decimal(40000)},
            {"ordType": "oco", "tpTriggerPx": "50000.1", "tpOrdPx": "50000.1", "slTriggerPx": "40000", "slOrdPx": "-1"},
        ),
        (
            {"type": OrderType.TRAILING_STOP, "limit_price": None, "trailing_ratio": Decimal("0.05")},
            {"ordType": "move_order_stop", "callbackRatio": "0.05", "activePx": None},
        ),
    ],
)
def test_what_waits_is_an_algo_order_under_an_id_of_its_own(changes, expected):
    request = algo_request(ID, terms(**changes), "BTC-USDT", SPOT)

    assert request["algoClOrdId"] == ID
    assert {name: request.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"type": OrderType.STOP, "limit_price": None},
        {"type": OrderType.STOP_LIMIT, "trigger_price": Decimal(1), "limit_price": None},
        {"type": OrderType.TRAILING_STOP, "trailing_ratio": Decimal("0.0005")},
        {"type": OrderType.STOP, "trigger_price": Decimal(1), "margin_mode": MarginMode.CROSS},
    ],
)
def test_what_okx_has_no_word_for_is_refused_before_it_leaves(changes):
    with pytest.raises(VenueRefused):
        algo_request(ID, terms(**changes), "BTC-USDT", SPOT)


# -- error answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "is_no", "ours"),
    [
        (200, "51008", True, "insufficient_balance"),
        (200, "51020", True, "venue_filter"),
        (429, "50011", True, "rate_limited"),
        (401, "50102", True, "clock_skew"),
        (401, "50113", True, "signature_refused"),
        (200, "51016", False, "venue_refused"),
        (200, "50004", False, "venue_refused"),
        (200, "50026", False, "venue_refused"),
        (503, "50001", False, "venue_refused"),
        (503, "51008", False, "insufficient_balance"),
        (403, None, False, "venue_refused"),
    ],
)
def test_only_a_clear_no_is_one(status, code, is_no, ours):
    answer = Answered(status, code, "words")

    assert explicit(answer) is is_no
    assert refused(answer).code == ours


# -- pages and cursors -------------------------------------------------------------------------------------------------


async def test_with_before_alone_the_newest_come_so_pages_go_backwards():
    """Reading on with ``before`` alone would skip whatever lies between the cursor and the newest hundred."""
    kept = [{"billId": str(number)} for number in range(1, 351)]

    async def ask(request):
        older, newer = int(request.get("after", 10**9)), int(request["before"])
        found = [row for row in kept if newer < int(row["billId"]) < older]
        return found[::-1][: int(request["limit"])]

    rows = await pages(ask, {"before": "40"}, "billId")

    assert [int(row["billId"]) for row in rows] == list(range(350, 40, -1))


def test_a_cursor_older_than_the_recent_list_asks_the_older_one():
    made = from_ms(1_700_000_000_000)
    cursor = FillCursor.of(str(FillCursor(17, made)))

    assert cursor == FillCursor(17, made)
    assert cursor.is_recent(made + timedelta(days=1))
    assert not cursor.is_recent(made + timedelta(days=3))


# -- what is read ------------------------------------------------------------------------------------------------------


def listed(market_id):
    return {"BTC-USDT": SPOT, "BTC-USDT-SWAP": SWAP}[market_id]


CHILD = {
    "accFillSz": "3", "algoClOrdId": ID, "algoId": "77", "avgPx": "101950", "cTime": "1737400200000",
    "cancelSource": "", "clOrdId": "", "execType": "T", "fee": "-0.02", "feeCcy": "USDT", "fillFee": "-0.02039",
    "fillFeeCcy": "USDT", "fillPx": "101950.0", "fillSz": "3", "fillTime": "1737400200100",
    "instId": "BTC-USDT-SWAP", "instType": "SWAP", "ordId": "99", "ordType": "market", "px": "",
    "reduceOnly": "true", "side": "sell", "state": "filled", "sz": "3", "tdMode": "isolated", "tgtCcy": "",
    "tradeId": "1518905529", "uTime": "1737400200101",
}  # fmt: skip


def test_an_algo_orders_child_has_the_algo_orders_names():
    report = messages.order(CHILD, listed)

    assert (report.order.venue_order_id, report.order.client_id) == ("algo:77", ID)
    assert (report.order.standing, report.order.reduce_only) == (Standing.DONE, True)


def test_a_fill_in_contracts_is_base_and_its_negative_fee_was_charged():
    (fill,) = messages.order(CHILD, listed).fills

    assert (fill.quantity, fill.price, fill.fee) == (Decimal("0.03"), Decimal(101950), Decimal("0.02039"))
    assert (fill.trade_id, fill.venue_order_id, fill.liquidity) == ("1518905529", "algo:77", Liquidity.TAKER)
    assert fill.event_time == from_ms(1737400200100)


def test_a_fill_without_a_fee_of_its_own_has_the_orders_where_it_is_the_only_one():
    row = {name: value for name, value in CHILD.items() if name not in ("fillFee", "fillFeeCcy")}

    assert [fill.fee for fill in messages.order(row, listed).fills] == [Decimal("0.02")]
    assert messages.order(row | {"accFillSz": "5"}, listed).fills == ()


def test_a_querys_row_tells_no_fill_though_it_repeats_the_last_one():
    row = {name: value for name, value in CHILD.items() if name not in ("fillFee", "fillFeeCcy", "execType")}

    assert messages.order(row, listed).fills == ()


@pytest.mark.parametrize("name", ["state", "ordId", "sz", "side", "accFillSz", "cTime"])
def test_a_message_that_lacks_something_is_not_half_understood(name):
    row = {key: value for key, value in CHILD.items() if key not in (name, "algoId")}
    with pytest.raises(KeyError):
        messages.order(row, listed)


def test_open_profit_is_no_cash():
    account = {"details": [{"ccy": "USDT", "cashBal": "100", "eq": "140", "availBal": "", "availEq": "120"}]}

    (held,) = messages.balances(account)

    assert (held.total, held.available, held.reserved) == (Decimal(100), Decimal(100), Decimal(0))


def test_a_short_position_is_negative_in_either_position_mode():
    row = {
        "instId": "BTC-USDT-SWAP", "pos": "5", "posSide": "short", "avgPx": "50000", "markPx": "", "liqPx": "",
        "lever": "3", "mgnMode": "cross", "uTime": "1700000000000",
    }  # fmt: skip
    assert messages.position(row, listed).quantity == Decimal("-0.05")
    assert messages.position(row | {"posSide": "net", "pos": "-5"}, listed).quantity == Decimal("-0.05")
    assert messages.position(row | {"pos": "0"}, listed) is None


# -- a venue that answers as told --------------------------------------------------------------------------------------


class Answering:
    """A server that says what each path is to be answered with, and keeps what it was sent."""

    def __init__(self):
        self.sent = []
        self.answers = {
            "/api/v5/public/time": [{"ts": "1700000000000"}],
            "/api/v5/account/config": [{"perm": "read_only,trade", "acctLv": "2", "posMode": "net_mode"}],
            "/api/v5/account/trade-fee": [
                {"instType": "SPOT", "maker": "-0.0008", "taker": "-0.001"},
            ],
            "/api/v5/public/instruments": [],
        }
        self.raw = {}

    async def answer(self, request):
        text = await request.text()
        self.sent.append((request.path, json.loads(text) if text else None, dict(request.headers)))
        if request.path in self.raw:
            return web.json_response(self.raw[request.path])
        return web.json_response({"code": "0", "msg": "", "data": self.answers.get(request.path, [])})


@pytest.fixture
async def answering():
    standing = Answering()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", standing.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    access = VenueAccess(
        Mode.PAPER, f"http://127.0.0.1:{runner.addresses[0][1]}", None, SecretStr("k"), SecretStr("s"), SecretStr("p")
    )
    venue = OkxVenue(access)
    venue._list("BTC-USDT", SPOT)
    venue._list("BTC-USDT-SWAP", SWAP)
    yield standing, venue
    await venue.close()
    await runner.cleanup()


async def test_the_librarys_broker_is_not_in_our_orders(answering):
    """Where a ``clOrdId`` is missing the library sends one of its own, and a tag of its broker."""
    standing, venue = answering
    standing.answers["/api/v5/trade/order"] = [{"ordId": "1", "clOrdId": ID, "sCode": "0", "sMsg": ""}]
    standing.answers["/api/v5/trade/order-algo"] = [{"algoId": "2", "algoClOrdId": ID, "sCode": "0", "sMsg": ""}]

    plain_one = await venue.submit(ID, terms())
    waiting = await venue.submit(ID, terms(type=OrderType.STOP, limit_price=None, trigger_price=Decimal(4)))

    bodies = [body for _, body, _ in standing.sent]
    assert [body["clOrdId"] for body in bodies] == [ID, ID]
    assert all("tag" not in body for body in bodies)
    assert (plain_one.order.venue_order_id, waiting.order.venue_order_id) == ("1", "algo:2")
    assert waiting.order.waiting


async def test_the_reason_is_inside_where_all_orders_failed(answering):
    standing, venue = answering
    outcome = {"ordId": "", "clOrdId": ID, "sCode": "51008", "sMsg": "Insufficient balance"}
    standing.raw["/api/v5/trade/order"] = {"code": "1", "msg": "All operations failed", "data": [outcome]}

    with pytest.raises(VenueRefused) as no:
        await venue.submit(ID, terms())

    assert (no.value.code, no.value.context["venue_code"]) == ("insufficient_balance", "51008")


@pytest.mark.parametrize("code", ["50004", "51016", "50026"])
async def test_a_code_that_leaves_doubt_is_no_refusal(answering, code):
    standing, venue = answering
    standing.raw["/api/v5/trade/order"] = {"code": "1", "msg": "", "data": [{"sCode": code, "sMsg": "perhaps"}]}

    with pytest.raises(OutcomeUnknown):
        await venue.submit(ID, terms())


async def test_leverage_names_its_margin_mode_and_is_text(answering):
    standing, venue = answering
    standing.answers["/api/v5/account/set-leverage"] = [{"lever": "5"}]

    await venue.set_leverage("BTC-USDT-PERP", Decimal("5.0"), MarginMode.ISOLATED)

    assert standing.sent[-1][1] == {"instId": "BTC-USDT-SWAP", "lever": "5", "mgnMode": "isolated"}
    with pytest.raises(VenueRefused):
        await venue.set_leverage("BTC-USDT", Decimal(5), MarginMode.CROSS)


async def test_everything_is_cancelled_in_batches_because_there_is_no_call_for_all(answering):
    standing, venue = answering
    rows = [{"instId": "BTC-USDT", "ordId": str(number)} for number in range(45)]
    standing.answers["/api/v5/trade/orders-pending"] = [*rows, {"instId": "BTC-USD-OPTION", "ordId": "99"}]
    standing.answers["/api/v5/trade/cancel-batch-orders"] = [{"ordId": "1", "sCode": "0", "sMsg": ""}]

    await venue.cancel_all()

    sent = [body for path, body, _ in standing.sent if path == "/api/v5/trade/cancel-batch-orders"]
    assert [len(body) for body in sent] == [20, 20, 5]
    assert {row["ordId"] for body in sent for row in body} == {str(number) for number in range(45)}


async def test_the_dead_mans_switch_is_ten_seconds_to_two_minutes(answering):
    standing, venue = answering
    standing.answers["/api/v5/trade/cancel-all-after"] = [{"triggerTime": "0", "ts": "0"}]

    await venue.arm_dead_man_switch(timedelta(seconds=45))
    await venue.arm_dead_man_switch(timedelta(0))

    assert [body for _, body, _ in standing.sent] == [{"timeOut": "45"}, {"timeOut": "0"}]
    with pytest.raises(VenueRefused):
        await venue.arm_dead_man_switch(timedelta(seconds=5))


async def test_a_key_that_may_withdraw_is_refused(answering):
    standing, venue = answering
    standing.answers["/api/v5/account/config"] = [
        {"perm": "read_only,withdraw,trade", "acctLv": "2", "posMode": "net_mode"}
    ]
    with pytest.raises(KeyTooPowerful):
        await venue.connect()


@pytest.mark.parametrize("about", [{"acctLv": "1"}, {"posMode": "long_short_mode"}])
async def test_an_account_without_swaps_in_net_mode_lists_none(answering, about):
    """A simple account refuses every call about swaps (51010)."""
    standing, venue = answering
    (configuration,) = standing.answers["/api/v5/account/config"]
    standing.answers["/api/v5/account/config"] = [configuration | about]

    await venue.connect()

    assert [path for path, _, _ in standing.sent].count("/api/v5/public/instruments") == 1


def test_paper_without_an_address_of_ours_is_okxs_own_demo():
    keys = SecretStr("k"), SecretStr("s"), SecretStr("p")

    async def headers(mode):
        venue = OkxVenue(VenueAccess(mode, None, None, *keys))
        try:
            return venue._wire.headers or {}
        finally:
            await venue.close()

    assert asyncio.run(headers(Mode.PAPER)).get("x-simulated-trading") == "1"
    assert "x-simulated-trading" not in asyncio.run(headers(Mode.LIVE))
