"""The simulated OKX: an unmodified ccxt trades and streams on it, and what OKX refuses it refuses in OKX's words."""

import asyncio
import json
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import aiohttp
import ccxt.pro
import pytest
from algotrendy_common.clock import SystemClock
from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.ids import new_id
from algotrendy_simulator.orders import Order, VenueStatus
from algotrendy_simulator.testing import running_venue
from algotrendy_simulator.venues.okx.algos import Algo, algo_of, algos, is_ordinary
from algotrendy_simulator.venues.okx.authentication import signature
from algotrendy_simulator.venues.okx.wire import checksum

BTC, SWAP = "BTC/USDT", "BTC/USDT:USDT"


@pytest.fixture(scope="module")
def running():
    manager = running_venue(venue="okx", paused=True, history=30, extra=("--weight-per-minute", "1000000"))
    with asyncio.Runner() as runner:
        yield runner.run(manager.__aenter__())
        runner.run(manager.__aexit__(None, None, None))


@pytest.fixture
async def venue(running):
    """The venue with an account of the test's own."""
    name = new_id()
    keys = {"key": name, "secret": running.secret, "passphrase": running.passphrase}
    await running.admin("POST", "/admin/accounts", {"account": name, "balances": {"USDT": "100000"}, **keys})
    yield replace(running, key=name, account=name)
    await running.admin("POST", "/admin/orders/cancel", {"account": name})


@pytest.fixture
async def client(venue):
    okx = ccxt.pro.okx({"options": {"fetchMarkets": {"types": ["spot", "swap"]}}, "enableRateLimit": False})
    okx.has["fetchCurrencies"] = False
    venue.repoint(okx)
    try:
        await okx.load_markets()
        yield okx
    finally:
        await okx.close()


async def test_ccxt_reads_the_market(client):
    assert {BTC, SWAP} <= set(client.markets)
    assert client.markets[SWAP]["contractSize"] == 0.01
    ticker, book = await client.fetch_ticker(BTC), await client.fetch_order_book(SWAP)
    candles = await client.fetch_ohlcv(BTC, "1m", limit=3)
    assert ticker["last"] > 0
    assert book["bids"][0][0] < book["asks"][0][0]
    assert len(candles) == 3
    assert candles[0][0] < candles[1][0]


async def test_ccxt_trades_spot(client):
    resting = await client.create_order(BTC, "limit", "buy", 0.01, 5000, {"clientOrderId": "abc1"})
    found = await client.fetch_order(None, BTC, {"clientOrderId": "abc1"})
    assert (found["id"], found["status"]) == (resting["id"], "open")
    with pytest.raises(ccxt.InvalidOrder):
        await client.create_order(BTC, "limit", "buy", 0.01, 5000, {"clientOrderId": "abc1"})
    await client.edit_order(resting["id"], BTC, "limit", "buy", 0.02, 5001)
    assert [order["amount"] for order in await client.fetch_open_orders(BTC)] == [0.02]
    await client.cancel_order(None, BTC, {"clientOrderId": "abc1"})
    with pytest.raises(ccxt.OrderNotFound):
        await client.cancel_order(resting["id"], BTC)

    bought = await client.create_order(BTC, "market", "buy", 0.01)
    done = await client.fetch_order(bought["id"], BTC)
    assert (done["status"], done["filled"]) == ("closed", 0.01)
    trades = await client.fetch_my_trades(BTC)
    assert {trade["takerOrMaker"] for trade in trades} == {"taker"}
    assert sum(Decimal(str(trade["amount"])) for trade in trades) == Decimal("0.01")
    assert (await client.fetch_balance())["BTC"]["total"] == pytest.approx(0.00999)


async def test_ccxt_trades_swaps_in_contracts(client):
    await client.set_leverage(5, SWAP, {"marginMode": "cross"})
    await client.create_order(SWAP, "market", "buy", 5)
    (position,) = await client.fetch_positions([SWAP])
    assert (position["contracts"], position["side"], position["leverage"]) == (5.0, "long", 5.0)
    closing = await client.create_order(SWAP, "market", "sell", 9, None, {"reduceOnly": True})
    assert (await client.fetch_order(closing["id"], SWAP))["filled"] == 5.0
    assert await client.fetch_positions([SWAP]) == []


