"""Unmodified ccxt clients against the simulated Bybit: every call the platform makes, and where ccxt surprises."""

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

BTC, PERP = "BTC/USDT", "BTC/USDT:USDT"
DEADLINE_S = 10.0


@pytest.fixture
async def venue() -> AsyncIterator[Running]:
    async with serving(SimulatorSettings(port=0, paused=True, history=30, venue="bybit")) as running:
        yield running


@pytest.fixture
async def client(venue: Running) -> AsyncIterator[ccxt.pro.bybit]:
    """An unmodified client but for its URLs."""
    client = ccxt.pro.bybit({"apiKey": "demo-key", "secret": "demo-secret", "enableRateLimit": False})
    repoint(client, venue.http, venue.ws)
    try:
        await client.load_markets()
        yield client
    finally:
        await client.close()


async def heard(watch: Callable[[], Awaitable[Any]], enough: Callable[[Any], bool]) -> Any:
    """What a stream said once it said enough; fails after the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            said = await watch()
            if enough(said):
                return said


async def status(venue: Running) -> Any:
    return await call_admin(venue.http, "GET", "/admin/status")


async def until_listening(venue: Running, *streams: str, user: int = 0) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            now = await status(venue)
            if set(streams) <= set(now["streams"]) and now["user_subscriptions"] >= user:
                return
            await asyncio.sleep(0.01)


async def found(client: ccxt.pro.bybit, client_id: str, symbol: str = BTC) -> Any:
    """The way to find an order by its client id that works: see the trap below."""
    (order,) = await client.fetch_open_orders(symbol, params={"orderLinkId": client_id})
    return order


async def test_markets_of_both_categories_carry_their_filters(client: ccxt.pro.bybit) -> None:
    assert set(client.markets) == {BTC, "LTC/USDT", PERP}
    spot, perpetual = client.market(BTC), client.market(PERP)
    assert (spot["id"], perpetual["id"]) == ("BTCUSDT", "BTCUSDT")
    assert (spot["precision"]["price"], spot["limits"]["cost"]["min"]) == (0.01, 5)
    assert (perpetual["linear"], perpetual["limits"]["leverage"]["max"]) == (True, 100)


async def test_a_synchronous_client_is_served_too(venue: Running) -> None:
    client = ccxt.bybit({"apiKey": "demo-key", "secret": "demo-secret"})
    repoint(client, venue.http, venue.ws)
    assert set(await asyncio.to_thread(client.load_markets)) == {BTC, "LTC/USDT", PERP}
    assert (await asyncio.to_thread(client.fetch_balance))["USDT"]["free"] == 100_000


async def test_market_data_is_the_recordings(venue: Running, client: ccxt.pro.bybit) -> None:
    venue.simulation.replay.play_minutes(1)
    recorded = venue.simulation.replay.tracks[0].recording.candle(30)
    assert recorded is not None
    assert abs(await client.fetch_time() - client.milliseconds()) < 5_000
    candles = await client.fetch_ohlcv(BTC, "1m", limit=1000)
    assert candles[30][1:] == [
        float(value) for value in (recorded.open, recorded.high, recorded.low, recorded.close, recorded.volume)
    ]
    assert await client.fetch_ohlcv(BTC, "1m", candles[10][0], 5) == candles[10:15]
    trades = await client.fetch_trades(BTC, limit=1000)
    assert sum(trade["amount"] for trade in trades) == pytest.approx(float(recorded.volume))
    assert trades[-1]["price"] == float(recorded.close)
    book = await client.fetch_order_book(BTC, 5)
    assert len(book["bids"]) == len(book["asks"]) == 5
    for symbol in (BTC, PERP):
        ticker = await client.fetch_ticker(symbol)
        assert ticker["bid"] < ticker["ask"]
        assert ticker["symbol"] == symbol


async def test_creating_is_an_acknowledgement_and_not_a_fill(client: ccxt.pro.bybit) -> None:
    order = await client.create_order(BTC, "market", "buy", 0.5, params={"clientOrderId": "a" * 32})
    assert (order["clientOrderId"], order["status"], order["filled"]) == ("a" * 32, None, None)
    (trade,) = (await client.fetch_my_trades(BTC, params={"orderId": order["id"]}))[:1]
    assert (trade["order"], trade["fee"]["currency"], trade["takerOrMaker"]) == (order["id"], "BTC", "taker")
    balance = await client.fetch_balance()
    assert balance["BTC"]["total"] == pytest.approx(0.4995)


async def test_a_market_buy_without_its_unit_spends_quote(venue: Running, client: ccxt.pro.bybit) -> None:
    """Sent raw as most would, the quantity 50 is not 50 coins."""
    request = {"category": "spot", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "50"}
    await client.private_post_v5_order_create(request)
    (fill,) = venue.simulation.exchange.fills
    assert fill.price * fill.quantity <= 50


async def test_a_limit_order_is_found_amended_and_cancelled_by_its_client_id(client: ccxt.pro.bybit) -> None:
    placed = await client.create_order(BTC, "limit", "buy", 0.01, 15_000, {"clientOrderId": "mine"})
    assert (await found(client, "mine"))["id"] == placed["id"]
    assert (await client.fetch_balance())["USDT"]["used"] == 150
    await client.edit_order(placed["id"], BTC, "limit", "buy", 0.02, 15_100)
    amended = await found(client, "mine")
    assert (amended["amount"], amended["price"]) == (0.02, 15_100)
    await client.cancel_order(None, BTC, {"orderLinkId": "mine"})
    closed = await found(client, "mine")
    assert closed["status"] == "canceled"
    assert (await client.fetch_balance())["USDT"]["used"] == 0


async def test_cancelling_by_the_unified_client_order_id_cancels_nothing(client: ccxt.pro.bybit) -> None:
    """ccxt passes ``clientOrderId`` on unchanged, which is not Bybit's word for it."""
    await client.create_order(BTC, "limit", "buy", 0.01, 15_000, {"clientOrderId": "mine"})
    with pytest.raises(ccxt.BadRequest, match="orderId or orderLinkId"):
        await client.cancel_order(None, BTC, {"clientOrderId": "mine"})
    assert (await found(client, "mine"))["status"] == "open"


