"""The simulated Coinbase against an unmodified ccxt client, and what ccxt does not send by hand."""

from collections.abc import AsyncIterator
from typing import Any

import ccxt
import ccxt.pro
import pytest
from algotrendy_simulator.demo_keys import demo_key
from algotrendy_simulator.faults import Fault, FaultKind
from algotrendy_simulator.server import Running, serving
from algotrendy_simulator.settings import SimulatorSettings
from algotrendy_simulator.testing import call_admin, repoint

BTC = "BTC/USDT"
DEMO = demo_key("coinbase")


@pytest.fixture
async def venue() -> AsyncIterator[Running]:
    settings = SimulatorSettings(port=0, paused=True, history=30, venue="coinbase")
    async with serving(settings) as running:
        yield running


@pytest.fixture
async def client(venue: Running) -> AsyncIterator[Any]:
    client = ccxt.pro.coinbase({"apiKey": DEMO.key, "secret": DEMO.secret, "enableRateLimit": False})
    repoint(client, venue.http, venue.ws)
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()


async def test_the_products_are_the_recordings(client: Any) -> None:
    market = client.market(BTC)
    assert market["id"] == "BTC-USDT"
    assert (market["precision"]["amount"], market["precision"]["price"]) == (1e-06, 0.01)
    assert (market["limits"]["cost"]["min"], market["taker"]) == (5.0, 0.001)
    assert client.market("LTC/USDT")["id"] == "LTC-USDT"


async def test_market_data(client: Any, venue: Running) -> None:
    book = await client.fetch_order_book(BTC, 5)
    assert book["bids"][0][0] < book["asks"][0][0]
    assert len(book["bids"]) == 5
    ticker = await client.fetch_ticker(BTC)
    await call_admin(venue.http, "POST", "/admin/step", {"candles": 2})
    trades = await client.fetch_trades(BTC, limit=10)
    assert len(trades) == 10
    assert (await client.fetch_tickers([BTC]))[BTC]["last"] > 0
    assert (await client.fetch_bids_asks([BTC]))[BTC]["bid"] > 0
    now_ms = (await call_admin(venue.http, "GET", "/admin/status"))["venue_time_ms"]
    candles = await client.fetch_ohlcv(BTC, "1m", since=now_ms - 600_000, limit=10)
    assert [candle[0] % 60_000 for candle in candles] == [0] * len(candles)
    assert candles
    assert ticker["symbol"] == BTC


async def test_an_order_keeps_its_client_id_only_under_its_own_name(client: Any) -> None:
    made = await client.create_order(BTC, "limit", "buy", 0.01, 10_000, {"client_order_id": "a" * 32})
    dropped = await client.create_order(BTC, "limit", "buy", 0.01, 10_000, {"clientOrderId": "b" * 32})
    shown = await client.fetch_order(made["id"])
    assert (shown["clientOrderId"], shown["status"], shown["price"]) == ("a" * 32, "open", 10_000)
    assert (await client.fetch_order(dropped["id"]))["clientOrderId"].startswith("ccxt-")
    assert {order["id"] for order in await client.fetch_open_orders(BTC)} == {made["id"], dropped["id"]}


async def test_an_id_that_was_used_before_is_answered_with_the_first_order(client: Any) -> None:
    first = await client.create_order(BTC, "limit", "buy", 0.01, 10_000, {"client_order_id": "c" * 32})
    again = await client.create_order(BTC, "limit", "buy", 0.02, 11_000, {"client_order_id": "c" * 32})
    assert again["id"] == first["id"]
    await client.cancel_order(first["id"])
    assert (await client.create_order(BTC, "limit", "buy", 1, 9, {"client_order_id": "c" * 32}))["id"] == first["id"]
    assert not await client.fetch_open_orders(BTC)


async def test_a_market_order_is_filled_and_its_fee_is_in_the_quote_currency(client: Any) -> None:
    made = await client.create_order(BTC, "market", "buy", 1_000, None, {"createMarketBuyOrderRequiresPrice": False})
    order = await client.fetch_order(made["id"])
    assert order["status"] == "closed"
    balance = await client.fetch_balance({"v3": True})
    assert balance["BTC"]["total"] == pytest.approx(order["filled"])
    assert 995 < 100_000 - balance["USDT"]["total"] <= 1_000, "what is to be spent includes the fee"
    fills = await client.fetch_my_trades(BTC)
    assert sum(fill["amount"] for fill in fills) == pytest.approx(order["filled"])
    assert {fill["fee"]["currency"] for fill in fills} == {"USDT"}


