"""Bybit's wire itself: signatures, clocks, limits, faults and sockets, as no client library would send them."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from algotrendy_common.clock import wall_ns
from algotrendy_simulator.server import Running, serving
from algotrendy_simulator.settings import SimulatorSettings
from algotrendy_simulator.testing import call_admin
from algotrendy_simulator.venues.bybit.authentication import signature

CREATE = "/v5/order/create"
ORDER = {
    "category": "spot", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01", "price": "15000",
    "orderLinkId": "mine",
}  # fmt: skip
DEADLINE_S = 10.0


@pytest.fixture
async def venue() -> AsyncIterator[Running]:
    async with serving(SimulatorSettings(port=0, paused=True, history=30, venue="bybit")) as running:
        yield running


def now_ms() -> int:
    return wall_ns() // 1_000_000


def signed(text: str, key: str = "demo-key", secret: str = "demo-secret", at_ms: int | None = None) -> dict[str, str]:
    stamp = str(now_ms() if at_ms is None else at_ms)
    return {
        "X-BAPI-API-KEY": key,
        "X-BAPI-TIMESTAMP": stamp,
        "X-BAPI-RECV-WINDOW": "5000",
        "X-BAPI-SIGN": hmac.new(secret.encode(), f"{stamp}{key}5000{text}".encode(), hashlib.sha256).hexdigest(),
    }


async def call(venue: Running, method: str, path: str, text: str, headers: dict[str, str]) -> tuple[int, Any, Any]:
    """Status, JSON (None where it is none), headers."""
    url = f"{venue.http}{path}" + (f"?{text}" if method == "GET" else "")
    body = text.encode() if method == "POST" else None
    async with aiohttp.ClientSession() as session, session.request(method, url, data=body, headers=headers) as response:
        try:
            return response.status, json.loads(await response.text()), response.headers
        except ValueError:
            return response.status, None, response.headers


async def place(venue: Running, **changes: Any) -> tuple[int, Any, Any]:
    text = json.dumps(ORDER | changes)
    return await call(venue, "POST", CREATE, text, signed(text))


async def ask(venue: Running, path: str, **values: str) -> Any:
    text = urlencode(values)
    return (await call(venue, "GET", path, text, signed(text)))[1]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            "1658384313791XXXXXXXXXX5000category=option&symbol=BTC-29JUL22-25000-C",
            "b3a13cbd6f9de0ad7ece696645a98000281be3558716624cfca03debd2f24574",
        ),
        (
            '1658385578423XXXXXXXXXX5000{"category":"option"}',
            "a04dea33a62e644897b14c6ff458db428b9c2424b5cb785c9586490ccaca24af",
        ),
    ],
)
def test_the_known_signatures_of_the_venues_guide(payload: str, expected: str) -> None:
    assert signature("XXXXXXXXXX", payload) == expected


async def test_only_a_right_key_signature_and_clock_are_let_in(venue: Running) -> None:
    text = json.dumps(ORDER)
    wrong = [
        (signed(text, key="nobody"), 401, 10003),
        (signed(text, secret="other"), 200, 10004),
        (signed(text + " "), 200, 10004),
        (signed(text, at_ms=now_ms() - 6_000), 200, 10002),
        (signed(text, at_ms=now_ms() + 2_000), 200, 10002),
        ({}, 401, 10003),
    ]
    for headers, status, code in wrong:
        found, body, _ = await call(venue, "POST", CREATE, text, headers)
        assert (found, body["retCode"]) == (status, code)
    assert venue.simulation.exchange.orders == {}


async def test_numbers_must_be_strings(venue: Running) -> None:
    _, body, _ = await place(venue, qty=0.01)
    assert (body["retCode"], venue.simulation.exchange.orders) == (10001, {})


async def test_answers_say_what_is_left_of_the_limit(venue: Running) -> None:
    answers = [await place(venue, orderLinkId=f"o{number}") for number in range(45)]
    over = [body for _, body, _ in answers if body["retCode"] == 10006]
    assert over
    assert {status for status, _, _ in answers} == {200}
    throttled = next(headers for _, body, headers in answers if body["retCode"] == 10006)
    assert (throttled["X-Bapi-Limit"], throttled["X-Bapi-Limit-Status"]) == ("20", "0")
    assert int(throttled["X-Bapi-Limit-Reset-Timestamp"]) - now_ms() + 2_000 > 0
    assert len(venue.simulation.exchange.orders) == len(answers) - len(over)


@pytest.mark.parametrize(
    ("kind", "status", "code", "placed"),
    [
        ("throttle", 200, 10006, False),
        ("ban", 403, None, False),
        ("maintenance", 503, None, False),
        ("reject", 200, 170193, False),
        ("clock_skew", 200, 10002, False),
        ("error_before", 503, 10000, False),
        ("error_after", 503, 10000, True),
    ],
)
async def test_faults_speak_the_venues_words(
    venue: Running, kind: str, status: int, code: int | None, placed: bool
) -> None:
    await call_admin(venue.http, "POST", "/admin/faults", {"kind": kind, "path": CREATE})
    found, body, _ = await place(venue)
    assert (found, body and body["retCode"]) == (status, code)
    assert bool(venue.simulation.exchange.orders) is placed


async def test_an_answer_that_is_lost_had_its_effect(venue: Running) -> None:
    await call_admin(venue.http, "POST", "/admin/faults", {"kind": "lost_after", "path": CREATE})
    with pytest.raises(aiohttp.ClientError):
        await place(venue)
    body = await ask(venue, "/v5/order/realtime", category="spot", symbol="BTCUSDT", orderLinkId="mine")
    assert [order["orderStatus"] for order in body["result"]["list"]] == ["New"]


async def test_a_range_of_executions_is_seven_days_at_most(venue: Running) -> None:
    body = await ask(venue, "/v5/execution/list", category="spot", startTime="0", endTime=str(8 * 86_400_000))
    assert body["retCode"] == 10001
    await place(venue, orderType="Market", marketUnit="baseCoin")
    assert (await ask(venue, "/v5/execution/list", category="spot", startTime="0"))["result"]["list"] == []
    assert len((await ask(venue, "/v5/execution/list", category="spot"))["result"]["list"]) == 1


async def test_a_book_topic_counts_its_updates_and_shows_a_hole(venue: Running) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{venue.ws}/v5/public/spot") as socket:
        await socket.send_json({"op": "subscribe", "req_id": "1", "args": ["orderbook.50.BTCUSDT"]})
        assert (await socket.receive_json())["success"] is True
        first = await socket.receive_json()
        assert (first["type"], len(first["data"]["b"])) == ("snapshot", 20)
        last, steps = first["data"]["u"], []
        for turn in range(3):
            if turn == 1:
                await call_admin(venue.http, "POST", "/admin/sockets/gap", {"symbol": "BTCUSDT"})
                venue.simulation.replay.play_minutes(1)
                await asyncio.sleep(0.3)  # the flush that is left out
            venue.simulation.replay.play_minutes(1)
            told = await asyncio.wait_for(socket.receive_json(), DEADLINE_S)
            assert told["type"] == "delta"
            steps.append(told["data"]["u"] - last)
            last = told["data"]["u"]
        assert steps == [1, 2, 1]


async def test_a_topic_of_another_category_is_refused(venue: Running) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{venue.ws}/v5/public/linear") as socket:
        await socket.send_json({"op": "subscribe", "req_id": "1", "args": ["tickers.LTCUSDT"]})
        assert (await socket.receive_json())["success"] is False
        await socket.send_json({"op": "ping", "req_id": "2"})
        assert (await socket.receive_json())["ret_msg"] == "pong"


async def private_socket(session: aiohttp.ClientSession, venue: Running, *topics: str) -> Any:
    socket = await session.ws_connect(f"{venue.ws}/v5/private")
    expires = str(now_ms() + 10_000)
    signature_text = hmac.new(b"demo-secret", f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest()
    await socket.send_json({"op": "auth", "args": ["demo-key", expires, signature_text]})
    assert (await socket.receive_json())["success"] is True
    await socket.send_json({"op": "subscribe", "args": list(topics)})
    assert (await socket.receive_json())["success"] is True
    return socket


async def test_a_private_topic_wants_a_signature(venue: Running) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{venue.ws}/v5/private") as socket:
        await socket.send_json({"op": "subscribe", "args": ["order"]})
        assert (await socket.receive_json())["success"] is False
        await socket.send_json({"op": "auth", "args": ["demo-key", str(now_ms() + 10_000), "0" * 64]})
        assert (await socket.receive_json())["retCode"] == 10004
        await socket.send_json({"op": "auth", "args": ["demo-key", str(now_ms() - 1), "0" * 64]})
        assert (await socket.receive_json())["retCode"] == 10002


async def test_the_disconnection_window_starts_when_the_last_guarded_connection_is_gone(venue: Running) -> None:
    text = json.dumps({"product": "SPOT", "timeWindow": 3})
    path = "/v5/order/disconnected-cancel-all"
    assert (await call(venue, "POST", path, text, signed(text)))[1]["retCode"] == 0
    await place(venue)
    account = venue.simulation.exchange.accounts["paper-1"]
    async with aiohttp.ClientSession() as session:
        first = await private_socket(session, venue, "dcp.spot")
        second = await private_socket(session, venue, "dcp.spot", "order")
        await first.close()
        async with asyncio.timeout(DEADLINE_S):
            while (await call_admin(venue.http, "GET", "/admin/status"))["sockets"]["user"] > 1:
                await asyncio.sleep(0.01)
        assert account.dead_man_ms is None
        await second.close()
        await until(lambda: account.dead_man_ms is not None)
        third = await private_socket(session, venue, "dcp.spot")
        assert account.dead_man_ms is None
        await third.close()
        await until(lambda: venue.simulation.exchange.open_orders(account) == [])


async def until(true: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not true():
            await asyncio.sleep(0.01)
