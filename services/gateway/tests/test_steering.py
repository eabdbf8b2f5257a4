"""Commands over risk and whole accounts: halts, releases by two, approvals, limits, portfolio, staking."""

from decimal import Decimal

import pytest
from algotrendy_common.enums import TimeInForce
from algotrendy_common.events.order import OrderProposed
from algotrendy_common.events.risk import ApprovalDecided, TradingState
from algotrendy_common.ids import new_id
from algotrendy_common.testing.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_halt_is_asked_of_risk_and_takes_two_people_to_release(running, world, sql):
    try:
        answer = await running.call("tom", "POST", "/api/halt", json={"scope": "all", "reason": "too hot"})
        halted = answer.json()
        assert (halted["trading_state"], halted["accounts"]) == ("halted", {"paper-1": "halted"})
        assert [(halt["level"], halt["key"], halt["by"]) for halt in halted["halts"]] == [("global", "*", "tom")]
        assert (world.asked[-1].reason, world.asked[-1].account, world.asked[-1].flatten) == ("too hot", None, False)
        body = {"scope": "all", "reason": "cooled"}
        first = (await running.call("tom", "POST", "/api/resume", json=body)).json()
        assert (first["trading_state"], first["released"]) == ("halted", False)
        assert first["halts"][0]["release_asked_by"] == "tom"
        assert (await running.call("tom", "GET", "/api/halts")).json()[0]["release_asked_by"] == "tom"
        second = (await running.call("ada", "POST", "/api/resume", json=body)).json()
        assert (second["trading_state"], second["released"], second["halts"]) == ("active", True, [])
        rows = await sql.fetch(
            "SELECT actor, action, outcome FROM audit WHERE action IN ('halt', 'resume') ORDER BY seq DESC LIMIT 5"
        )
        assert [tuple(row) for row in rows] == [
            ("ada", "resume", "done"),
            ("ada", "resume", "asked"),
            ("tom", "resume", "done"),
            ("tom", "resume", "asked"),
            ("tom", "halt", "done"),
        ]
    finally:
        world.trading, world.halts = TradingState.ACTIVE, []


async def test_one_strategy_can_be_halted_and_flattened(running, world):
    try:
        body = {"scope": "strategy", "strategy": "sma-cross-btc", "reason": "odd", "flatten": True}
        answer = (await running.call("tom", "POST", "/api/halt", json=body)).json()
        assert [(halt["level"], halt["key"], halt["flatten"]) for halt in answer["halts"]] == [
            ("strategy", "sma-cross-btc", True)
        ]
    finally:
        world.trading, world.halts = TradingState.ACTIVE, []


async def test_an_approval_is_decided_once_seen_and_not_by_its_proposer(running, world, heard, sql):
    listening = await heard(ApprovalDecided)
    waiting = world.request(user="ada")
    world.pending = [waiting]
    order_id = waiting.terms.order_id
    body = {"approved": True, "reason": "looks right", "reference_price": "30005"}
    try:
        [shown] = (await running.call("vic", "GET", "/api/approvals")).json()
        assert (shown["order_id"], shown["code"], shown["notional"]) == (order_id, "approval_single", "2900")
        own = await running.call("ada", "POST", f"/api/approvals/{order_id}", json=body)
        assert (own.status_code, own.json()["error"]["code"]) == (409, "own_order")
        assert (await running.call("vic", "POST", f"/api/approvals/{order_id}", json=body)).status_code == 403
        answer = await running.call("tom", "POST", f"/api/approvals/{order_id}", json=body)
        assert answer.status_code == 202, answer.text

        async def published():
            return [event for event in listening.of(ApprovalDecided) if event.order_id == order_id]

        [event] = await eventually(published)
        assert (event.decided_by, event.approved, event.terms) == ("tom", True, waiting.terms)
        assert event.reference_price == Decimal("30005")
        assert await sql.fetchval("SELECT action FROM audit WHERE target = $1", order_id) == "approve_order"
        unknown = await running.call("tom", "POST", f"/api/approvals/{new_id()}", json=body)
        assert unknown.status_code == 404
    finally:
        world.pending = []