async def test_what_is_refused_is_refused_in_coinbases_words(client: Any) -> None:
    with pytest.raises(ccxt.InsufficientFunds):
        await client.create_order(BTC, "limit", "buy", 100, 50_000)
    book = await client.fetch_order_book(BTC, 1)
    with pytest.raises(ccxt.ExchangeError, match="POST_ONLY"):
        await client.create_order(BTC, "limit", "buy", 0.01, book["asks"][0][0] + 10, {"postOnly": True})
    # ccxt looks for other words than the venue's, so it does not know this for an order that is not found.
    with pytest.raises(ccxt.ExchangeError, match="was not found"):
        await client.fetch_order("00000000-0000-0000-0000-000000000000")
    with pytest.raises(ccxt.BadRequest):
        await client.cancel_order("00000000-0000-0000-0000-000000000000")
    with pytest.raises(ccxt.NotSupported):
        await client.create_order(BTC, "market", "sell", 0.01, None, {"stopLossPrice": 1})


async def test_ccxts_trigger_price_of_a_sale_would_be_a_take_profit(client: Any) -> None:
    await client.create_order(BTC, "market", "buy", 1_000, None, {"createMarketBuyOrderRequiresPrice": False})
    price = (await client.fetch_ticker(BTC))["last"]
    trap = await client.create_order(BTC, "limit", "sell", 0.001, price * 2, {"triggerPrice": price * 2})
    stop = await client.create_order(BTC, "limit", "sell", 0.001, price / 2, {"stopLossPrice": price / 2})
    infos = {made["id"]: (await client.fetch_order(made["id"]))["info"] for made in (trap, stop)}
    directions = [
        infos[made["id"]]["order_configuration"]["stop_limit_stop_limit_gtc"]["stop_direction"] for made in (trap, stop)
    ]
    assert directions == ["STOP_DIRECTION_STOP_UP", "STOP_DIRECTION_STOP_DOWN"]
    assert infos[stop["id"]]["trigger_status"] == "STOP_PENDING"


async def test_an_order_can_be_edited(client: Any) -> None:
    made = await client.create_order(BTC, "limit", "buy", 0.01, 10_000)
    await client.edit_order(made["id"], BTC, "limit", "buy", 0.02, 11_000)
    order = await client.fetch_order(made["id"])
    assert (order["amount"], order["price"]) == (0.02, 11_000)


@pytest.mark.parametrize("wrong", ["another-key", "stale", "another-secret"])
async def test_a_token_that_is_not_right_is_turned_away(venue: Running, wrong: str) -> None:
    key = "organizations/demo/apiKeys/other" if wrong == "another-key" else DEMO.key
    secret = demo_key("coinbase").secret
    if wrong == "another-secret":
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        made = ec.generate_private_key(ec.SECP256R1())
        secret = made.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    client = ccxt.pro.coinbase({"apiKey": key, "secret": secret})
    repoint(client, venue.http, venue.ws)
    if wrong == "stale":
        now_s = client.seconds()
        client.seconds = lambda: now_s - 121
    try:
        with pytest.raises(ccxt.AuthenticationError):
            await client.v3_private_get_brokerage_accounts()
    finally:
        await client.close()


async def test_faults_are_told_in_coinbases_words(client: Any, venue: Running) -> None:
    path = "/api/v3/brokerage/accounts"
    for kind, error in (
        (FaultKind.THROTTLE, ccxt.RateLimitExceeded),
        (FaultKind.ERROR_BEFORE, ccxt.ExchangeNotAvailable),
        (FaultKind.MAINTENANCE, ccxt.ExchangeNotAvailable),
        (FaultKind.BAN, ccxt.RateLimitExceeded),
    ):
        body = Fault(kind=kind, path=path).model_dump(mode="json")
        await call_admin(venue.http, "POST", "/admin/faults", body)
        with pytest.raises((error, ccxt.ExchangeError)):
            await client.v3_private_get_brokerage_accounts()


async def test_public_streams(client: Any, venue: Running) -> None:
    book = await client.watch_order_book(BTC)
    assert book["bids"][0][0] < book["asks"][0][0]
    await call_admin(venue.http, "POST", "/admin/step", {"candles": 1})
    trades = await client.watch_trades(BTC)
    assert trades[-1]["symbol"] == BTC
    assert (await client.watch_ticker(BTC))["last"] > 0
    await call_admin(venue.http, "POST", "/admin/step", {"candles": 1})
    now = await client.watch_order_book(BTC)
    rest = await client.fetch_order_book(BTC)
    assert now["bids"][0][0] <= rest["bids"][0][0] * 1.5
    status = await call_admin(venue.http, "GET", "/admin/status")
    assert "level2:BTC-USDT" in status["streams"]


async def test_the_user_channel_tells_of_orders(client: Any, venue: Running) -> None:
    await client.create_order(BTC, "limit", "buy", 0.01, 10_000, {"client_order_id": "d" * 32})
    first = await client.watch_orders(BTC)
    assert [order["clientOrderId"] for order in first] == ["d" * 32]
    await client.create_order(BTC, "limit", "buy", 0.02, 11_000, {"client_order_id": "e" * 32})
    orders = await client.watch_orders(BTC)
    assert orders[-1]["clientOrderId"] == "e" * 32
    assert orders[-1]["status"] == "open"
