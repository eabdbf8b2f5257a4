"""What Binance answers to bad input, limits and faults, at the wire."""

import json
from typing import Any

import aiohttp
import pytest
from algotrendy_simulator.server import Running, serving
from algotrendy_simulator.settings import SimulatorSettings
from algotrendy_simulator.testing import call_admin

from .wire import call, now_ms, signed

ORDER: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "15000",
}


async def refusal(
    venue: Running, query: str, path: str = "/api/v3/order", method: str = "POST"
) -> tuple[int, int, str]:
    status, body, _ = await call(venue.http, method, path, query)
    return status, body["code"], body["msg"]


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"symbol": "DOGEUSDT"}, -1121, "Invalid symbol."),
        ({"side": "HOLD"}, -1117, "Invalid side."),
        ({"type": "ICEBERG"}, -1116, "Invalid orderType."),
        ({"timeInForce": "DAY"}, -1115, "Invalid timeInForce."),
        ({"quantity": ""}, -1102, "'quantity'"),
        ({"price": ""}, -1102, "'price'"),
        ({"quantity": "abc"}, -1100, "'quantity'"),
        ({"quantity": "-1"}, -1100, "'quantity'"),
        ({"quantity": "0"}, -1013, "Invalid quantity."),
        ({"quantity": "0.0100000001"}, -1111, "too much precision"),
        ({"quantity": "0.0100001"}, -1013, "LOT_SIZE"),
        ({"quantity": "0.000001"}, -1013, "LOT_SIZE"),
        ({"price": "15000.001"}, -1013, "PRICE_FILTER"),
        ({"quantity": "0.0003"}, -1013, "NOTIONAL"),
        ({"quantity": "100"}, -2010, "insufficient balance"),
        ({"side": "SELL", "price": "20000"}, -2010, "insufficient balance"),
        ({"type": "MARKET"}, -1106, "'price'"),
        ({"newClientOrderId": "with space"}, -1100, "'newClientOrderId'"),
        ({"newClientOrderId": "x" * 37}, -1100, "'newClientOrderId'"),
        ({"recvWindow": "60001"}, -1131, "recvWindow"),
        ({"timestamp": "soon"}, -1100, "'timestamp'"),
    ],
)
async def test_a_bad_order_is_refused_with_binances_code(
    venue: Running, change: dict[str, str], code: int, message: str
) -> None:
    status, found, text = await refusal(venue, signed(ORDER | change))
    assert (status, found) == (400, code), text
    assert message in text
    assert not venue.simulation.exchange.orders


async def test_who_may_not_is_refused(venue: Running) -> None:
    assert await refusal(venue, signed(ORDER, "other")) == (400, -1022, "Signature for this request is not valid.")
    tampered = signed(ORDER).replace("0.01", "0.09")
    assert (await refusal(venue, tampered))[1] == -1022
    assert (await refusal(venue, signed(ORDER).partition("&signature")[0]))[1] == -1102
    assert (await refusal(venue, signed(ORDER | {"timestamp": now_ms() - 5_500})))[1] == -1021
    assert (await refusal(venue, signed(ORDER | {"timestamp": now_ms() + 3_000})))[1] == -1021
    late = {"timestamp": now_ms() - 5_500, "recvWindow": 30_000}
    assert (await call(venue.http, "POST", "/api/v3/order/test", signed(ORDER | late)))[0] == 200
    status, body, _ = await call(venue.http, "POST", "/api/v3/order", signed(ORDER), key="unknown")
    assert (status, body["code"]) == (401, -2015)
    status, body, _ = await call(venue.http, "GET", "/api/v3/account", signed({}), key=None)
    assert (status, body["code"]) == (401, -2014)
    assert not venue.simulation.exchange.orders


async def test_an_account_sees_its_own_orders_only(venue: Running) -> None:
    await call_admin(
        venue.http, "POST", "/admin/accounts", {"account": "other", "key": "k2", "secret": "s2", "balances": {}}
    )
    _, placed, _ = await call(venue.http, "POST", "/api/v3/order", signed(ORDER))
    query = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    status, body, _ = await call(venue.http, "GET", "/api/v3/order", signed(query, "s2"), key="k2")
    assert (status, body["code"]) == (400, -2013)
    _, orders, _ = await call(venue.http, "GET", "/api/v3/openOrders", signed({}, "s2"), key="k2")
    assert orders == []


async def test_a_public_question_that_makes_no_sense(venue: Running) -> None:
    for path, query, code in (
        ("/api/v3/klines", "symbol=BTCUSDT&interval=7m", -1120),
        ("/api/v3/klines", "symbol=NOPE&interval=1m", -1121),
        ("/api/v3/depth", "limit=5", -1102),
        ("/api/v3/depth", "symbol=BTCUSDT&limit=many", -1100),
        ("/api/v3/ticker/24hr", "symbols=nojson", -1100),
        ("/api/v3/order", "symbol=BTCUSDT", -2014),
    ):
        _, body, _ = await call(venue.http, "GET", path, query, key=None)
        assert body["code"] == code, path
    _, body, _ = await call(venue.http, "GET", "/api/v3/order", signed({"symbol": "BTCUSDT"}))
    assert body["code"] == -1128


