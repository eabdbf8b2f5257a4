"""Unmodified ccxt clients against the real server: every call the platform makes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import ccxt
import ccxt.pro
import pytest
from algotrendy_common.enums import Side
from algotrendy_simulator.server import Running
from algotrendy_simulator.testing import call_admin, repoint
from algotrendy_simulator.ticks import MINUTE_MS

BTC, LTC = "BTC/USDT", "LTC/USDT"
DEADLINE_S = 10.0


async def heard(watch: Callable[[], Awaitable[Any]], enough: Callable[[Any], bool]) -> Any:
    """What a stream said once it said enough; fails after the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            said = await watch()
            if enough(said):
                return said


async def listening(venue: Running, *streams: str) -> None:
    """Until the venue has these public streams subscribed."""
    async with asyncio.timeout(DEADLINE_S):
        while not set(streams) <= set((await call_admin(venue.http, "GET", "/admin/status"))["streams"]):
            await asyncio.sleep(0.01)


async def listening_to_account(venue: Running) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not (await call_admin(venue.http, "GET", "/admin/status"))["user_subscriptions"]:
            await asyncio.sleep(0.01)


async def test_markets_carry_the_filters(client: ccxt.pro.binance) -> None:
    assert set(client.markets) == {BTC, LTC}
    market = client.market(BTC)
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.01, 0.000001)
    assert (market["limits"]["cost"]["min"], market["limits"]["amount"]["min"]) == (5, 0.00001)
    assert client.currencies["BTC"]["code"] == "BTC"


async def test_a_synchronous_client_is_served_too(venue: Running) -> None:
    client = ccxt.binance({"apiKey": "demo-key", "secret": "demo-secret"})
    repoint(client, venue.http, venue.ws)
    markets = await asyncio.to_thread(client.load_markets)
    assert set(markets) == {BTC, LTC}
    assert (await asyncio.to_thread(client.fetch_balance))["USDT"]["free"] == 100_000


async def test_time_is_the_walls_and_market_data_the_recordings(venue: Running, client: ccxt.pro.binance) -> None:
    assert abs(await client.fetch_time() - client.milliseconds()) < 5_000
    ticker = await client.fetch_ticker(BTC)
    assert ticker["timestamp"] == (await call_admin(venue.http, "GET", "/admin/status"))["venue_time_ms"]


async def test_candles_are_the_recorded_ones(venue: Running, client: ccxt.pro.binance) -> None:
    venue.simulation.replay.play_minutes(2)
    candles = await client.fetch_ohlcv(BTC, "1m", limit=1000)
    track = venue.simulation.replay.tracks[0]
    assert len(candles) == 33
    for minute, candle in enumerate(candles[:-1]):
        recorded = track.recording.candle(minute)
        assert recorded is not None
        expected = (recorded.open, recorded.high, recorded.low, recorded.close, recorded.volume)
        assert candle == [track.recording.start_ms + minute * MINUTE_MS, *map(float, expected)]
    since = candles[10][0]
    assert await client.fetch_ohlcv(BTC, "1m", since, 5) == candles[10:15]
    five = await client.fetch_ohlcv(BTC, "5m", candles[0][0], 2)
    assert [five[0][1], five[0][4]] == [candles[0][1], candles[4][4]]
    assert five[1][2] == max(candle[2] for candle in candles[5:10])


async def test_trades_book_and_tickers(venue: Running, client: ccxt.pro.binance) -> None:
    venue.simulation.replay.play_minutes(1)
    trades = await client.fetch_trades(BTC, limit=1000)
    recorded = venue.simulation.replay.tracks[0].recording.candle(30)
    assert recorded is not None
    assert sum(trade["amount"] for trade in trades) == pytest.approx(float(recorded.volume))
    assert trades[-1]["price"] == float(recorded.close)
    book = await client.fetch_order_book(BTC, 5)
    assert len(book["bids"]) == len(book["asks"]) == 5
    assert book["bids"][0][0] < book["asks"][0][0]
    both = await client.fetch_bids_asks([BTC, LTC])
    assert (both[BTC]["bid"], both[BTC]["ask"]) == (book["bids"][0][0], book["asks"][0][0])
    tickers = await client.fetch_tickers([BTC, LTC])
    assert tickers[BTC]["last"] == float(recorded.close)
    assert (await client.fetch_last_prices([BTC]))[BTC]["price"] == float(recorded.close)


