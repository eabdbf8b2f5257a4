"""REST as the page uses it: what is asked of whom, what comes back, and what a mistake is told."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from algotrendy_common.clock import monotonic_s
from algotrendy_common.enums import OrderStatus, Severity
from algotrendy_common.events.backtest import BacktestRequested, BacktestSpec
from algotrendy_common.events.ops import AlertRaised, AuditRecorded, MessageDeadLettered
from algotrendy_common.events.order import OrderCancelRequested, OrderProposed
from algotrendy_common.events.risk import RiskBreached
from algotrendy_common.ids import new_id
from algotrendy_common.rpc import backtest

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def until(find, patience_s: float = 60.0):
    deadline = monotonic_s() + patience_s
    while True:
        found = await find()
        if found:
            return found
        assert monotonic_s() < deadline, "it did not come to pass"
        await asyncio.sleep(0.02)


async def get(running, path: str, user: str = "vic"):
    answer = await running.call(user, "GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json()


# -- reading -----------------------------------------------------------------------------------------------------------


async def test_anybody_may_know_version_and_mode(running):
    async with running.client() as http:
        answer = await http.get("/api/public/status")
    assert answer.json() == {"version": running.app.health.version, "mode": "paper", "replay": True, "ready": True}


async def test_accounts(running):
    [account] = await get(running, "/api/accounts")
    expected = {"account": "paper-1", "venue": "binance", "mode": "paper", "quote_currency": "USDT"}
    assert expected.items() <= account.items()
    assert (account["active"], account["ready"], account["capabilities"]) == (True, True, None)


async def test_the_overview_puts_risk_feeds_and_services_together(running):
    async def whole():
        found = await get(running, "/api/overview?account=paper-1")
        return found if not found["missing"] else None

    found = await until(whole)
    assert found["equity"] == "100500"
    assert found["day_pnl"] == "500"
    assert found["day_pnl_ratio"] == "0.005"
    assert found["trading_state"] == "active"
    assert found["mode"] == "paper"
    assert found["replay"] is True
    assert found["limits"] == [{"name": "daily_loss", "used": "0", "limit": "2000", "unit": "USDT", "ratio": "0"}]
    assert found["equity_curve"][0]["equity"] == "100000"
    assert found["feeds"][0]["state"] == "live"
    assert {service["service"]: service["state"] for service in found["services"]} == dict.fromkeys(
        ("ingest", "broker_gateway", "risk", "agent", "backtest", "gateway"), "ready"
    )


async def test_the_last_price_of_a_quote_is_the_newest_trades(running):
    [quote] = await get(running, "/api/quotes")
    assert (quote["symbol"], quote["last"]) == ("BTC-USDT", "30005")
    assert quote["event_time"].endswith("Z")


async def test_instruments_and_candles(running):
    instrument, _ = await get(running, "/api/instruments")
    assert instrument["price_step"] == "0.01"
    candles = await get(running, "/api/candles?venue=binance&symbol=BTC-USDT&timeframe=1m&limit=2")
    assert [candle["time"] for candle in candles] == ["2026-03-01T00:00:00Z", "2026-03-01T00:01:00Z"]


async def test_what_a_service_refuses_is_told_with_its_code(running):
    answer = await running.call("vic", "GET", "/api/candles?venue=binance&symbol=DOGE-USDT")
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "unknown_instrument"


async def test_a_position_is_marked_at_the_middle_of_the_newest_quote(running):
    [position] = await get(running, "/api/positions?account=paper-1")
    [quote] = await get(running, "/api/quotes")
    middle = (Decimal(quote["bid"]) + Decimal(quote["ask"])) / 2
    assert Decimal(position["mark_price"]) == middle
    assert Decimal(position["unrealised_pnl"]) == middle - Decimal("29000")
    assert (position["guard"]["state"], position["guard"]["stop_price"]) == ("protected", "27000")


async def test_balances_strategies_and_signals(running):
    [balance] = await get(running, "/api/balances?account=paper-1")
    assert balance == {
        "account": "paper-1", "asset": "USDT", "total": "100000", "available": "90000", "reserved": "10000",
    }  # fmt: skip
    [strategy] = await get(running, "/api/strategies")
    assert (strategy["strategy"], strategy["kind"], strategy["status"]) == ("sma-cross-btc", "sma_cross", "running")
    [signal] = await get(running, "/api/signals")
    assert (signal["target"], signal["reason"]) == ("1", "fast above slow")


async def test_an_account_that_is_not_is_not_found(running):
    for path in ("overview", "orders", "positions", "balances", "fills"):
        answer = await running.call("vic", "GET", f"/api/{path}?account=live-9")
        assert answer.status_code == 404, path


# -- orders ------------------------------------------------------------------------------------------------------------


async def test_an_order_is_proposed_once_however_often_it_is_sent(running, world, heard, sql):
    listening = await heard(OrderProposed, AuditRecorded)
    ticket = world.ticket()
    answers = await asyncio.gather(*(running.call("tom", "POST", "/api/orders", json=ticket) for _ in range(8)))
    assert [answer.status_code for answer in answers] == [202] * 8
    taken = {"order_id": ticket["order_id"], "status": "proposed", "account": "paper-1", "venue": "binance"}
    assert answers[0].json() == taken

    async def published():
        return [e for e in listening.of(OrderProposed) if e.terms.order_id == ticket["order_id"]]

    [event] = await until(published)
    assert event.origin.user == "tom"
    assert event.origin.source == "trader"
    assert event.origin.reference_price is not None
    assert event.terms.venue == "binance"
    assert event.producer == "gateway"
    assert await sql.fetchval("SELECT count(*) FROM audit WHERE target = $1", ticket["order_id"]) == 1
    assert [e.action for e in listening.of(AuditRecorded) if e.target == ticket["order_id"]] == ["propose_order"]
    listed = await get(running, "/api/orders?account=paper-1")
    assert [o["status"] for o in listed if o["order_id"] == ticket["order_id"]] == ["proposed"]


async def test_while_another_account_stands_in_an_order_can_be_told_to_go_there(running, world, heard):
    listening = await heard(OrderProposed)
    world.other = world.stand_in = "paper-2"
    try:
        there = world.ticket() | {"or_stand_in": True}
        here = world.ticket()
        taken = (await running.call("tom", "POST", "/api/orders", json=there)).json()
        assert (taken["account"], taken["venue"]) == ("paper-2", "bybit")
        assert (await running.call("tom", "POST", "/api/orders", json=here)).json()["account"] == "paper-1"
        world.stand_in = None  # back home: a repeat is the same order, and a new one stays
        again = (await running.call("tom", "POST", "/api/orders", json=there)).json()
        assert again == taken
        home = (await running.call("tom", "POST", "/api/orders", json=world.ticket() | {"or_stand_in": True})).json()
        assert (home["account"], home["venue"]) == ("paper-1", "binance")
    finally:
        world.other = world.stand_in = None

    async def published():
        told = {event.terms.order_id: event.terms for event in listening.of(OrderProposed)}
        return told if {there["order_id"], here["order_id"], home["order_id"]} <= set(told) else None

    told = await until(published)
    assert (told[there["order_id"]].account, told[there["order_id"]].venue) == ("paper-2", "bybit")
    assert (told[here["order_id"]].account, told[here["order_id"]].venue) == ("paper-1", "binance")


async def test_that_an_account_is_stood_in_for_is_shown_as_soon_as_it_is_told(running, world):
    world.stand_in = "paper-2"
    try:
        alert = world.make(
            "broker_gateway", AlertRaised, service="broker_gateway", severity="warning", code="venue_down",
            message="binance does not answer", context={"account": "paper-1"},
        )  # fmt: skip
        await world.tell(alert)

        async def shown():
            accounts = await get(running, "/api/accounts")
            return {one["account"]: one["stand_in"] for one in accounts} == {"paper-1": "paper-2", "paper-2": None}

        await until(shown)
    finally:
        world.stand_in = None
        await world.tell(alert.model_copy(update={"event_id": new_id(), "code": "venue_back"}))


async def test_an_order_id_cannot_be_used_for_another_order_or_by_another_user(running, world):
    ticket = world.ticket()
    assert (await running.call("tom", "POST", "/api/orders", json=ticket)).status_code == 202
    other = await running.call("tom", "POST", "/api/orders", json=ticket | {"quantity": "0.2"})
    assert (other.status_code, other.json()["error"]["code"]) == (409, "order_id_taken")
    assert (await running.call("ada", "POST", "/api/orders", json=ticket)).status_code == 409


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"order_id": "short"}, "order_id"),
        ({"quantity": "0"}, "quantity"),
        ({"quantity": "-1"}, "quantity"),
        ({"quantity": "NaN"}, "quantity"),
        ({"quantity": "Infinity"}, "quantity"),
        ({"quantity": "1e999999"}, "quantity"),
        ({"quantity": 0.1}, "quantity"),
        ({"quantity": "0.000001"}, "quantity"),
        ({"quantity": "0.00001"}, "quantity"),
        ({"limit_price": None}, "limit_price"),
        ({"limit_price": "29000.001"}, "limit_price"),
        ({"type": "market"}, "limit_price"),
        ({"type": "market", "limit_price": None, "time_in_force": "post_only"}, "time_in_force"),
        ({"type": "guess"}, "type"),
        ({"type": "stop"}, "limit_price"),
        ({"type": "stop", "limit_price": None}, "trigger_price"),
        ({"type": "stop_limit", "trigger_price": "29000.001"}, "trigger_price"),
        ({"trigger_price": "29000"}, "trigger_price"),
        ({"type": "trailing_stop", "limit_price": None}, "trailing_ratio"),
        ({"type": "trailing_stop", "limit_price": None, "trailing_ratio": "1"}, "trailing_ratio"),
        ({"trailing_ratio": "0.01"}, "trailing_ratio"),
        ({"type": "oco"}, "trigger_price"),
        ({"time_in_force": "gtd"}, "good_until"),
        ({"good_until": "2030-01-01T00:00:00Z"}, "good_until"),
        ({"type": "stop", "limit_price": None, "trigger_price": "1", "time_in_force": "post_only"}, "time_in_force"),
        ({"protection": {}}, "protection"),
        ({"protection": {"stop_price": "29500"}}, "stop_price"),
        ({"protection": {"take_profit_price": "28000"}}, "take_profit_price"),
        ({"protection": {"stop_price": "28000"}, "reduce_only": True}, "protection"),
        ({"leverage": "0.5"}, "leverage"),
        ({"side": "hold"}, "side"),
        ({"symbol": "DOGE-USDT"}, "symbol"),
        ({"symbol": "BTC.USDT"}, "symbol"),
        ({"venue": "kraken"}, "venue"),
    ],
)
async def test_a_field_that_cannot_be_is_named(running, world, sql, changes, field):
    ticket = world.ticket(**changes)
    answer = await running.call("tom", "POST", "/api/orders", json=ticket)
    assert answer.status_code == 422, answer.text
    assert field in answer.json()["error"]["fields"]
    assert not await sql.fetchval("SELECT true FROM proposals WHERE order_id = $1", ticket["order_id"])


async def test_a_refused_order_is_listed_with_its_reason(running, world):
    ticket = world.ticket()
    await running.call("tom", "POST", "/api/orders", json=ticket)
    terms = world.terms(order_id=ticket["order_id"])
    refusal = world.refusal(terms)
    world.refusals.append(refusal)
    try:
        listed = await get(running, "/api/orders?account=paper-1")
        [order] = [order for order in listed if order["order_id"] == terms.order_id]
        assert order["status"] == "refused"
        assert order["reason"] == {
            "code": "max_notional", "message": "too large", "limit": "10000", "observed": "30000",
        }  # fmt: skip
        opened = await get(running, "/api/orders?account=paper-1&status=open")
        assert terms.order_id not in [order["order_id"] for order in opened]
        detail = await get(running, f"/api/orders/{terms.order_id}")
        assert [step["status"] for step in detail["timeline"]] == ["proposed", "refused"]
    finally:
        world.refusals.clear()


async def test_an_order_has_its_timeline_and_its_fills(running, world):
    order = world.order(OrderStatus.PARTIALLY_FILLED, filled_quantity=Decimal("0.05"))
    world.orders[order.terms.order_id] = order
    world.fills.append(world.fill(order))
    try:
        detail = await get(running, f"/api/orders/{order.terms.order_id}")
        assert detail["status"] == "partially_filled"
        assert [step["milliseconds"] for step in detail["timeline"]] == [None, 2, 12]
        assert detail["fills"][0]["liquidity"] == "taker"
        assert (await get(running, "/api/fills?account=paper-1"))[0]["order_id"] == order.terms.order_id
        opened = await get(running, "/api/orders?account=paper-1&status=open&limit=500")
        assert order.terms.order_id in [found["order_id"] for found in opened]
    finally:
        world.orders.clear()
        world.fills.clear()


async def test_a_working_order_can_be_cancelled_and_an_ended_one_cannot(running, world, heard):
    listening = await heard(OrderCancelRequested)
    working, done = world.order(), world.order(OrderStatus.FILLED)
    world.orders |= {working.terms.order_id: working, done.terms.order_id: done}
    try:
        answer = await running.call("tom", "DELETE", f"/api/orders/{working.terms.order_id}")
        assert answer.status_code == 202
        assert answer.json() == {"order_id": working.terms.order_id, "status": "cancel_requested"}

        async def published():
            return [e for e in listening.of(OrderCancelRequested) if e.order_id == working.terms.order_id]

        assert (await until(published))[0].requested_by == "tom"
        answer = await running.call("tom", "DELETE", f"/api/orders/{done.terms.order_id}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "order_ended")
        assert (await running.call("tom", "DELETE", f"/api/orders/{new_id()}")).status_code == 404
        assert (await running.call("tom", "GET", f"/api/orders/{new_id()}")).status_code == 404
    finally:
        world.orders.clear()


# -- commands ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"scope": "all", "reason": "  "},
        {"scope": "all", "account": "paper-1", "reason": "r"},
        {"scope": "account", "reason": "r"},
        {"scope": "everything", "reason": "r"},
        {"scope": "strategy", "reason": "r"},
        {"scope": "account", "account": "paper-1", "strategy": "sma-cross-btc", "reason": "r"},
    ],
)
async def test_a_halt_must_say_what_and_why(running, body):
    assert (await running.call("tom", "POST", "/api/halt", json=body)).status_code == 422


async def test_strategies_are_commanded_by_name(running, world, sql):
    for verb in ("start", "pause", "stop"):
        answer = await running.call("tom", "POST", f"/api/strategies/sma-cross-btc/{verb}")
        assert answer.json()["strategy"] == "sma-cross-btc"
    answer = await running.call("tom", "POST", "/api/strategies/unheard-of/start")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "strategy_unknown")
    row = await sql.fetchrow("SELECT actor, outcome FROM audit WHERE target = 'unheard-of' ORDER BY seq DESC LIMIT 1")
    assert row["actor"] == "tom"
    assert row["outcome"].startswith("failed")


BACKTEST = {
    "strategy": "sma_cross", "parameters": {"fast": 5}, "venue": "binance", "symbol": "BTC-USDT",
    "timeframe": "1m", "initial_cash": "100000",
}  # fmt: skip


async def test_a_backtest_is_queued_then_answered_for_by_its_worker(running, world, heard):
    listening = await heard(BacktestRequested)
    answer = await running.call("tom", "POST", "/api/backtests", json=BACKTEST)
    run_id = answer.json()["run_id"]
    assert (await get(running, f"/api/backtests/{run_id}"))["status"] == "queued"
    assert (await get(running, "/api/backtests"))[0]["run_id"] == run_id

    async def published():
        return [event for event in listening.of(BacktestRequested) if event.run_id == run_id]

    [event] = await until(published)
    assert event.spec.parameters == {"fast": 5}
    now = datetime.now(UTC)
    summary = backtest.RunSummary(
        run_id=run_id, status="finished", spec=event.spec, requested_by="tom", requested_at=now, finished_at=now,
        error=None, statistics={"sharpe": 1.5, "odd": float("nan")}, result_hash="abc",
    )  # fmt: skip
    world.runs[run_id] = backtest.Run(summary=summary, trades=(), equity=(), manifest={})
    try:
        found = await get(running, f"/api/backtests/{run_id}")
        assert (found["status"], found["statistics"]) == ("finished", {"sharpe": 1.5, "odd": None})
    finally:
        world.runs.clear()


async def test_a_search_is_asked_for_watched_and_paused(running, world, heard):
    listening = await heard(BacktestRequested)
    body = BACKTEST | {
        "kind": "sweep", "fees": "binance:vip1", "search": {"space": {"fast": "2:8:2"}, "trials": 4},
    }  # fmt: skip
    run_id = (await running.call("tom", "POST", "/api/backtests", json=body)).json()["run_id"]

    async def published():
        return [event for event in listening.of(BacktestRequested) if event.run_id == run_id]

    [event] = await until(published)
    assert (event.spec.kind, event.spec.fees, event.spec.search.trials) == ("sweep", "binance:vip1", 4)
    queued = await get(running, f"/api/backtests/{run_id}")
    assert (queued["kind"], queued["fees"]) == ("sweep", "binance:vip1")

    trials = await get(running, f"/api/backtests/{run_id}/trials?limit=1&offset=2&best_first=false")
    assert (trials["tried"], trials["trials"][0]["objective"]) == (7, "1.25")
    assert world.asked[-1] == backtest.TrialsAsked(run_id=run_id, limit=1, offset=2, best_first=False)

    assert (await running.call("tom", "POST", f"/api/backtests/{run_id}/pause")).status_code == 404
    now = datetime.now(UTC)
    summary = backtest.RunSummary(
        run_id=run_id, status="running", spec=event.spec, requested_by="tom", requested_at=now, finished_at=None,
        error=None, statistics={}, result_hash=None,
    )  # fmt: skip
    world.runs[run_id] = backtest.Run(summary=summary, trades=(), equity=(), manifest={})
    try:
        for verb, status in (("pause", "paused"), ("resume", "queued")):
            answer = await running.call("tom", "POST", f"/api/backtests/{run_id}/{verb}")
            assert answer.json()["status"] == status
            assert world.asked[-1] == backtest.PauseAsked(run_id=run_id, paused=verb == "pause")
    finally:
        world.runs.clear()


async def test_what_a_backtest_wrote_can_be_fetched_whole(running, world):
    world.files = {"report.html": b"<script>alert(1)</script>" * 3}
    try:
        [listed] = await get(running, f"/api/backtests/{new_id()}/artefacts")
        assert (listed["name"], listed["size"]) == ("report.html", 75)
        answer = await running.call("vic", "GET", f"/api/backtests/{new_id()}/artefacts/report.html")
        assert answer.content == world.files["report.html"]
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"
        missing = await running.call("vic", "GET", f"/api/backtests/{new_id()}/artefacts/other.html")
        assert missing.status_code == 404
        odd = await running.call("vic", "GET", f"/api/backtests/{new_id()}/artefacts/..%2Fsecret")
        assert odd.status_code in (404, 422)
    finally:
        world.files = {}


async def test_a_backtest_that_ends_before_it_starts_is_refused(running):
    body = BACKTEST | {"start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}
    assert (await running.call("tom", "POST", "/api/backtests", json=body)).status_code == 422
    assert (await running.call("vic", "GET", f"/api/backtests/{new_id()}")).status_code == 404
    assert BacktestSpec.model_fields.keys() >= BACKTEST.keys() - {"strategy"}


# -- alerts and audit --------------------------------------------------------------------------------------------------


async def test_alerts_are_kept_whoever_raised_them(running, world):
    raised = world.make(
        "ingest", AlertRaised, service="ingest", severity=Severity.WARNING, code="gap", message="a gap", context={}
    )
    breach = world.make(
        "risk", RiskBreached, account="paper-1", code="daily_loss", message="lost", limit="1", observed="2"
    )
    letter = world.make(
        "agent", MessageDeadLettered, service="agent", consumer="c", subject="order.refused", message_id=None,
        body="{}", error_type="ValueError", error="unreadable", deliveries=1,
    )  # fmt: skip
    told_too = world.make(
        "agent", AlertRaised, service="agent", severity=Severity.CRITICAL, code="dead_letter", message="m", context={}
    )
    for event in (raised, breach, told_too, letter):
        await world.tell(event)

    async def kept():
        alerts = {alert["alert_id"]: alert for alert in await get(running, "/api/alerts")}
        return alerts if {raised.event_id, breach.event_id, letter.event_id} <= alerts.keys() else None

    alerts = await until(kept)
    assert told_too.event_id not in alerts
    assert alerts[breach.event_id]["severity"] == "critical"
    assert "unreadable" in alerts[letter.event_id]["message"]


async def test_the_audit_trail_is_read_page_by_page(running):
    first = await get(running, "/api/audit?limit=2", user="ada")
    second = await get(running, f"/api/audit?limit=2&before={first[-1]['seq']}", user="ada")
    assert [line["seq"] for line in first + second] == list(range(first[0]["seq"], first[0]["seq"] - 4, -1))