async def test_fetching_one_order_takes_an_acknowledgement(client: ccxt.pro.bybit) -> None:
    placed = await client.create_order(BTC, "limit", "buy", 0.01, 15_000, {"clientOrderId": "mine"})
    with pytest.raises(ccxt.ArgumentsRequired):
        await client.fetch_order(placed["id"], BTC)
    assert (await client.fetch_order(placed["id"], BTC, {"acknowledged": True}))["clientOrderId"] == "mine"


@pytest.mark.parametrize(("symbol", "code"), [(BTC, "170141"), (PERP, "110072")])
async def test_a_client_id_is_unique_for_ever(client: ccxt.pro.bybit, symbol: str, code: str) -> None:
    order = await client.create_order(symbol, "limit", "buy", 0.01, 15_000, {"clientOrderId": "twice"})
    with pytest.raises((ccxt.InvalidOrder, ccxt.BadRequest), match=code):
        await client.create_order(symbol, "limit", "buy", 0.01, 15_000, {"clientOrderId": "twice"})
    await client.cancel_order(order["id"], symbol)
    with pytest.raises((ccxt.InvalidOrder, ccxt.BadRequest), match=code):
        await client.create_order(symbol, "limit", "buy", 0.01, 15_000, {"clientOrderId": "twice"})


async def test_refusals_are_the_ones_ccxt_knows(client: ccxt.pro.bybit) -> None:
    with pytest.raises(ccxt.InsufficientFunds):
        await client.create_order(BTC, "limit", "sell", 1, 20_000)
    with pytest.raises(ccxt.InsufficientFunds):
        await client.create_order(PERP, "limit", "buy", 100, 15_000)
    with pytest.raises(ccxt.OrderNotFound):
        await client.cancel_order("999999", PERP)
    with pytest.raises(ccxt.InvalidOrder):
        await client.cancel_order("999999", BTC)
    ask = (await client.fetch_order_book(BTC))["asks"][0][0]
    with pytest.raises(ccxt.InvalidOrder, match="170218"):
        await client.create_order(BTC, "limit", "buy", 0.01, ask, {"postOnly": True})
    with pytest.raises(ccxt.InvalidOrder, match="170140"):
        await client.create_order(BTC, "limit", "buy", 0.0001, 15_000)


