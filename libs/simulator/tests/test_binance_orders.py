"""Orders that wait, pairs and changed orders on Binance's wire, through an unmodified ccxt client."""

import asyncio
from decimal import Decimal
from typing import Any

import aiohttp
import ccxt
import ccxt.pro
import pytest
from algotrendy_common.enums import Side
from algotrendy_simulator.server import Running
from algotrendy_simulator.testing import call_admin

from .binance_events import user_events
from .wire import call, signed

BTC = "BTC/USDT"


def last_price(venue: Running) -> Decimal:
    return venue.simulation.exchange.markets["BTCUSDT"].last_price


def play_until(venue: Running, side: Side, price: Decimal) -> None:
    """Play the recording until a price at or beyond ``price`` was traded; BUY is upwards."""
    replay = venue.simulation.replay
    for _ in range(20_000):
        if (last_price(venue) - price) * side.sign >= 0:
            return
        replay.play_next()
    raise AssertionError(f"the recording never reaches {price}")


async def bought(client: ccxt.pro.binance, amount: float = 1) -> None:
    await client.create_order(BTC, "market", "buy", amount)


@pytest.mark.parametrize(
    ("type_", "offset"),
    [
        ("STOP_LOSS", -5),
        ("TAKE_PROFIT", 3),
        ("STOP_LOSS_LIMIT", -5),
        ("TAKE_PROFIT_LIMIT", 3),
    ],
)
async def test_an_order_waits_for_its_price_and_then_trades(
    venue: Running, client: ccxt.pro.binance, type_: str, offset: int
) -> None:
    await bought(client)
    trigger = last_price(venue) + offset
    limit = float(trigger - 50) if type_.endswith("LIMIT") else None
    async with user_events(venue) as events:
        placed = await client.create_order(BTC, type_, "sell", 0.5, limit, {"stopPrice": float(trigger)})
        raw = (await client.fetch_order(placed["id"], BTC))["info"]
        assert (raw["type"], Decimal(raw["stopPrice"]), raw["isWorking"]) == (type_, trigger, False)
        assert (await client.fetch_open_orders(BTC))[0]["id"] == placed["id"]
        assert (await client.fetch_balance())["BTC"]["used"] == 0.5
        play_until(venue, Side.SELL if offset < 0 else Side.BUY, trigger)
        done = await client.fetch_order(placed["id"], BTC)
        assert (done["status"], done["filled"]) == ("closed", 0.5)
        reports = await events.until("executionReport", lambda heard: heard[-1]["X"] == "FILLED", i=int(placed["id"]))
    told = [(report["x"], report["w"]) for report in reports]
    assert (told[:2], told[-1]) == ([("NEW", False), ("NEW", True)], ("TRADE", False))
    assert {Decimal(report["P"]) for report in reports} == {trigger}


async def test_what_would_trigger_at_once_is_refused_in_binances_words(
    venue: Running, client: ccxt.pro.binance
) -> None:
    await bought(client)
    with pytest.raises(ccxt.BaseError, match="trigger immediately"):
        await client.create_order(BTC, "STOP_LOSS", "sell", 0.5, None, {"stopPrice": float(last_price(venue) + 10)})