@pytest.mark.parametrize(
    ("parameters", "kind"),
    [
        ({"stopLossPrice": 10_000}, "conditional"),
        ({"takeProfitPrice": 40_000}, "conditional"),
        ({"triggerPrice": 10_000}, "trigger"),
        ({"trailingPercent": "1"}, "move_order_stop"),
    ],
)
async def test_ccxt_leaves_algo_orders_and_takes_them_back(client, venue, parameters, kind):
    await client.create_order(SWAP, "market", "buy", 5)
    waiting = await client.create_order(SWAP, "market", "sell", 5, None, {**parameters, "reduceOnly": True})
    (own,) = [row for row in await venue.admin("GET", f"/admin/orders?account={venue.account}") if row["waiting"]]
    assert own["status"] == "NEW"
    kinds = "conditional" if kind == "trigger" else kind
    pending = await client.fetch_open_orders(SWAP, params={"trigger": True, "ordType": kinds})
    assert [order["id"] for order in pending] == [waiting["id"]]

    await client.cancel_order(waiting["id"], SWAP, {"trigger": True})

    assert await client.fetch_open_orders(SWAP, params={"trigger": True, "ordType": kinds}) == []


async def test_ccxt_hears_its_orders_and_the_market(client, venue):
    hears = asyncio.ensure_future(client.watch_orders())
    balance = await asyncio.wait_for(client.watch_balance(), 10)
    book = await asyncio.wait_for(client.watch_order_book(BTC), 10)
    ticker, candles = await client.watch_ticker(SWAP), await client.watch_ohlcv(BTC)
    trades = asyncio.ensure_future(client.watch_trades(BTC))
    await asyncio.sleep(0)
    await venue.admin("POST", "/admin/step", {"candles": 1})
    assert balance["USDT"]["total"] == 100_000
    assert book["bids"]
    assert ticker["last"] > 0
    assert candles[-1][4] > 0
    assert await asyncio.wait_for(trades, 10)
    await client.create_order(BTC, "limit", "buy", 0.01, 5000)
    assert (await asyncio.wait_for(hears, 10))[-1]["status"] == "open"


async def test_a_books_updates_follow_each_other_and_their_checksum_holds(venue):
    sides = {"bids": {}, "asks": {}}
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{venue.ws}/ws/v5/public") as socket:
        await socket.send_json({"op": "subscribe", "args": [{"channel": "books", "instId": "BTC-USDT"}]})
        assert (await socket.receive_json(timeout=5))["event"] == "subscribe"
        numbers = []
        while len(numbers) < 4:
            message = await socket.receive_json(timeout=5)
            (data,) = message["data"]
            numbers.append((data["prevSeqId"], data["seqId"]))
            for name, held in sides.items():
                for price, size, *_ in data[name]:
                    held.pop(price, None)
                    if Decimal(size):
                        held[price] = size
            best = {
                name: sorted(held.items(), key=lambda row: Decimal(row[0]), reverse=name == "bids")
                for name, held in sides.items()
            }
            assert data["checksum"] == checksum(
                [list(row) for row in best["bids"]], [list(row) for row in best["asks"]]
            )
            await venue.admin("POST", "/admin/step", {"candles": 1})
    assert numbers[0][0] == -1
    assert all(later[0] == earlier[1] for earlier, later in pairwise(numbers))


