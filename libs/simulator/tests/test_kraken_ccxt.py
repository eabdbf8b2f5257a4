"""The simulated Kraken against an unmodified ccxt client, and what ccxt does not send by hand."""

import json
import zlib
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import ccxt
import ccxt.pro
import pytest
from algotrendy_simulator.demo_keys import demo_key
from algotrendy_simulator.faults import Fault, FaultKind
from algotrendy_simulator.server import Running, serving
from algotrendy_simulator.settings import SimulatorSettings
from algotrendy_simulator.testing import call_admin, repoint
from algotrendy_simulator.venues.kraken.authentication import signature

BTC = "BTC/USDT"
DEMO = demo_key("kraken")
KNOWN = json.loads((Path(__file__).parent / "signing" / "known_answers.json").read_text())


@pytest.fixture
async def venue() -> AsyncIterator[Running]:
    settings = SimulatorSettings(port=0, paused=True, history=30, venue="kraken", weight_per_minute=6_000_000)
    async with serving(settings) as running:
        yield running


@pytest.fixture
async def client(venue: Running) -> AsyncIterator[Any]:
    client = ccxt.pro.kraken({"apiKey": DEMO.key, "secret": DEMO.secret, "enableRateLimit": False})
    repoint(client, venue.http, venue.ws)
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()


def test_signatures_are_the_documented_ones() -> None:
    known = next(each for each in KNOWN if each["exchange"] == "kraken")
    assert signature(known["secret"], known["path"], known["nonce"], known["payload"]) == known["signature"]


async def test_a_pair_has_three_names(client: Any) -> None:
    market = client.market(BTC)
    assert (market["id"], market["baseId"], market["info"]["wsname"]) == ("XBTUSDT", "BTC", "XBT/USDT")
    assert market["info"]["base"] == "XXBT"
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.01, 1e-06)
    assert (market["limits"]["leverage"]["max"], market["taker"]) == (5.0, 0.001)


async def test_market_data(client: Any, venue: Running) -> None:
    await call_admin(venue.http, "POST", "/admin/step", {"candles": 2})
    book = await client.fetch_order_book(BTC, 5)
    assert len(book["bids"]) == 5
    assert book["bids"][0][0] < book["asks"][0][0]
    assert (await client.fetch_ticker(BTC))["last"] > 0
    assert len(await client.fetch_trades(BTC, limit=10)) == 10
    candles = await client.fetch_ohlcv(BTC, "1m", limit=5)
    assert [later[0] - earlier[0] for earlier, later in pairwise(candles)] == [60_000] * 4
    assert (await client.fetch_status())["status"] == "ok"


async def test_an_order_is_found_by_its_client_id_in_one_place_only(client: Any) -> None:
    made = await client.create_order(BTC, "limit", "buy", 0.01, 10_000, {"clientOrderId": "a" * 32})
    shown = await client.fetch_order(made["id"])
    assert (shown["clientOrderId"], shown["status"], shown["price"]) == ("a" * 32, "open", 10_000)
    found = await client.fetch_open_orders(BTC, params={"clientOrderId": "a" * 32})
    assert [order["id"] for order in found] == [made["id"]]
    with pytest.raises(ccxt.ExchangeError):
        # ccxt sends the id as ``userref``, and without a ``txid``.
        await client.fetch_order(None, BTC, {"clientOrderId": "a" * 32})
    with pytest.raises(ccxt.ExchangeError, match="Duplicate"):
        await client.create_order(BTC, "limit", "buy", 0.01, 10_000, {"clientOrderId": "a" * 32})
    await client.cancel_order(None, BTC, {"clientOrderId": "a" * 32})
    assert (await client.fetch_order(made["id"]))["status"] == "canceled"


async def test_free_text_ids_are_cut(client: Any) -> None:
    given = {"clientOrderId": "my-own-text-of-many-letters"}
    made = await client.create_order(BTC, "limit", "buy", 0.01, 10_000, given)
    assert (await client.fetch_order(made["id"]))["clientOrderId"] == "my-own-text-of-man"


async def test_ccxts_trigger_price_goes_live_as_a_plain_order(client: Any) -> None:
    price = (await client.fetch_ticker(BTC))["last"]
    trap = await client.create_order(BTC, "limit", "buy", 0.01, price / 2, {"triggerPrice": price * 2})
    stop = await client.create_order(BTC, "limit", "buy", 0.01, price * 2, {"stopLossPrice": price * 1.5})
    kinds = [(await client.fetch_order(made["id"]))["info"]["descr"]["ordertype"] for made in (trap, stop)]
    assert kinds == ["limit", "stop-loss-limit"]


async def test_a_trailing_stop_goes_out_as_json(client: Any) -> None:
    made = await client.create_order(BTC, "market", "buy", 0.01, None, {"trailingPercent": "1.5"})
    order = (await client.fetch_order(made["id"]))["info"]
    assert (order["descr"]["ordertype"], order["descr"]["price"]) == ("trailing-stop", "+1.5000%")