async def test_a_trailing_stop_is_in_basis_points(venue: Running, client: ccxt.pro.binance) -> None:
    await bought(client)
    order = await client.create_order(BTC, "STOP_LOSS", "sell", 0.5, None, {"trailingDelta": 20})
    raw = (await client.fetch_order(order["id"], BTC))["info"]
    assert (raw["type"], int(raw["trailingDelta"]), raw["isWorking"]) == ("STOP_LOSS", 20, False)
    (held,) = (each for each in venue.simulation.exchange.orders.values() if str(each.order_id) == order["id"])
    start = held.trigger_price
    venue.simulation.replay.play_minutes(10)
    assert held.trigger_price is not None
    assert start is not None
    assert held.trigger_price > start or not held.status.open
    later = {"symbol": "BTCUSDT", "side": "SELL", "type": "TAKE_PROFIT", "quantity": "0.1"}
    # Raw, because ccxt makes a STOP_LOSS of whatever has a trailingDelta.
    begins = {"trailingDelta": 20, "stopPrice": str(last_price(venue) + 1000)}
    placed = await client.private_post_order(later | begins)
    shown = await client.private_get_order({"symbol": "BTCUSDT", "orderId": placed["orderId"]})
    assert (shown["type"], Decimal(shown["stopPrice"])) == ("TAKE_PROFIT", Decimal(begins["stopPrice"]))
    for wrong, message in (
        ({"trailingDelta": 5}, "TRAILING_DELTA"),
        ({"trailingDelta": 20, "stopPrice": 15_000}, "sent when not required"),
        ({}, "must be sent"),
    ):
        with pytest.raises(ccxt.BaseError, match=message):
            await client.private_post_order(
                {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS", "quantity": "0.1"} | wrong
            )


async def pair(venue: Running, client: ccxt.pro.binance, above: int = 20, below: int = -20) -> dict[str, Any]:
    price = last_price(venue)
    return await client.private_post_orderlist_oco(
        {
            "symbol": "BTCUSDT",
            "side": "SELL",
            "quantity": "0.5",
            "listClientOrderId": "the-pair",
            "aboveType": "LIMIT_MAKER",
            "abovePrice": str(price + above),
            "aboveClientOrderId": "take",
            "belowType": "STOP_LOSS",
            "belowStopPrice": str(price + below),
            "belowClientOrderId": "stop",
        }
    )


@pytest.mark.parametrize(("above", "below", "winner"), [(3, -3000, "take"), (3000, -5, "stop")])
async def test_a_pair_is_one_list_and_one_leg_ends_the_other(
    venue: Running, client: ccxt.pro.binance, above: int, below: int, winner: str
) -> None:
    await bought(client)
    async with user_events(venue) as events:
        answer = await pair(venue, client, above, below)
        ids = {leg["clientOrderId"]: leg["orderId"] for leg in answer["orders"]}
        assert (answer["listOrderStatus"], set(ids)) == ("EXECUTING", {"take", "stop"})
        assert {report["orderListId"] for report in answer["orderReports"]} == {answer["orderListId"]}
        assert (await client.fetch_balance())["BTC"]["used"] == 0.5
        price = last_price(venue)
        play_until(venue, Side.BUY if winner == "take" else Side.SELL, price + (above if winner == "take" else below))
        # The take-profit rests: the trade that reaches it may be smaller than it.
        async with asyncio.timeout(10):
            while (await client.private_get_order({"symbol": "BTCUSDT", "orderId": ids[winner]}))["status"] != "FILLED":
                venue.simulation.replay.play_next()
        loser = "stop" if winner == "take" else "take"
        other = await client.private_get_order({"symbol": "BTCUSDT", "orderId": ids[loser]})
        assert (other["status"], Decimal(other["executedQty"])) == ("EXPIRED", 0)
        told = await events.until("listStatus", lambda heard: heard[-1]["L"] == "ALL_DONE")
    assert [each["l"] for each in told] == ["EXEC_STARTED", "ALL_DONE"]
    listed = await client.private_get_orderlist({"origClientOrderId": "the-pair"})
    assert (listed["listOrderStatus"], listed["orderListId"]) == ("ALL_DONE", answer["orderListId"])
    trades = await client.private_get_mytrades({"symbol": "BTCUSDT", "orderId": ids[winner]})
    assert {trade["orderListId"] for trade in trades} == {answer["orderListId"]}


async def test_cancelling_a_list_cancels_both_legs(venue: Running, client: ccxt.pro.binance) -> None:
    await bought(client)
    await pair(venue, client, 3000, -3000)
    with pytest.raises(ccxt.BaseError, match="Duplicate order list"):
        await pair(venue, client, 3000, -3000)
    assert len(await client.fetch_open_orders(BTC)) == 2
    answer = await client.private_delete_orderlist({"symbol": "BTCUSDT", "listClientOrderId": "the-pair"})
    assert answer["listOrderStatus"] == "ALL_DONE"
    assert {report["status"] for report in answer["orderReports"]} == {"CANCELED"}
    assert await client.fetch_open_orders(BTC) == []
    await pair(venue, client, 3000, -3000)
    await client.cancel_order(None, BTC, {"clientOrderId": "stop"})
    assert await client.fetch_open_orders(BTC) == []


async def test_less_of_an_order_keeps_its_place_and_has_another_id(venue: Running, client: ccxt.pro.binance) -> None:
    async def amend(**values: str) -> Any:
        query = signed({"symbol": "BTCUSDT"} | values)
        return (await call(venue.http, "PUT", "/api/v3/order/amend/keepPriority", query))[1]

    async with user_events(venue) as events:
        order = await client.create_order(BTC, "limit", "buy", 0.02, 15_000, {"clientOrderId": "first"})
        amended = (await amend(origClientOrderId="first", newQty="0.01"))["amendedOrder"]
        named = amended["clientOrderId"]
        assert (Decimal(amended["origQty"]), named == "first") == (Decimal("0.01"), False)
        reports = await events.until("executionReport", lambda heard: heard[-1]["x"] == "REPLACED", i=int(order["id"]))
    assert (reports[-1]["c"], Decimal(reports[-1]["q"])) == (named, Decimal("0.01"))
    await amend(origClientOrderId=named, newQty="0.005", newClientOrderId=named)
    assert (await client.fetch_order(None, BTC, {"clientOrderId": named}))["amount"] == 0.005
    assert (await amend(origClientOrderId=named, newQty="1"))["code"] == -2038


async def test_an_order_is_replaced_by_another(venue: Running, client: ccxt.pro.binance) -> None:
    order = await client.create_order(BTC, "limit", "buy", 0.02, 15_000)
    edited = await client.edit_order(order["id"], BTC, "limit", "buy", 0.03, 15_100)
    assert (edited["amount"], edited["price"], edited["id"] == order["id"]) == (0.03, 15_100, False)
    assert (await client.fetch_order(order["id"], BTC))["status"] == "canceled"
    with pytest.raises(ccxt.BaseError, match="cancel-replace failed"):
        await client.edit_order(order["id"], BTC, "limit", "buy", 0.03, 15_100)
    assert [each["id"] for each in await client.fetch_open_orders(BTC)] == [edited["id"]]


# -- what the venue, or a person outside, does -------------------------------------------------------------------------


async def test_the_venue_cancels_an_order_and_a_person_places_one(venue: Running, client: ccxt.pro.binance) -> None:
    async with user_events(venue) as events:
        order = await client.create_order(BTC, "limit", "buy", 0.02, 15_000)
        (cancelled,) = await call_admin(venue.http, "POST", "/admin/orders/cancel", {"order_id": int(order["id"])})
        assert cancelled["status"] == "CANCELED"
        by_hand = {"symbol": "BTCUSDT", "side": "buy", "type": "market", "quantity": "0.1"}
        placed = await call_admin(venue.http, "POST", "/admin/orders/place", by_hand)
        heard = await events.until("executionReport", lambda heard: heard[-1]["X"] == "FILLED")
    assert {report["i"] for report in heard} == {int(order["id"]), placed["orderId"]}
    with pytest.raises(Exception, match="404"):
        await call_admin(venue.http, "POST", "/admin/orders/cancel", {"order_id": int(order["id"])})
    with pytest.raises(Exception, match="409"):
        await call_admin(venue.http, "POST", "/admin/liquidate")


async def test_updates_come_twice_or_backwards_or_not_at_all(venue: Running, client: ccxt.pro.binance) -> None:
    async with user_events(venue) as events:
        await call_admin(venue.http, "POST", "/admin/updates/duplicate", {"count": 1})
        first = await client.create_order(BTC, "limit", "buy", 0.02, 15_000)
        heard = await events.until("executionReport", lambda heard: len(heard) == 2)
        assert heard[0] == heard[1]
        await call_admin(venue.http, "POST", "/admin/updates/reorder", {"count": 3})
        second = await client.create_order(BTC, "limit", "buy", 0.02, 15_000)
        await client.cancel_order(second["id"], BTC)
        heard = await events.until("executionReport", lambda heard: len(heard) == 2, i=int(second["id"]))
        assert [report["x"] for report in heard] == ["CANCELED", "NEW"]
        await call_admin(venue.http, "POST", "/admin/sockets/mute", {"muted": True, "kind": "user"})
        await client.cancel_order(first["id"], BTC)
        await call_admin(venue.http, "POST", "/admin/sockets/mute", {"muted": False, "kind": "user"})
        third = await client.create_order(BTC, "limit", "buy", 0.02, 15_000)
        await events.until("executionReport", lambda heard: True, i=int(third["id"]))
        assert len(await events.until("executionReport", lambda heard: True, i=int(first["id"]))) == 2


async def test_the_next_order_is_filled_in_part_at_first(venue: Running, client: ccxt.pro.binance) -> None:
    await call_admin(venue.http, "POST", "/admin/partial_fills", {"fraction": "0.25"})
    order = await client.create_order(BTC, "market", "buy", 1)
    assert (order["status"], order["filled"]) == ("open", 0.25)
    venue.simulation.replay.play_minutes(1)
    assert (await client.fetch_order(order["id"], BTC))["filled"] == 1


async def test_a_frozen_feed_goes_on_with_trades_and_not_with_books(venue: Running, client: ccxt.pro.binance) -> None:
    heard: list[str] = []
    venue.simulation.exchange.listeners.append(lambda event: heard.append(type(event).__name__))
    await call_admin(venue.http, "POST", "/admin/feed/freeze", {"on": True})
    venue.simulation.replay.play_minutes(1)
    assert "TapeTrade" in heard
    assert "BookChanged" not in heard
    await call_admin(venue.http, "POST", "/admin/feed/freeze", {"on": False})
    assert "BookChanged" in heard


async def test_maintenance_and_a_ban_shut_everybody_out_until_they_end(
    venue: Running, client: ccxt.pro.binance
) -> None:
    await call_admin(venue.http, "POST", "/admin/maintenance", {"on": True})
    # A 503 that ccxt takes for a bad request: whoever trusts its classes takes an unknown outcome for a refusal.
    with pytest.raises(ccxt.BadRequest, match="no longer available"):
        await client.create_order(BTC, "market", "buy", 1)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        async with user_events(venue):
            pass
    await call_admin(venue.http, "POST", "/admin/maintenance", {"on": False})
    assert await call_admin(venue.http, "POST", "/admin/ban", {"seconds": 60}) == {"banned_for_s": 60}
    status, body, headers = await call(venue.http, "GET", "/api/v3/time")
    assert (status, body["code"], int(headers["Retry-After"])) == (418, -1003, 60)
    await call_admin(venue.http, "DELETE", "/admin/faults")
    await client.create_order(BTC, "market", "buy", 1)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("reject", 400, -2010), ("clock_skew", 400, -1021), ("maintenance", 503, -1016), ("ban", 418, -1003)],
)
async def test_faults_refuse_in_binances_words_and_change_nothing(
    venue: Running, kind: str, status: int, code: int
) -> None:
    await call_admin(venue.http, "POST", "/admin/faults", {"kind": kind, "path": "/api/v3/order"})
    market = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
    found, body, _ = await call(venue.http, "POST", "/api/v3/order", signed(market))
    assert (found, body["code"]) == (status, code)
    assert await call_admin(venue.http, "GET", "/admin/orders") == []


async def test_everything_of_a_symbol_is_cancelled_with_its_pairs(venue: Running, client: ccxt.pro.binance) -> None:
    await bought(client)
    await pair(venue, client, 3000, -3000)
    await client.create_order(BTC, "limit", "buy", 0.02, 15_000)
    answer = await client.private_delete_openorders({"symbol": "BTCUSDT"})
    assert [len(each.get("orderReports", [])) for each in answer] == [2, 0]
    assert await client.fetch_open_orders(BTC) == []


async def test_a_key_says_what_it_may_do(venue: Running, client: ccxt.pro.binance) -> None:
    assert (await client.sapi_get_account_apirestrictions())["enableWithdrawals"] is False
    venue.simulation.exchange.accounts["paper-1"].may_withdraw = True
    assert (await client.sapi_get_account_apirestrictions())["enableWithdrawals"] is True
