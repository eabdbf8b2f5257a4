"""What the simulated Coinbase says that a client library would not show: numbering, limits, ends, complaints."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import ccxt.pro
import pytest
from algotrendy_common.clock import SystemClock
from algotrendy_simulator.demo_keys import demo_key
from algotrendy_simulator.server import Running, serving
from algotrendy_simulator.settings import SimulatorSettings
from algotrendy_simulator.testing import call_admin, repoint

DEMO = demo_key("coinbase")
BASE = "/api/v3/brokerage"
PRODUCT = "BTC-USDT"


@pytest.fixture
async def venue() -> AsyncIterator[Running]:
    settings = SimulatorSettings(port=0, paused=True, history=30, venue="coinbase")
    async with serving(settings) as running:
        yield running


@pytest.fixture
async def client(venue: Running) -> AsyncIterator[Any]:
    client = ccxt.pro.coinbase({"apiKey": DEMO.key, "secret": DEMO.secret, "enableRateLimit": False})
    repoint(client, venue.http, venue.ws)
    yield client
    await client.close()


async def call(client: Any, venue: Running, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Status, headers and body, under a token for exactly this call."""
    token = client.create_auth_token(client.seconds(), method, venue.http + BASE + path)
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
        session.request(method, venue.http + BASE + path, json=body) as answer,
    ):
        text = await answer.text()
        return answer.status, answer.headers, json.loads(text) if text.startswith("{") else text


def limit_order(client_id: str, **more: Any) -> dict[str, Any]:
    size = {"base_size": "0.01", "limit_price": "10000"}
    name = "limit_limit_gtd" if more else "limit_limit_gtc"
    configuration = {name: size | more}
    return {"client_order_id": client_id, "product_id": PRODUCT, "side": "BUY", "order_configuration": configuration}


async def test_what_is_left_of_the_second_is_told_and_then_refused(client: Any, venue: Running) -> None:
    answers = [await call(client, venue, "GET", "/accounts") for _ in range(70)]

    left = [int(headers["X-RateLimit-Remaining"]) for _, headers, _ in answers]
    assert {headers["X-RateLimit-Limit"] for _, headers, _ in answers} == {"30"}
    assert 0 in left
    refused = next(body for status, _, body in answers if status == 429)
    assert refused["errors"][0]["id"] == "rate_limit_exceeded"


async def test_a_token_is_for_one_method_and_path(client: Any, venue: Running) -> None:
    token = client.create_auth_token(client.seconds(), "GET", f"{venue.http}{BASE}/accounts")
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.get(f"{venue.http}{BASE}/accounts") as right:
            assert right.status == 200
        async with session.get(f"{venue.http}{BASE}/key_permissions") as wrong:
            assert (wrong.status, await wrong.text()) == (401, "Unauthorized\n")


async def test_a_dated_order_ends(client: Any, venue: Running) -> None:
    now = SystemClock().now()
    dated = limit_order("dated", end_time=now.isoformat().replace("+00:00", "Z"))
    _, _, made = await call(client, venue, "POST", "/orders", dated)
    order_id = made["success_response"]["order_id"]
    for _ in range(20):
        await asyncio.sleep(0.05)
        _, _, shown = await call(client, venue, "GET", f"/orders/historical/{order_id}")
        if shown["order"]["status"] == "EXPIRED":
            break
    else:
        pytest.fail(f"still {shown['order']['status']}")
    assert shown["order"]["time_in_force"] == "GOOD_UNTIL_DATE_TIME"


@pytest.mark.parametrize(
    ("configuration", "status"),
    [
        ({"limit_limit_gtc": {"base_size": 0.01, "limit_price": "10000"}}, 400),
        ({"limit_limit_gtc": {"base_size": "0.01", "limit_price": "10000", "stop": "9"}}, 400),
        ({"limit_limit_gtc": {"base_size": "0.01"}}, 400),
        ({"twap_limit_gtd": {"base_size": "0.01", "limit_price": "10000"}}, 200),
    ],
    ids=["a number that is no text", "a field that is not known", "no price", "a kind that is not offered"],
)
async def test_nothing_of_an_order_is_passed_over(
    client: Any, venue: Running, configuration: dict[str, Any], status: int
) -> None:
    order = limit_order("odd") | {"order_configuration": configuration}
    answered, _, body = await call(client, venue, "POST", "/orders", order)

    assert (answered, body.get("success", False)) == (status, False)
    assert await call_admin(venue.http, "GET", "/admin/orders") == []


async def test_messages_are_numbered_and_a_lost_one_leaves_its_number_out(venue: Running) -> None:
    asked = {"type": "subscribe", "product_ids": [PRODUCT], "channel": "level2"}
    async with aiohttp.ClientSession() as session, session.ws_connect(venue.ws) as socket:
        await socket.send_json(asked)
        first = [await socket.receive_json(timeout=5) for _ in range(2)]
        await call_admin(venue.http, "POST", "/admin/sockets/gap", {"symbol": "BTCUSDT"})
        await call_admin(venue.http, "POST", "/admin/step", {"candles": 1})
        for _ in range(20):
            await call_admin(venue.http, "POST", "/admin/step", {"candles": 1})
            try:
                after = await socket.receive_json(timeout=0.3)
                break
            except TimeoutError:
                continue

    assert [message["sequence_num"] for message in first] == [0, 1]
    assert first[1]["events"][0]["type"] == "snapshot"
    assert after["sequence_num"] == 3


async def test_who_is_not_known_hears_nothing(client: Any, venue: Running) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(venue.ws) as socket:
        await socket.send_json({"type": "subscribe", "channel": "user", "jwt": "a.b.c"})
        assert await socket.receive_json(timeout=5) == {"type": "error", "message": "authentication failure"}
        await socket.send_json(
            {"type": "subscribe", "channel": "user", "jwt": client.create_auth_token(client.seconds())}
        )
        subscribed, snapshot = [await socket.receive_json(timeout=5) for _ in range(2)]
    assert "user" in subscribed["events"][0]["subscriptions"]
    assert (snapshot["channel"], snapshot["events"][0]["orders"]) == ("user", [])