async def test_a_market_order_is_filled_and_its_fee_is_in_the_quote_currency(client: Any) -> None:
    made = await client.create_order(BTC, "market", "buy", 0.1)
    order = await client.fetch_order(made["id"])
    assert (order["status"], order["filled"]) == ("closed", 0.1)
    balance = await client.fetch_balance()
    assert balance["BTC"]["total"] == 0.1
    assert 100_000 - balance["USDT"]["total"] == pytest.approx(order["cost"] * 1.001, abs=0.01)
    trades = await client.fetch_my_trades(BTC)
    assert sum(trade["amount"] for trade in trades) == pytest.approx(0.1)
    assert {trade["fee"]["currency"] for trade in trades} == {"USDT"}


async def test_margin_opens_a_position_and_reduce_only_closes_it(client: Any) -> None:
    await client.create_order(BTC, "market", "sell", 0.5, None, {"leverage": 3})
    position = (await client.fetch_positions())[0]
    assert (position["side"], position["contracts"], position["leverage"]) == ("short", 0.5, 3.0)
    with pytest.raises(ccxt.ExchangeError):
        await client.create_order(BTC, "market", "buy", 0.5, None, {"reduceOnly": True})
    await client.create_order(BTC, "market", "buy", 1, None, {"leverage": 3, "reduceOnly": True})
    assert await client.fetch_positions() == []
    with pytest.raises(ccxt.ExchangeError):
        await client.create_order(BTC, "market", "buy", 0.5, None, {"leverage": 7})


async def test_orders_are_amended_edited_and_cancelled_together(client: Any) -> None:
    made = await client.create_order(BTC, "limit", "buy", 0.01, 10_000, {"clientOrderId": "b" * 32})
    await client.edit_order(made["id"], BTC, "limit", "buy", 0.02, 11_000)
    order = await client.fetch_order(made["id"])
    assert (order["amount"], order["price"]) == (0.02, 11_000)
    edited = await client.private_post_editorder({"txid": made["id"], "pair": "XBTUSDT", "price": "12000"})
    assert edited["result"]["txid"] != made["id"]
    await client.create_order(BTC, "limit", "buy", 0.01, 10_000)
    assert (await client.cancel_all_orders())[0]["info"]["result"]["count"] in (2, "2")
    assert await client.fetch_open_orders() == []


async def test_the_dead_mans_switch_cancels_what_is_left(client: Any) -> None:
    await client.create_order(BTC, "limit", "buy", 0.01, 10_000)
    armed = await client.cancel_all_orders_after(1_000)
    assert armed["result"]["triggerTime"] != "0"
    off = await client.cancel_all_orders_after(0)
    assert off["result"]["triggerTime"] == "0"
    assert len(await client.fetch_open_orders()) == 1


async def test_a_nonce_must_rise_and_a_signature_be_right(client: Any) -> None:
    client.incrementing_nonce = lambda: 5
    with pytest.raises(ccxt.InvalidNonce):
        [await client.private_post_balance() for _ in range(2)]
    client.secret = demo_key("kraken").secret[:-8] + "AAAAAAA="
    with pytest.raises(ccxt.ExchangeError, match="Invalid signature"):
        await client.private_post_balance()
    client.apiKey = "another"
    with pytest.raises(ccxt.AuthenticationError):
        await client.private_post_balance()


async def test_the_counter_refuses_and_sinks() -> None:
    settings = SimulatorSettings(port=0, paused=True, history=30, venue="kraken")
    async with serving(settings) as venue:
        client = ccxt.pro.kraken({"apiKey": DEMO.key, "secret": DEMO.secret, "enableRateLimit": False})
        repoint(client, venue.http, venue.ws)
        try:
            with pytest.raises(ccxt.DDoSProtection):
                for _ in range(30):
                    await client.private_post_balance()
        finally:
            await client.close()


async def test_faults_are_told_in_krakens_words(client: Any, venue: Running) -> None:
    for kind, error in (
        (FaultKind.THROTTLE, ccxt.DDoSProtection),
        (FaultKind.ERROR_BEFORE, ccxt.ExchangeNotAvailable),
        (FaultKind.MAINTENANCE, ccxt.ExchangeNotAvailable),
        (FaultKind.BAN, ccxt.DDoSProtection),
        (FaultKind.CLOCK_SKEW, ccxt.InvalidNonce),
        (FaultKind.LOST_BEFORE, ccxt.NetworkError),
    ):
        fault = Fault(kind=kind, path="/0/private/Balance").model_dump(mode="json")
        await call_admin(venue.http, "POST", "/admin/faults", fault)
        with pytest.raises(error):
            await client.private_post_balance()