def signed(venue, method, path, body="", **changes):
    stamp = SystemClock().now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    headers = {
        "OK-ACCESS-KEY": venue.key, "OK-ACCESS-PASSPHRASE": venue.passphrase, "OK-ACCESS-TIMESTAMP": stamp,
    } | changes  # fmt: skip
    headers.setdefault("OK-ACCESS-SIGN", signature(venue.secret, headers["OK-ACCESS-TIMESTAMP"], method, path, body))
    return headers


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"OK-ACCESS-KEY": "other"}, "50111"),
        ({"OK-ACCESS-PASSPHRASE": "wrong"}, "50105"),
        ({"OK-ACCESS-TIMESTAMP": "2020-12-08T09:08:57.715Z"}, "50102"),
        ({"OK-ACCESS-TIMESTAMP": "yesterday"}, "50112"),
        ({"OK-ACCESS-SIGN": "bm8="}, "50113"),
        ({"OK-ACCESS-SIGN": ""}, "50104"),
    ],
)
async def test_who_is_not_whom_he_says_is_not_let_in(venue, changes, code):
    path = "/api/v5/account/balance"
    async with (
        aiohttp.ClientSession() as session,
        session.get(venue.http + path, headers=signed(venue, "GET", path, **changes)) as answer,
    ):
        assert (answer.status, (await answer.json())["code"]) == (401, code)


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"clOrdId": "0d5dca4a-0f0d-4f6f-8f0e-8a7d1f0a4b11"}, "51000"),
        ({"instId": "NO-SUCH"}, "51001"),
        ({"sz": "100"}, "51008"),
        ({"sz": "0.0000001"}, "51121"),
        ({"tdMode": "cross"}, "51010"),
        ({"instId": "BTC-USDT-SWAP", "tdMode": "cross", "sz": "1", "reduceOnly": True}, "51169"),
    ],
)
async def test_the_reason_is_in_the_order_and_the_status_is_200(venue, order, code):
    shape = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit", "px": "5000", "sz": "0.01"}
    path, body = (
        "/api/v5/trade/order",
        json.dumps(shape | ({"sz": "100", "px": "5000"} if code == "51008" else {}) | order),
    )
    async with (
        aiohttp.ClientSession() as session,
        session.post(venue.http + path, data=body, headers=signed(venue, "POST", path, body)) as answer,
    ):
        said = await answer.json()
    assert (answer.status, said["code"], said["data"][0]["sCode"]) == (200, "1", code)


async def test_too_many_requests_are_50011_and_nothing_is_done():
    async with running_venue(venue="okx", paused=True, history=5, extra=("--weight-per-minute", "300")) as venue:
        codes = []
        async with aiohttp.ClientSession() as session:
            for _ in range(8):
                async with session.get(f"{venue.http}/api/v5/public/time") as answer:
                    codes.append((answer.status, (await answer.json())["code"]))
    assert (429, "50011") in codes
    assert codes[0] == (200, "0")


def order(number, **changes):
    shape = {
        "order_id": number, "account": "a", "client_order_id": f"c{number}", "symbol": "BTCUSDT", "side": Side.SELL,
        "type": OrderType.STOP, "time_in_force": TimeInForce.GTC, "quantity": Decimal(1), "limit_price": None,
        "quote_quantity": None, "reserved": Decimal(0), "created_ms": 0, "updated_ms": 0,
        "trigger_price": Decimal(9), "waiting": True,
    }  # fmt: skip
    return Order(**(shape | changes))


@pytest.mark.parametrize(
    ("changes", "state", "has_child"),
    [
        ({}, "live", False),
        ({"waiting": False}, "effective", True),
        ({"waiting": False, "filled": Decimal(1), "status": VenueStatus.FILLED}, "effective", True),
        ({"waiting": False, "status": VenueStatus.CANCELED}, "canceled", False),
        ({"waiting": False, "status": VenueStatus.EXPIRED}, "order_failed", False),
    ],
)
def test_what_waits_is_an_algo_order_and_what_it_sets_off_an_order(changes, state, has_child):
    found = order(7, **changes)
    algo = Algo((found,))
    assert (algo.state, algo.child is found, is_ordinary(found, {7: found})) == (state, has_child, has_child)


def test_a_pair_is_one_algo_order():
    limit = order(7, type=OrderType.LIMIT, trigger_price=None, waiting=False, limit_price=Decimal(11), sibling=8)
    stop = order(8, sibling=7)
    orders = {7: limit, 8: stop}
    (algo,) = algos(orders.values(), orders)
    assert (algo.kind, algo.state, algo.child) == ("oco", "live", None)
    assert algo_of(stop, orders).algo_id == algo.algo_id
    limit.filled = Decimal("0.5")
    assert algo.child is limit
    assert algo.state == "effective"