async def test_answers_carry_the_weight_and_too_much_is_429() -> None:
    settings = SimulatorSettings(port=0, paused=True, history=5, weight_per_minute=25, orders_per_10s=2)
    async with serving(settings) as venue:
        statuses = []
        used = []
        for _ in range(6):
            status, body, headers = await call(venue.http, "GET", "/api/v3/depth", "symbol=BTCUSDT")
            statuses.append(status)
            used.append(int(headers["X-MBX-USED-WEIGHT-1M"]))
        # A minute may end in between; then its count begins anew.
        if statuses[-1] == 429:
            assert used == [5, 10, 15, 20, 25, 30]
            assert body["code"] == -1003
            assert 1 <= int(headers["Retry-After"]) <= 60
        else:
            assert min(used[1:]) <= 25


async def test_too_many_orders_are_refused() -> None:
    async with serving(SimulatorSettings(port=0, paused=True, history=5, orders_per_10s=2)) as venue:
        answers = [await call(venue.http, "POST", "/api/v3/order", signed(ORDER)) for _ in range(5)]
        refused = [body for status, body, _ in answers if status == 429]
        # Five orders within at most two windows of two.
        assert refused
        assert {body["code"] for body in refused} == {-1015}
        assert len(venue.simulation.exchange.orders) == 5 - len(refused)


async def arm(venue: Running, kind: str, **more: Any) -> None:
    fault = {"kind": kind, "path": "/api/v3/order", "method": "POST", **more}
    assert (await call_admin(venue.http, "POST", "/admin/faults", fault))[-1]["kind"] == kind


async def test_a_lost_answer_leaves_the_order_where_it_was_lost_after(venue: Running) -> None:
    for kind, orders in (("lost_before", 0), ("lost_after", 1)):
        await arm(venue, kind)
        with pytest.raises(aiohttp.ClientError):
            await call(venue.http, "POST", "/api/v3/order", signed(ORDER | {"newClientOrderId": "lost"}))
        assert len(venue.simulation.exchange.orders) == orders
    _, body, _ = await call(
        venue.http, "GET", "/api/v3/order", signed({"symbol": "BTCUSDT", "origClientOrderId": "lost"})
    )
    assert body["status"] == "NEW"
    assert await call_admin(venue.http, "GET", "/admin/faults") == []


async def test_errors_come_before_or_after_and_then_are_over(venue: Running) -> None:
    for kind, status, orders in (("error_before", 503, 0), ("error_after", 503, 1), ("throttle", 429, 1)):
        await arm(venue, kind)
        found, body, headers = await call(venue.http, "POST", "/api/v3/order", signed(ORDER))
        assert (found, body["code"]) == (status, -1003 if status == 429 else -1007)
        assert ("Retry-After" in headers) == (status == 429)
        assert len(venue.simulation.exchange.orders) == orders
    await arm(venue, "delay", delay_ms=50)
    assert (await call(venue.http, "POST", "/api/v3/order", signed(ORDER)))[0] == 200
    await arm(venue, "throttle", times=9)
    await call_admin(venue.http, "DELETE", "/admin/faults")
    assert (await call(venue.http, "POST", "/api/v3/order", signed(ORDER)))[0] == 200


async def test_orders_are_stamped_on_arrival(venue: Running) -> None:
    before = now_ms() * 1_000_000
    await call(venue.http, "POST", "/api/v3/order", signed(ORDER | {"newClientOrderId": "stamped"}))
    await call(venue.http, "POST", "/api/v3/order", signed(ORDER | {"symbol": "NO", "newClientOrderId": "refused"}))
    accepted, refused = (await call_admin(venue.http, "GET", "/admin/timings?clear=1"))["orders"]
    assert (accepted["client_order_id"], refused["client_order_id"]) == ("stamped", "refused")
    assert accepted["order_id"] is not None
    assert refused["order_id"] is None
    assert before <= accepted["received_wall_ns"] <= accepted["answered_wall_ns"] <= refused["received_wall_ns"]
    assert (await call_admin(venue.http, "GET", "/admin/timings"))["orders"] == []


async def test_the_admin_api_refuses_what_it_does_not_know(venue: Running) -> None:
    async with aiohttp.ClientSession() as session:
        for path, body, status in (
            ("/admin/speed", {"speed": 0}, 400),
            ("/admin/step", {"candle": 1}, 400),
            ("/admin/faults", {"kind": "explode", "path": "/"}, 400),
            ("/admin/sockets/gap", {"symbol": "NOPE"}, 404),
            ("/admin/accounts", {"account": "paper-1", "key": "k", "secret": "s"}, 409),
        ):
            async with session.post(venue.http + path, data=json.dumps(body)) as response:
                assert response.status == status, path


async def test_the_venues_own_books(venue: Running) -> None:
    await call(venue.http, "POST", "/api/v3/order", signed(ORDER))
    await call(
        venue.http,
        "POST",
        "/api/v3/order",
        signed({"symbol": "LTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "2"}),
    )
    orders = await call_admin(venue.http, "GET", "/admin/orders?account=paper-1")
    assert [(order["symbol"], order["status"]) for order in orders] == [("BTCUSDT", "NEW"), ("LTCUSDT", "FILLED")]
    fills = await call_admin(venue.http, "GET", "/admin/fills")
    balances = (await call_admin(venue.http, "GET", "/admin/balances"))["paper-1"]
    assert balances["USDT"]["locked"] == "150"
    assert float(balances["LTC"]["total"]) == pytest.approx(2 - sum(float(fill["commission"]) for fill in fills))
    books = await call_admin(venue.http, "GET", "/admin/books")
    assert ["15000", "0.01"] in books["BTCUSDT"]["bids"]