async def test_public_streams(client: Any, venue: Running) -> None:
    book = await client.watch_order_book(BTC)
    assert book["bids"][0][0] < book["asks"][0][0]
    await client.watch_ticker(BTC)
    await call_admin(venue.http, "POST", "/admin/step", {"candles": 1})
    assert (await client.watch_trades(BTC))[-1]["symbol"] == BTC
    assert (await client.watch_ohlcv(BTC, "1m"))[-1][4] > 0
    rest = await client.fetch_order_book(BTC, 10)
    for _ in range(20):
        if client.orderbooks[BTC]["bids"][0] == rest["bids"][0][:2]:
            break
        await client.watch_order_book(BTC)
    assert client.orderbooks[BTC]["asks"][0] == rest["asks"][0][:2]


async def test_the_books_checksum_is_that_of_its_text(venue: Running) -> None:
    """Numbers are read as they are written: a float would lose the noughts at their end."""
    asked = {"method": "subscribe", "params": {"channel": "book", "symbol": [BTC], "depth": 10}}
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{venue.ws}/v2") as socket:
        await socket.send_json(asked)
        sides: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}
        checked = 0
        await call_admin(venue.http, "POST", "/admin/step", {"candles": 1})
        while checked < 2:
            message = json.loads(await socket.receive_str(timeout=5), parse_float=Decimal)
            if message.get("channel") != "book":
                continue
            told = message["data"][0]
            for side, levels in sides.items():
                for level in told[side]:
                    levels[level["price"]] = level["qty"]
                best = sorted((price for price, quantity in levels.items() if quantity), reverse=side == "bids")[:10]
                sides[side] = {price: levels[price] for price in best}
            texts = (format(part, "f") for side in ("asks", "bids") for level in sides[side].items() for part in level)
            text = "".join(part.replace(".", "").lstrip("0") for part in texts)
            assert zlib.crc32(text.encode()) == told["checksum"]
            checked += 1


async def test_the_listing_says_how_many_decimals_a_books_numbers_have(venue: Running) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{venue.ws}/v2") as socket:
        for wanted in ({"channel": "instrument"}, {"channel": "book", "symbol": [BTC], "depth": 10}):
            await socket.send_json({"method": "subscribe", "params": wanted})
        heard: dict[str, Any] = {}
        while not {"instrument", "book"} <= heard.keys():
            message = json.loads(await socket.receive_str(timeout=5), parse_float=Decimal)
            heard[message.get("channel", message.get("method"))] = message
    [pair] = [row for row in heard["instrument"]["data"]["pairs"] if row["symbol"] == BTC]
    book = heard["book"]["data"][0]
    for part, precision in (("price", pair["price_precision"]), ("qty", pair["qty_precision"])):
        assert {-level[part].as_tuple().exponent for side in ("bids", "asks") for level in book[side]} == {precision}
    assert pair["qty_increment"] == Decimal(1).scaleb(-pair["qty_precision"])


async def test_the_account_channels(client: Any) -> None:
    await client.create_order(BTC, "limit", "buy", 0.01, 10_000, {"clientOrderId": "d" * 32})
    first = await client.watch_orders(BTC)
    assert [order["info"]["cl_ord_id"] for order in first] == ["d" * 32]
    assert (await client.watch_balance())["USDT"]["total"] == 100_000
    await client.create_order(BTC, "market", "buy", 0.01, None, {"clientOrderId": "e" * 32})
    trades = await client.watch_my_trades(BTC)
    assert (trades[-1]["info"]["cl_ord_id"], trades[-1]["amount"]) == ("e" * 32, 0.01)
    assert (await client.watch_balance())["BTC"]["total"] == 0.01


async def test_earn(client: Any) -> None:
    await client.create_order(BTC, "market", "buy", 0.1)
    offered = (await client.private_post_earn_strategies({"asset": "XBT"}))["result"]["items"]
    by_lock = {each["lock_type"]["type"]: each for each in offered}
    assert (by_lock["flex"]["can_allocate"], by_lock["bonded"]["can_allocate"]) == (False, True)
    bonded = by_lock["bonded"]["id"]
    wanted = {"strategy_id": bonded, "amount": "0.04"}
    assert (await client.private_post_earn_allocate(wanted))["result"] is True
    assert (await client.private_post_earn_allocatestatus({"strategy_id": bonded}))["result"]["pending"] is True
    with pytest.raises(ccxt.ExchangeError, match="EEarnings:Busy"):
        await client.private_post_earn_allocate(wanted)
    balances = (await client.private_post_balanceex())["result"]
    assert (Decimal(balances["XXBT"]["balance"]), Decimal(balances["XBT.B"]["balance"])) == (
        Decimal("0.06"),
        Decimal("0.04"),
    )
    with pytest.raises(ccxt.ExchangeError, match="Below min"):
        await client.private_post_earn_allocate({"strategy_id": by_lock["instant"]["id"], "amount": "0.00001"})
    held = (await client.private_post_earn_allocations())["result"]["items"]
    assert [Decimal(each["amount_allocated"]["total"]["native"]) for each in held] == [Decimal("0.04")]