async def test_a_large_market_order_walks_the_book(client: ccxt.pro.binance) -> None:
    book = await client.fetch_order_book(BTC, 20)
    order = await client.create_order(BTC, "market", "buy", 2.5)
    assert (order["status"], order["filled"], order["remaining"]) == ("closed", 2.5, 0)
    prices = [trade["price"] for trade in order["trades"]]
    assert prices == [price for price, _ in book["asks"][: len(prices)]]
    assert len(prices) > 3
    assert order["fees"] == [{"currency": "BTC", "cost": pytest.approx(0.0025, abs=1e-7)}]
    balance = await client.fetch_balance()
    assert balance["BTC"]["total"] == pytest.approx(2.4975, abs=1e-7)
    assert balance["USDT"]["total"] == pytest.approx(100_000 - order["cost"])
    trades = await client.fetch_my_trades(BTC)
    assert [trade["id"] for trade in trades] == [trade["id"] for trade in order["trades"]]
    assert {trade["takerOrMaker"] for trade in trades} == {"taker"}
    assert abs(trades[0]["timestamp"] - client.milliseconds()) < 60_000


async def test_market_buy_by_cost(client: ccxt.pro.binance) -> None:
    order = await client.create_market_buy_order_with_cost(BTC, 500)
    assert order["status"] == "closed"
    assert 499.9 < order["cost"] <= 500


async def test_a_limit_order_lives_by_its_client_id(venue: Running, client: ccxt.pro.binance) -> None:
    bid = (await client.fetch_order_book(BTC))["bids"][0][0]
    price = round(bid - 0.5, 2)
    order = await client.create_order(BTC, "limit", "buy", 0.01, price, {"clientOrderId": "a" * 32})
    assert (order["status"], order["clientOrderId"], order["trades"]) == ("open", "a" * 32, [])
    assert (await client.fetch_order(None, BTC, {"clientOrderId": "a" * 32}))["id"] == order["id"]
    assert (await client.fetch_order(order["id"], BTC))["clientOrderId"] == "a" * 32
    assert [found["id"] for found in await client.fetch_open_orders(BTC)] == [order["id"]]
    assert (await client.fetch_balance())["USDT"]["used"] == pytest.approx(price * 0.01)
    venue.simulation.replay.play_minutes(15)
    filled = await client.fetch_order(order["id"], BTC)
    assert (filled["status"], filled["average"]) == ("closed", price)
    (trade,) = await client.fetch_my_trades(BTC, params={"orderId": order["id"]})
    assert (trade["takerOrMaker"], trade["price"], trade["fee"]["currency"]) == ("maker", price, "BTC")
    assert (await client.fetch_balance())["USDT"]["used"] == 0


async def test_cancelling_by_id_by_client_id_and_all(client: ccxt.pro.binance) -> None:
    orders = [
        await client.create_order(BTC, "limit", "buy", 0.01, 15_000 + number, {"clientOrderId": f"c{number}"})
        for number in range(4)
    ]
    assert (await client.cancel_order(orders[0]["id"], BTC))["status"] == "canceled"
    # As Binance answers a cancel: clientOrderId is the cancel's own, the order's is origClientOrderId.
    assert (await client.cancel_order(None, BTC, {"clientOrderId": "c1"}))["info"]["origClientOrderId"] == "c1"
    cancelled = await client.cancel_all_orders(BTC)
    assert [order["info"]["origClientOrderId"] for order in cancelled] == ["c2", "c3"]
    assert await client.fetch_open_orders(BTC) == []
    assert [order["status"] for order in await client.fetch_orders(BTC)] == ["canceled"] * 4
    assert (await client.fetch_balance())["USDT"]["used"] == 0


async def test_post_only_immediate_or_cancel_and_fill_or_kill(client: ccxt.pro.binance) -> None:
    ask, quantity = (await client.fetch_order_book(BTC))["asks"][0]
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        await client.create_order(BTC, "limit", "buy", 0.01, ask, {"postOnly": True})
    resting = await client.create_order(BTC, "limit", "buy", 0.01, 15_000, {"postOnly": True})
    assert (await client.fetch_order(resting["id"], BTC))["postOnly"] is True
    killed = await client.create_order(BTC, "limit", "buy", quantity + 0.1, ask, {"timeInForce": "FOK"})
    assert (killed["status"], killed["filled"]) == ("expired", 0)
    partly = await client.create_order(BTC, "limit", "buy", quantity + 0.1, ask, {"timeInForce": "IOC"})
    assert (partly["status"], partly["filled"]) == ("expired", pytest.approx(quantity))


async def test_refusals_are_the_ones_ccxt_knows(client: ccxt.pro.binance) -> None:
    with pytest.raises(ccxt.InsufficientFunds):
        await client.create_order(BTC, "limit", "sell", 1, 20_000)
    await client.create_order(BTC, "limit", "buy", 0.01, 15_000, {"clientOrderId": "twice"})
    with pytest.raises(ccxt.InvalidOrder, match=r"Duplicate order sent\."):
        await client.create_order(BTC, "limit", "buy", 0.01, 15_000, {"clientOrderId": "twice"})
    await client.cancel_order(None, BTC, {"clientOrderId": "twice"})
    await client.create_order(BTC, "limit", "buy", 0.01, 15_000, {"clientOrderId": "twice"})
    with pytest.raises(ccxt.OrderNotFound, match="-2013"):
        await client.fetch_order(None, BTC, {"clientOrderId": "never"})
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        await client.cancel_order("999999", BTC)


