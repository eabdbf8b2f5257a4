"""Unmodified ccxt clients against the simulated Crypto.com: every call the platform makes, and where ccxt surprises."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import ccxt
import ccxt.pro
import pytest
from algotrendy_common.enums import Side
from algotrendy_simulator.server import Running, serving
from algotrendy_simulator.settings import SimulatorSettings
from algotrendy_simulator.testing import call_admin, repoint

BTC = "BTC/USDT"
DEADLINE_S = 10.0


@pytest.fixture
async def venue() -> AsyncIterator[Running]:
    async with serving(SimulatorSettings(port=0, paused=True, history=30, venue="cryptocom")) as running:
        yield running


@pytest.fixture
async def client(venue: Running) -> AsyncIterator[ccxt.pro.cryptocom]:
    """An unmodified client but for its URLs."""
    client = ccxt.pro.cryptocom({"apiKey": "demo-key", "secret": "demo-secret", "enableRateLimit": False})
    repoint(client, venue.http, venue.ws)
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()


async def heard(watch: Callable[[], Awaitable[Any]], enough: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            said = await watch()
            if enough(said):
                return said


async def until_listening(venue: Running, *streams: str, user: int = 0) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            now = await call_admin(venue.http, "GET", "/admin/status")
            if set(streams) <= set(now["streams"]) and now["user_subscriptions"] >= user:
                return
            await asyncio.sleep(0.01)


async def place(client: ccxt.pro.cryptocom, client_id: str, price: float = 15_000, **params: Any) -> Any:
    return await client.create_order(BTC, "limit", "buy", 0.01, price, {"client_oid": client_id, **params})


async def test_spot_markets_carry_their_steps(client: ccxt.pro.cryptocom) -> None:
    assert set(client.markets) == {BTC, "LTC/USDT"}
    market = client.market(BTC)
    assert (market["id"], market["precision"]) == ("BTC_USDT", {"price": 0.01, "amount": 0.000001})
    # Crypto.com lists no least quantity and no least value.
    assert (market["limits"]["amount"]["min"], market["limits"]["cost"]["min"]) == (None, None)


async def test_market_data_is_the_recordings(venue: Running, client: ccxt.pro.cryptocom) -> None:
    venue.simulation.replay.play_minutes(1)
    recorded = venue.simulation.replay.tracks[0].recording.candle(30)
    assert recorded is not None
    candles = await client.fetch_ohlcv(BTC, "1m", limit=300)
    assert candles[30][1:] == [
        float(value) for value in (recorded.open, recorded.high, recorded.low, recorded.close, recorded.volume)
    ]
    trades = await client.fetch_trades(BTC, limit=150)
    assert sum(trade["amount"] for trade in trades) == pytest.approx(float(recorded.volume))
    book = await client.fetch_order_book(BTC, 5)
    assert len(book["bids"]) == len(book["asks"]) == 5
    ticker = await client.fetch_ticker(BTC)
    assert (ticker["bid"], ticker["ask"]) == (book["bids"][0][0], book["asks"][0][0])


async def test_the_unified_client_order_id_is_dropped(venue: Running, client: ccxt.pro.cryptocom) -> None:
    """An order sent so can never be found again by the id that was given to it."""
    await client.create_order(BTC, "limit", "buy", 0.01, 15_000, {"clientOrderId": "mine"})
    (order,) = venue.simulation.exchange.orders.values()
    assert order.client_order_id != "mine"
    await place(client, "kept")
    assert [found["clientOrderId"] for found in await client.fetch_open_orders(BTC)][1] == "kept"


async def test_creating_is_an_acknowledgement_and_not_a_fill(client: ccxt.pro.cryptocom) -> None:
    order = await client.create_order(BTC, "market", "buy", 0.5, None, {"client_oid": "a" * 32})
    assert (order["clientOrderId"], order["status"], order["filled"]) == ("a" * 32, None, None)
    done = await client.fetch_order(order["id"], BTC)
    assert (done["status"], done["filled"]) == ("closed", 0.5)
    (trade, *_) = await client.fetch_my_trades(BTC)
    assert (trade["order"], trade["fee"]["currency"], trade["takerOrMaker"]) == (order["id"], "BTC", "taker")
    assert trade["fee"]["cost"] > 0
    assert (await client.fetch_balance())["BTC"]["total"] == pytest.approx(0.4995)


async def test_a_null_order_id_breaks_the_signature(client: ccxt.pro.cryptocom) -> None:
    """By client id the unified calls send ``order_id: null``, and sign it as Python writes it."""
    await place(client, "mine")
    with pytest.raises(ccxt.AuthenticationError, match="40101"):
        await client.fetch_order(None, BTC, {"client_oid": "mine"})
    with pytest.raises(ccxt.AuthenticationError, match="40101"):
        await client.cancel_order(None, BTC, {"client_oid": "mine"})
    answer = await client.v1_private_post_private_get_order_detail({"client_oid": "mine"})
    assert answer["result"]["status"] == "ACTIVE"
    await client.v1_private_post_private_cancel_order({"client_oid": "mine"})
    assert await client.fetch_open_orders(BTC) == []


async def test_the_test_addresses_have_no_websocket() -> None:
    """ccxt's sandbox of Crypto.com is REST alone: the first subscription fails on a missing address."""
    client = ccxt.pro.cryptocom()
    client.set_sandbox_mode(True)
    assert "ws" not in client.urls["api"]
    with pytest.raises(KeyError, match="ws"):
        await client.watch_public("ticker.BTC_USDT")