async def test_times_in_force(client: ccxt.pro.bybit) -> None:
    ask, quantity = (await client.fetch_order_book(BTC))["asks"][0]
    await client.create_order(BTC, "limit", "buy", quantity + 0.1, ask, {"timeInForce": "FOK", "clientOrderId": "fok"})
    killed = await found(client, "fok")
    assert (killed["status"], killed["filled"]) == ("canceled", 0)
    await client.create_order(BTC, "limit", "buy", quantity + 0.1, ask, {"timeInForce": "IOC", "clientOrderId": "ioc"})
    partly = await found(client, "ioc")
    assert (partly["info"]["orderStatus"], partly["filled"]) == ("PartiallyFilledCanceled", pytest.approx(quantity))


async def test_a_spot_stop_rests_and_is_cancelled_only_as_a_stop(client: ccxt.pro.bybit) -> None:
    await client.create_order(BTC, "market", "buy", 0.1)
    params = {"triggerPrice": 15_000, "clientOrderId": "stop"}
    placed = await client.create_order(BTC, "limit", "sell", 0.05, 14_900, params)
    waiting = await found(client, "stop")
    assert (waiting["info"]["orderStatus"], waiting["triggerPrice"]) == ("Untriggered", 15_000)
    with pytest.raises(ccxt.InvalidOrder, match="170213"):
        await client.cancel_order(placed["id"], BTC)
    await client.cancel_order(placed["id"], BTC, {"trigger": True})
    assert (await found(client, "stop"))["info"]["orderStatus"] == "Deactivated"


async def test_a_contracts_stop_says_which_way_the_price_must_come(client: ccxt.pro.bybit) -> None:
    with pytest.raises(ccxt.ArgumentsRequired):
        await client.create_order(PERP, "market", "sell", 0.01, params={"triggerPrice": 15_000})
    params = {"triggerPrice": 15_000, "triggerDirection": "descending", "clientOrderId": "stop"}
    await client.create_order(PERP, "market", "sell", 0.01, params=params)
    waiting = await found(client, "stop", PERP)
    assert (waiting["info"]["triggerDirection"], waiting["info"]["orderStatus"]) == (2, "Untriggered")
    assert await client.fetch_open_orders(PERP, params={"orderLinkId": "stop"}) != []


async def test_perpetuals_have_leverage_positions_and_reduce_only(client: ccxt.pro.bybit) -> None:
    await client.set_leverage(5, PERP)
    with pytest.raises(ccxt.BadRequest, match="110043"):
        await client.set_leverage(5, PERP)
    with pytest.raises(ccxt.InvalidOrder, match="110017"):
        await client.create_order(PERP, "market", "sell", 0.5, params={"reduceOnly": True})
    await client.create_order(PERP, "market", "buy", 0.5)
    (position,) = await client.fetch_positions([PERP])
    assert (position["side"], position["contracts"], position["leverage"]) == ("long", 0.5, 5)
    (trade, *_) = await client.fetch_my_trades(PERP)
    assert (trade["fee"]["currency"], trade["symbol"]) == ("USDT", PERP)
    await client.create_order(PERP, "market", "sell", 2, params={"reduceOnly": True})
    assert await client.fetch_positions([PERP]) == []


async def test_cancelling_all_leaves_the_other_category(client: ccxt.pro.bybit) -> None:
    await client.create_order(BTC, "limit", "buy", 0.01, 15_000, {"clientOrderId": "spot"})
    await client.create_order(PERP, "limit", "buy", 0.01, 15_000, {"clientOrderId": "perp"})
    await client.cancel_all_orders(PERP)
    assert await client.fetch_open_orders(PERP) == []
    assert [order["clientOrderId"] for order in await client.fetch_open_orders(BTC)] == ["spot"]
    await client.cancel_all_orders(params={"type": "spot"})
    assert await client.fetch_open_orders(BTC) == []


async def test_the_dead_mans_switch_is_a_window_of_seconds_by_product(client: ccxt.pro.bybit) -> None:
    """ccxt's milliseconds become Bybit's seconds; without a connection that holds its topic it does nothing."""
    await client.create_order(BTC, "limit", "buy", 0.01, 15_000)
    await client.cancel_all_orders_after(5_000, {"type": "spot"})
    with pytest.raises(ccxt.BadRequest):
        await client.cancel_all_orders_after(0)
    assert len(await client.fetch_open_orders(BTC)) == 1