async def test_trades_stream_every_trade_once_and_in_order(venue: Running, client: ccxt.pro.binance) -> None:
    client.newUpdates = True
    heard_trades: dict[str, list[Any]] = {BTC: [], LTC: []}

    async def listen() -> None:
        while True:
            for trade in await client.watch_trades_for_symbols([BTC, LTC]):
                heard_trades[trade["symbol"]].append(trade)

    task = asyncio.create_task(listen())
    await listening(venue, "btcusdt@trade", "ltcusdt@trade")
    venue.simulation.replay.play_minutes(3)
    expected = {
        symbol: [trade.trade_id for trade in venue.simulation.exchange.markets[wire].tape]
        for symbol, wire in ((BTC, "BTCUSDT"), (LTC, "LTCUSDT"))
    }
    async with asyncio.timeout(DEADLINE_S):
        while any(len(heard_trades[symbol]) < len(expected[symbol]) for symbol in expected):
            await asyncio.sleep(0.01)
    task.cancel()
    assert {symbol: [int(trade["id"]) for trade in trades] for symbol, trades in heard_trades.items()} == expected


async def test_the_streamed_book_equals_the_venues(venue: Running, client: ccxt.pro.binance) -> None:
    first = await client.watch_order_book(BTC)
    assert first["bids"][0][0] < first["asks"][0][0]
    market = venue.simulation.exchange.markets["BTCUSDT"]
    for _ in range(3):
        venue.simulation.replay.play_minutes(1)
        sequence = market.engine.book.sequence
        book = await heard(lambda: client.watch_order_book(BTC), lambda said: said["nonce"] == sequence)  # noqa: B023
        for streamed, side in (("bids", Side.BUY), ("asks", Side.SELL)):
            own = [[float(price), float(quantity)] for price, quantity in market.engine.book.levels(side)]
            assert [list(level[:2]) for level in book[streamed]] == own


async def test_best_prices_tickers_and_candles_stream(venue: Running, client: ccxt.pro.binance) -> None:
    replay = venue.simulation.replay
    watches = [
        asyncio.create_task(client.watch_bids_asks([BTC])),
        asyncio.create_task(client.watch_ohlcv(BTC, "1m")),
    ]
    await listening(venue, "btcusdt@bookTicker", "btcusdt@kline_1m")
    replay.play_minutes(1)
    async with asyncio.timeout(DEADLINE_S):
        quotes, candles = await asyncio.gather(*watches)
    assert quotes[BTC]["bid"] < quotes[BTC]["ask"]
    last = float(venue.simulation.exchange.markets["BTCUSDT"].last_price)
    assert (await heard(lambda: client.watch_ticker(BTC), lambda said: said["last"] == last))["symbol"] == BTC
    recorded = replay.tracks[0].recording.candle(30)
    assert recorded is not None
    assert candles[-1][4] == float(recorded.close)


async def test_the_user_stream_tells_orders_fills_and_balances(client: ccxt.pro.binance, venue: Running) -> None:
    client.newUpdates = True
    orders, trades = (asyncio.create_task(watch()) for watch in (client.watch_orders, client.watch_my_trades))
    balance = asyncio.create_task(client.watch_balance())
    await listening_to_account(venue)
    placed = await client.create_order(BTC, "market", "buy", 0.01)
    async with asyncio.timeout(DEADLINE_S):
        (first,), (trade,), balances = await asyncio.gather(orders, trades, balance)
    # The client keeps one record an order, so both reports may have reached it when the first is read.
    if first["status"] == "open":
        (first,) = await heard(client.watch_orders, lambda said: said[-1]["status"] == "closed")
    assert (first["id"], first["filled"], first["average"]) == (placed["id"], 0.01, placed["average"])
    assert (trade["order"], trade["amount"], trade["fee"]["currency"]) == (placed["id"], 0.01, "BTC")
    assert balances["BTC"]["free"] == pytest.approx(0.00999)


async def test_orders_by_websocket(venue: Running, client: ccxt.pro.binance) -> None:
    order = await client.create_order_ws(BTC, "limit", "buy", 0.01, 15_000, {"newClientOrderId": "by-socket"})
    assert order["status"] == "open"
    assert (await client.fetch_order_ws(order["id"], BTC))["clientOrderId"] == "by-socket"
    assert (await client.cancel_order_ws(order["id"], BTC))["status"] == "canceled"
    (stamped,) = (await call_admin(venue.http, "GET", "/admin/timings"))["orders"]
    assert (stamped["client_order_id"], str(stamped["order_id"])) == ("by-socket", order["id"])


async def test_a_bad_secret_is_refused(client: ccxt.pro.binance) -> None:
    client.secret = "wrong"
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        await client.fetch_balance()