async def test_reduce_only_is_passed_on_as_it_is(venue: Running, client: ccxt.pro.cryptocom) -> None:
    """ccxt does not make it one of the venue's ``exec_inst``: a spot order with it is a plain order."""
    await client.create_order(BTC, "market", "buy", 0.01, None, {"reduceOnly": True})
    assert len(venue.simulation.exchange.fills) >= 1


async def test_orders_are_amended_cancelled_and_cancelled_all(client: ccxt.pro.cryptocom) -> None:
    first = await place(client, "one")
    await client.edit_order(first["id"], BTC, "limit", "buy", 0.02, 15_100)
    amended = await client.fetch_order(first["id"], BTC)
    assert (amended["amount"], amended["price"]) == (0.02, 15_100)
    await client.cancel_order(first["id"], BTC)
    assert (await client.fetch_order(first["id"], BTC))["status"] == "canceled"
    await place(client, "two")
    await place(client, "three")
    await client.cancel_all_orders(BTC)
    assert await client.fetch_open_orders(BTC) == []
    assert (await client.fetch_balance())["USDT"]["used"] == 0


async def test_refusals_are_plain_whatever_their_http_status(client: ccxt.pro.cryptocom) -> None:
    """Insufficient balance and the like come with status 500: the code decides."""
    with pytest.raises(ccxt.InsufficientFunds, match="306"):
        await client.create_order(BTC, "limit", "sell", 1, 20_000)
    ask = (await client.fetch_order_book(BTC))["asks"][0][0]
    with pytest.raises(ccxt.InvalidOrder, match="43005"):
        await place(client, "po", ask, postOnly=True)
    with pytest.raises(ccxt.OrderNotFound, match="40401"):
        await client.fetch_order("999999", BTC)
    await place(client, "twice")
    with pytest.raises(ccxt.ExchangeError, match="DUPLICATE_CLORDID"):
        await place(client, "twice")


async def test_times_in_force(client: ccxt.pro.cryptocom) -> None:
    ask, quantity, _ = (await client.fetch_order_book(BTC))["asks"][0]
    killed = await client.create_order(BTC, "limit", "buy", quantity + 0.1, ask, {"timeInForce": "FOK"})
    killed = await client.fetch_order(killed["id"], BTC)
    assert (killed["status"], killed["filled"], killed["info"]["reason"]) == ("canceled", 0, 43003)
    partly = await client.create_order(BTC, "limit", "buy", quantity + 0.1, ask, {"timeInForce": "IOC"})
    partly = await client.fetch_order(partly["id"], BTC)
    assert (partly["status"], partly["filled"]) == ("canceled", pytest.approx(quantity))
    resting = await place(client, "po", postOnly=True)
    assert (await client.fetch_order(resting["id"], BTC))["postOnly"] is True