async def test_executions_come_newest_first_in_pages(client: ccxt.pro.bybit) -> None:
    for _ in range(3):
        await client.create_order(BTC, "market", "buy", 0.01)
    ids: list[str] = []
    cursor = ""
    while True:
        request = {"category": "spot", "symbol": "BTCUSDT", "limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await client.private_get_v5_execution_list(request))["result"]
        ids += [row["execId"] for row in page["list"]]
        cursor = page["nextPageCursor"]
        if not cursor:
            break
    trades = await client.fetch_my_trades(BTC)
    assert ids == [trade["id"] for trade in trades][::-1]
    assert len(set(ids)) >= 3


async def test_trades_stream_every_trade_once_and_in_order(venue: Running, client: ccxt.pro.bybit) -> None:
    client.newUpdates = True
    heard_ids: list[str] = []

    async def listen() -> None:
        while True:
            heard_ids.extend(trade["id"] for trade in await client.watch_trades(BTC))

    task = asyncio.create_task(listen())
    await until_listening(venue, "spot/publicTrade.BTCUSDT")
    venue.simulation.replay.play_minutes(3)
    expected = [str(trade.trade_id) for trade in venue.simulation.exchange.markets["BTCUSDT"].tape]
    async with asyncio.timeout(DEADLINE_S):
        while len(heard_ids) < len(expected):
            await asyncio.sleep(0.01)
    task.cancel()
    assert heard_ids == expected


@pytest.mark.parametrize(("symbol", "wire"), [(BTC, "BTCUSDT"), (PERP, "BTCUSDT-PERP")])
async def test_the_streamed_book_equals_the_venues(
    venue: Running, client: ccxt.pro.bybit, symbol: str, wire: str
) -> None:
    await client.watch_order_book(symbol)
    book = venue.simulation.exchange.markets[wire].engine.book
    for _ in range(3):
        venue.simulation.replay.play_minutes(1)
        own = [
            [[float(price), float(quantity)] for price, quantity in book.levels(side, 50)]
            for side in (Side.BUY, Side.SELL)
        ]

        def equal(said: Any, own: Any = own) -> bool:
            return [[list(level[:2]) for level in said[side]] for side in ("bids", "asks")] == own

        assert await heard(lambda: client.watch_order_book(symbol), equal)


async def test_tickers_and_candles_stream(venue: Running, client: ccxt.pro.bybit) -> None:
    for symbol, wire in ((BTC, "BTCUSDT"), (PERP, "BTCUSDT-PERP")):
        await client.watch_ticker(symbol)
        ticking = asyncio.create_task(client.watch_ticker(symbol))
        watch = asyncio.create_task(client.watch_ohlcv(symbol, "1m"))
        await until_listening(venue, f"{'spot' if symbol == BTC else 'linear'}/kline.1.BTCUSDT")
        venue.simulation.replay.play_minutes(1)
        ticker, candles = await asyncio.wait_for(asyncio.gather(ticking, watch), DEADLINE_S)
        last = float(venue.simulation.exchange.markets[wire].last_price)
        assert ticker["last"] == last
        assert ticker["symbol"] == symbol
        assert candles[-1][4] == last


async def test_the_private_stream_tells_orders_executions_and_the_wallet(
    venue: Running, client: ccxt.pro.bybit
) -> None:
    client.newUpdates = True
    client.options["watchPositions"]["fetchPositionsSnapshot"] = False
    orders, trades, balance = (
        asyncio.create_task(watch()) for watch in (client.watch_orders, client.watch_my_trades, client.watch_balance)
    )
    positions = asyncio.create_task(client.watch_positions())
    await until_listening(venue, user=4)
    placed = await client.create_order(PERP, "market", "buy", 0.01)
    async with asyncio.timeout(DEADLINE_S):
        (_, (trade,), balances, (position,)) = await asyncio.gather(orders, trades, balance, positions)
    assert (trade["order"], trade["amount"], trade["symbol"]) == (placed["id"], 0.01, PERP)
    assert balances["USDT"]["total"] < 100_000
    assert (position["symbol"], position["contracts"]) == (PERP, 0.01)