async def test_limits_are_read_by_all_and_changed_by_an_admin_who_knows_the_newest(running, world):
    [newest] = (await running.call("vic", "GET", "/api/limits?account=paper-1")).json()
    body = {"account": "paper-1", "version": newest["version"], "document": {"max_orders": 30}, "reason": "calmer"}
    assert (await running.call("tom", "PUT", "/api/limits", json=body)).status_code == 403
    changed = await running.call("ada", "PUT", "/api/limits", json=body)
    assert (changed.json()["version"], changed.json()["document"]) == (newest["version"] + 1, {"max_orders": 30})
    again = await running.call("ada", "PUT", "/api/limits", json=body)
    assert (again.status_code, again.json()["error"]["code"]) == (422, "limits_changed")


async def test_the_portfolio_says_none_for_what_nothing_defines(running, world):
    answer = (await running.call("vic", "GET", "/api/portfolio?strategy=sma-cross-btc")).json()
    assert (world.asked[-1].account, world.asked[-1].strategy) == (None, "sma-cross-btc")
    assert answer["statistics"]["profit_factor"] is None
    assert (answer["positions"][0]["unrealised_pnl"], answer["statistics"]["trades"]) == ("1000", 3)


async def test_whole_accounts_are_commanded_by_name(running, world):
    body = {"account": "paper-1", "reason": "stop it"}
    answer = await running.call("tom", "POST", "/api/orders/cancel-all", json=body)
    assert answer.json() == {"account": "paper-1", "orders": 3}
    assert world.asked[-1].by == "tom"
    assert (await running.call("vic", "POST", "/api/orders/cancel-all", json=body)).status_code == 403
    enabled = await running.call("tom", "POST", "/api/strategies/sma-cross-btc/enable", json={"reason": "fixed"})
    assert (enabled.status_code, world.asked[-1].strategy) == (202, "sma-cross-btc")


async def test_keys_are_told_of_to_admins_by_their_last_characters_and_staking_is_asked_for(running, world):
    assert (await running.call("tom", "GET", "/api/credentials")).status_code == 403
    [row] = (await running.call("ada", "GET", "/api/credentials")).json()
    assert row["key_hint"] == "wxyz"
    [product] = (await running.call("vic", "GET", "/api/earn?account=paper-1")).json()
    assert product["product_id"] == "ESRFUO3"
    change = {"account": "paper-1", "product_id": "ESRFUO3", "amount": "0.5", "allocate": True}
    assert (await running.call("tom", "POST", "/api/earn", json=change)).status_code == 200
    assert (world.asked[-1].amount, world.asked[-1].by) == (Decimal("0.5"), "tom")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"type": "stop", "limit_price": None, "trigger_price": "28000"}, ("stop", None)),
        ({"type": "oco", "limit_price": "32000", "trigger_price": "28000", "side": "sell"}, ("oco", None)),
        ({"time_in_force": "gtd", "good_until": "2030-01-01T00:00:00Z"}, ("limit", None)),
        ({"protection": {"stop_price": "28000", "take_profit_price": "31000"}}, ("limit", "28000")),
    ],
)
async def test_every_kind_of_ticket_reaches_risk_as_it_was_written(running, world, heard, changes, expected):
    listening = await heard(OrderProposed)
    ticket = world.ticket(**changes)
    answer = await running.call("tom", "POST", "/api/orders", json=ticket)
    assert answer.status_code == 202, answer.text

    async def published():
        return [event for event in listening.of(OrderProposed) if event.terms.order_id == ticket["order_id"]]

    [event] = await eventually(published)
    stop = None if event.terms.protection is None else str(event.terms.protection.stop_price)
    assert (event.terms.type.value, stop) == expected
    if event.terms.time_in_force is TimeInForce.GTD:
        assert event.terms.good_until is not None