async def test_stops_rest_at_the_venue(venue: Running, client: ccxt.pro.cryptocom) -> None:
    await client.create_order(BTC, "market", "buy", 0.1)
    params = {"triggerPrice": 15_000, "client_oid": "stop"}
    placed = await client.create_order(BTC, "limit", "sell", 0.05, 14_900, params)
    (waiting,) = await client.fetch_open_orders(BTC)
    assert (waiting["id"], waiting["type"], waiting["status"]) == (placed["id"], "stop_limit", "PENDING")
    assert waiting["info"]["ref_price"] == "15000"
    await client.cancel_order(placed["id"], BTC)
    await client.create_order(BTC, "market", "sell", 0.05, None, {"stopLossPrice": 15_000})
    (waiting,) = await client.fetch_open_orders(BTC)
    assert waiting["type"] == "stop_loss"


async def test_trades_stream_every_trade_once_and_in_order(venue: Running, client: ccxt.pro.cryptocom) -> None:
    client.newUpdates = True
    heard_ids: list[str] = []

    async def listen() -> None:
        while True:
            heard_ids.extend(trade["id"] for trade in await client.watch_trades(BTC))

    task = asyncio.create_task(listen())
    await until_listening(venue, "trade.BTC_USDT")
    venue.simulation.replay.play_minutes(3)
    expected = [str(trade.trade_id) for trade in venue.simulation.exchange.markets["BTCUSDT"].tape]
    async with asyncio.timeout(DEADLINE_S):
        while len(heard_ids) < len(expected):
            await asyncio.sleep(0.01)
    task.cancel()
    assert heard_ids == expected


async def test_the_streamed_book_equals_the_venues(venue: Running, client: ccxt.pro.cryptocom) -> None:
    await client.watch_order_book(BTC)
    book = venue.simulation.exchange.markets["BTCUSDT"].engine.book
    for _ in range(3):
        venue.simulation.replay.play_minutes(1)
        own = [
            [[float(price), float(quantity)] for price, quantity in book.levels(side, 50)]
            for side in (Side.BUY, Side.SELL)
        ]

        def equal(said: Any, own: Any = own) -> bool:
            return [[list(level[:2]) for level in said[side]] for side in ("bids", "asks")] == own

        assert await heard(lambda: client.watch_order_book(BTC), equal)


async def test_tickers_and_candles_stream(venue: Running, client: ccxt.pro.cryptocom) -> None:
    await client.watch_ticker(BTC)
    ticking = asyncio.create_task(client.watch_ticker(BTC))
    watch = asyncio.create_task(client.watch_ohlcv(BTC, "1m"))
    await until_listening(venue, "candlestick.1m.BTC_USDT")
    venue.simulation.replay.play_minutes(1)
    ticker, candles = await asyncio.wait_for(asyncio.gather(ticking, watch), DEADLINE_S)
    last = float(venue.simulation.exchange.markets["BTCUSDT"].last_price)
    assert (ticker["last"], candles[-1][4]) == (last, last)


async def test_the_user_stream_tells_orders_trades_and_balances(venue: Running, client: ccxt.pro.cryptocom) -> None:
    client.newUpdates = True
    orders, trades, balance = (
        asyncio.create_task(watch()) for watch in (client.watch_orders, client.watch_my_trades, client.watch_balance)
    )
    await until_listening(venue, user=3)
    placed = await client.create_order(BTC, "market", "buy", 0.01)
    async with asyncio.timeout(DEADLINE_S):
        told, traded, balances = await asyncio.gather(orders, trades, balance)
    assert told[0]["id"] == traded[0]["order"] == placed["id"]
    assert (traded[0]["amount"], traded[0]["fee"]["currency"]) == (0.01, "BTC")
    assert balances["BTC"]["total"] == pytest.approx(0.00999)
