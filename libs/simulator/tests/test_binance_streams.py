"""The streams at the wire: order, sequence, reports, and what a fault does to them."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from algotrendy_simulator.server import Running
from algotrendy_simulator.testing import call_admin

from .wire import call, now_ms, signed

DEADLINE_S = 10.0


@asynccontextmanager
async def socket(venue: Running, path: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with aiohttp.ClientSession() as session, session.ws_connect(venue.ws + path) as websocket:
        yield websocket


async def told(websocket: aiohttp.ClientWebSocketResponse) -> Any:
    return json.loads(await asyncio.wait_for(websocket.receive_str(), DEADLINE_S))


async def test_subscribing_listing_and_leaving(venue: Running) -> None:
    async with socket(venue, "/ws") as websocket:
        await websocket.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@trade", "btcusdt@bookTicker"], "id": 1})
        assert await told(websocket) == {"result": None, "id": 1}
        await websocket.send_json({"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 2})
        assert await told(websocket) == {"result": None, "id": 2}
        await websocket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 3})
        assert await told(websocket) == {"result": ["btcusdt@bookTicker"], "id": 3}
        await websocket.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@nonsense"], "id": 4})
        assert (await told(websocket))["error"]["code"] == 2
        await websocket.send_json({"method": "SHOUT", "id": 5})
        assert (await told(websocket))["error"]["code"] == 2
        await websocket.send_str("no json")
        assert (await told(websocket))["error"]["code"] == 3


async def test_combined_streams_are_wrapped_and_trades_are_stamped(venue: Running) -> None:
    async with socket(venue, "/stream?streams=btcusdt@trade/ltcusdt@trade") as websocket:
        venue.simulation.replay.play_minutes(1)
        first = await told(websocket)
        assert first["stream"] in ("btcusdt@trade", "ltcusdt@trade")
        trade = first["data"]
        assert trade["T"] == trade["E"] == venue.simulation.exchange.markets[trade["s"]].tape[0].time_ms
        stamps = (await call_admin(venue.http, "GET", "/admin/timings"))["trades"]
        assert (stamps[0]["symbol"], stamps[0]["trade_id"]) == (trade["s"], trade["t"])
        assert abs(stamps[0]["wall_ns"] - now_ms() * 1_000_000) < DEADLINE_S * 1e9


async def test_depth_messages_form_one_row_that_a_snapshot_fits_into(venue: Running) -> None:
    async with socket(venue, "/ws/btcusdt@depth@100ms") as websocket:
        messages: list[Any] = []
        bids: dict[str, str] = {}
        for _ in range(4):
            venue.simulation.replay.play_minutes(1)
            messages.append(await told(websocket))
        for before, after in pairwise(messages):
            assert after["U"] == before["u"] + 1
        # In the middle of a message's span.
        for _ in range(20):
            venue.simulation.replay.play_next()
        _, snapshot, _ = await call(venue.http, "GET", "/api/v3/depth", "symbol=BTCUSDT&limit=1000")
        bids = dict(snapshot["bids"])
        for _ in range(15):
            venue.simulation.replay.play_next()
        sequence = venue.simulation.exchange.markets["BTCUSDT"].engine.book.sequence
        last = messages[-1]["u"]
        while last < sequence:
            message = await told(websocket)
            assert message["U"] == last + 1
            last = message["u"]
            if last > snapshot["lastUpdateId"]:
                bids.update(message["b"])
        shown = {price: quantity for price, quantity in bids.items() if float(quantity)}
        _, snapshot, _ = await call(venue.http, "GET", "/api/v3/depth", "symbol=BTCUSDT&limit=1000")
        assert shown == dict(snapshot["bids"])


async def test_a_lost_depth_message_leaves_a_hole(venue: Running) -> None:
    async with socket(venue, "/ws/btcusdt@depth@100ms") as websocket:
        venue.simulation.replay.play_minutes(1)
        before = await told(websocket)
        await call_admin(venue.http, "POST", "/admin/sockets/gap", {"symbol": "BTCUSDT"})
        message = None
        async with asyncio.timeout(DEADLINE_S):
            while message is None:
                venue.simulation.replay.play_minutes(1)
                try:
                    message = json.loads(await websocket.receive_str(timeout=0.5))
                except TimeoutError:
                    continue
        assert message["U"] > before["u"] + 1


async def test_candles_close_once_with_their_final_values(venue: Running) -> None:
    async with socket(venue, "/ws/btcusdt@kline_1m/btcusdt@kline_5m") as websocket:
        venue.simulation.replay.play_minutes(5)
        closed = []
        while len(closed) < 6:
            candle = (await told(websocket))["k"]
            if candle["x"]:
                closed.append(candle)
        assert [candle["i"] for candle in closed] == ["1m"] * 5 + ["5m"]
        recorded = venue.simulation.replay.tracks[0].recording
        for minute, candle in enumerate(closed[:5], start=30):
            expected = recorded.candle(minute)
            assert expected is not None
            values = [float(candle[name]) for name in "ohlcv"]
            assert values == [
                float(v) for v in (expected.open, expected.high, expected.low, expected.close, expected.volume)
            ]
        assert float(closed[5]["v"]) == pytest.approx(sum(float(candle["v"]) for candle in closed[:5]))


async def test_muted_sockets_stay_open_and_silent_and_dropped_ones_close(venue: Running) -> None:
    async with socket(venue, "/ws/btcusdt@trade") as websocket:
        await call_admin(venue.http, "POST", "/admin/sockets/mute", {"muted": True})
        venue.simulation.replay.play_minutes(1)
        muted = venue.simulation.exchange.markets["BTCUSDT"].engine.last_sequence
        await call_admin(venue.http, "POST", "/admin/sockets/mute", {"muted": False})
        venue.simulation.replay.play_minutes(1)
        assert (await told(websocket))["t"] == muted + 1
        assert (await call_admin(venue.http, "POST", "/admin/sockets/drop", {"kind": "market"}))["market"] == 1
        async with asyncio.timeout(DEADLINE_S):
            while not websocket.closed:
                await websocket.receive()
        assert (await call_admin(venue.http, "GET", "/admin/status"))["sockets"]["market"] == 0


def signed_message(method: str, secret: str = "demo-secret") -> dict[str, Any]:
    values = {"apiKey": "demo-key", "timestamp": now_ms()}
    payload = "&".join(f"{name}={values[name]}" for name in sorted(values))
    signature = hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
    return {"id": "1", "method": method, "params": values | {"signature": signature}}


async def test_execution_reports_tell_each_step_once_and_balances_after_them(venue: Running) -> None:
    async with socket(venue, "/ws-api/v3") as websocket:
        await websocket.send_json(signed_message("userDataStream.subscribe.signature", "wrong"))
        assert (await told(websocket))["error"]["code"] == -1022
        await websocket.send_json(signed_message("userDataStream.subscribe.signature"))
        assert (await told(websocket))["result"] == {"subscriptionId": 0}
        market = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1.2", "newClientOrderId": "walk"}
        _, placed, _ = await call(venue.http, "POST", "/api/v3/order", signed(market))
        reports = [(await told(websocket))["event"] for _ in range(len(placed["fills"]) + 2)]
        assert [report.get("x") for report in reports] == ["NEW", *["TRADE"] * len(placed["fills"]), None]
        assert [report["t"] for report in reports[1:-1]] == [fill["tradeId"] for fill in placed["fills"]]
        assert {report["c"] for report in reports[:-1]} == {"walk"}
        assert (reports[-2]["X"], reports[-2]["z"]) == ("FILLED", "1.20000000")
        assert reports[-1]["e"] == "outboundAccountPosition"
        limit = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.01", "price": "15000"}
        _, placed, _ = await call(venue.http, "POST", "/api/v3/order", signed(limit))
        await call(
            venue.http,
            "DELETE",
            "/api/v3/order",
            signed({"symbol": "BTCUSDT", "orderId": placed["orderId"], "newClientOrderId": "stop-it"}),
        )
        events = [(await told(websocket))["event"] for _ in range(4)]
        cancelled = events[2]
        assert (cancelled["x"], cancelled["X"], cancelled["c"]) == ("CANCELED", "CANCELED", "stop-it")
        assert cancelled["C"] == placed["clientOrderId"]


async def test_the_user_stream_is_silent_about_other_accounts(venue: Running) -> None:
    other = {"account": "other", "key": "k2", "secret": "s2", "balances": {"USDT": "1000"}}
    await call_admin(venue.http, "POST", "/admin/accounts", other)
    async with socket(venue, "/ws-api/v3") as websocket:
        await websocket.send_json(signed_message("userDataStream.subscribe.signature"))
        await told(websocket)
        market = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        await call(venue.http, "POST", "/api/v3/order", signed(market, "s2"), key="k2")
        await websocket.send_json({"id": 9, "method": "ping"})
        assert await told(websocket) == {"id": 9, "status": 200, "result": {}}
        await websocket.send_json({"id": 10, "method": "order.dance", "params": {}})
        assert (await told(websocket))["status"] == 400
