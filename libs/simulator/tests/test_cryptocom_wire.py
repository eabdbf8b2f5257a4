"""Crypto.com's wire itself: signatures, nonces, limits, faults and sockets, as no client library would send them."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from algotrendy_common.clock import wall_ns
from algotrendy_simulator.server import Running, serving
from algotrendy_simulator.settings import SimulatorSettings
from algotrendy_simulator.testing import call_admin
from algotrendy_simulator.venues.cryptocom.requests import parameter_text

CREATE = "private/create-order"
ORDER = {
    "instrument_name": "BTC_USDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "15000",
    "client_oid": "mine",
}  # fmt: skip


@pytest.fixture
async def venue() -> AsyncIterator[Running]:
    async with serving(SimulatorSettings(port=0, paused=True, history=30, venue="cryptocom")) as running:
        yield running


def signed(method: str, params: dict[str, Any], secret: str = "demo-secret", **changes: Any) -> dict[str, Any]:
    call = {"id": 7, "method": method, "params": params, "api_key": "demo-key", "nonce": wall_ns() // 1_000_000}
    call |= changes
    payload = f"{call['method']}{call['id']}{call['api_key']}{parameter_text(call['params'])}{call['nonce']}"
    return call | {"sig": hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()}


async def post(venue: Running, call: dict[str, Any], method: str | None = None) -> tuple[int, Any]:
    url = f"{venue.http}/exchange/v1/{method or call['method']}"
    async with aiohttp.ClientSession() as session, session.post(url, json=call) as response:
        return response.status, await response.json()


def test_parameters_are_signed_in_the_order_of_their_names() -> None:
    params = {"b": [{"z": "1", "a": None}, {"c": "x"}], "a": "y", "d": True, "e": ["POST_ONLY"]}
    assert parameter_text(params) == "aybanullz1cxdTrueePOST_ONLY"


async def test_only_a_right_key_signature_and_nonce_are_let_in(venue: Running) -> None:
    now_ms = wall_ns() // 1_000_000
    wrong = [
        (signed(CREATE, ORDER, secret="other"), 401, 40101),
        (signed(CREATE, ORDER, api_key="nobody"), 401, 40101),
        (signed(CREATE, ORDER) | {"params": ORDER | {"quantity": "1"}}, 401, 40101),
        (signed(CREATE, ORDER, nonce=now_ms - 61_000), 400, 40102),
        (signed(CREATE, ORDER, nonce=now_ms + 61_000), 400, 40102),
        (signed("private/user-balance", ORDER), 400, 40002),
    ]
    for call, status, code in wrong:
        found, body = await post(venue, call, CREATE)
        assert (found, body["code"]) == (status, code)
    assert venue.simulation.exchange.orders == {}
    status, body = await post(venue, signed(CREATE, ORDER))
    ((order_id, _),) = venue.simulation.exchange.orders.items()
    placed = {"client_oid": "mine", "order_id": str(order_id)}
    assert (status, body) == (200, {"id": 7, "method": CREATE, "code": 0, "result": placed})


async def test_numbers_must_be_in_quotation_marks(venue: Running) -> None:
    status, body = await post(venue, signed(CREATE, ORDER | {"quantity": 1}))
    assert (status, body["code"]) == (400, 40004)


@pytest.mark.parametrize(
    ("method", "params", "allowed"), [("private/get-trades", {}, 1), ("private/user-balance", {}, 3), (CREATE, {}, 15)]
)
async def test_each_method_has_its_limit(venue: Running, method: str, params: dict[str, Any], allowed: int) -> None:
    calls = [signed(method, params) for _ in range(4 * allowed)]
    answers = await asyncio.gather(*(post(venue, call) for call in calls))
    throttled = [status for status, body in answers if body["code"] == 42901]
    assert throttled
    assert set(throttled) == {429}
    assert len(answers) - len(throttled) >= allowed


@pytest.mark.parametrize(
    ("kind", "status", "code", "placed"),
    [
        ("throttle", 429, 42901, False),
        ("maintenance", 503, 9010001, False),
        ("reject", 400, 224, False),
        ("clock_skew", 400, 40102, False),
        ("error_before", 503, 40801, False),
        ("error_after", 503, 40801, True),
    ],
)
async def test_faults_speak_the_venues_words(venue: Running, kind: str, status: int, code: int, placed: bool) -> None:
    await call_admin(venue.http, "POST", "/admin/faults", {"kind": kind, "path": "/exchange/v1/*"})
    found, body = await post(venue, signed(CREATE, ORDER))
    assert (found, body["code"]) == (status, code)
    assert bool(venue.simulation.exchange.orders) is placed


async def test_an_answer_that_is_lost_had_its_effect(venue: Running) -> None:
    await call_admin(venue.http, "POST", "/admin/faults", {"kind": "lost_after", "path": f"/exchange/v1/{CREATE}"})
    with pytest.raises(aiohttp.ClientError):
        await post(venue, signed(CREATE, ORDER))
    status, body = await post(venue, signed("private/get-order-detail", {"client_oid": "mine"}))
    assert (status, body["result"]["status"]) == (200, "ACTIVE")


async def test_trades_without_a_range_are_the_last_days(venue: Running) -> None:
    market = {key: value for key, value in ORDER.items() if key != "price"} | {"type": "MARKET"}
    await post(venue, signed(CREATE, market))
    (fill,) = venue.simulation.exchange.fills
    _, body = await post(venue, signed("private/get-trades", {}))
    assert [row["trade_match_id"] for row in body["result"]["data"]] == [str(fill.trade_id)]
    assert body["result"]["data"][0]["fees"].startswith("-")
    await asyncio.sleep(1)  # one call a second is what the venue takes
    before = {"start_time": str(fill.time_ms - 10), "end_time": str(fill.time_ms)}
    _, body = await post(venue, signed("private/get-trades", before))
    assert body["result"]["data"] == []


async def test_a_book_has_a_snapshot_then_updates_in_a_row(venue: Running) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{venue.ws}/exchange/v1/market") as socket,
    ):
        channel = "book.BTC_USDT.10"
        await socket.send_json({"id": 1, "method": "subscribe", "params": {"channels": [channel]}})
        assert await socket.receive_json() == {"id": 1, "method": "subscribe", "code": 0}
        first = (await socket.receive_json())["result"]
        assert (first["channel"], len(first["data"][0]["bids"])) == ("book", 10)
        last = first["data"][0]["u"]
        holes = []
        for turn in range(3):
            if turn == 1:
                await call_admin(venue.http, "POST", "/admin/sockets/gap", {"symbol": "BTCUSDT"})
                venue.simulation.replay.play_minutes(1)
                await asyncio.sleep(0.3)  # the flush that is left out
            venue.simulation.replay.play_minutes(1)
            told = (await asyncio.wait_for(socket.receive_json(), 10))["result"]
            assert told["channel"] == "book.update"
            holes.append(told["data"][0]["pu"] != last)
            last = told["data"][0]["u"]
        assert holes == [False, True, False]


async def test_a_user_channel_wants_a_signature_and_hears_its_own_account_only(venue: Running) -> None:
    await call_admin(
        venue.http, "POST", "/admin/accounts", {"account": "other", "key": "k2", "secret": "s2", "balances": {}}
    )
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{venue.ws}/exchange/v1/user") as socket,
    ):
        subscribe = {"id": 1, "method": "subscribe", "params": {"channels": ["user.order"]}}
        await socket.send_json(subscribe)
        assert (await socket.receive_json())["code"] == 40101
        await socket.send_json(signed("public/auth", {}, secret="wrong"))
        assert (await socket.receive_json())["code"] == 40101
        await socket.send_json(signed("public/auth", {}, secret="s2", api_key="k2"))
        assert (await socket.receive_json())["code"] == 0
        await socket.send_json(subscribe)
        assert (await socket.receive_json())["code"] == 0
        await post(venue, signed(CREATE, ORDER))
        await socket.send_json(signed("public/auth", {}))
        assert (await socket.receive_json())["method"] == "public/auth"
        await post(venue, signed(CREATE, ORDER | {"client_oid": "second"}))
        told = json.loads((await socket.receive()).data)["result"]["data"]
        assert [order["client_oid"] for order in told] == ["second"]
