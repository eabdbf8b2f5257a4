"""The whole platform running: what it really subscribes and publishes, and what becomes of it when parts are killed.

The tests run in order on one stack; the last ones kill things.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import nats
import pytest
from algotrendy_common.bus import inbox_prefix
from algotrendy_common.permissions import deliver_subject
from algotrendy_common.rpc.catalogue import CALLS
from algotrendy_common.subjects import CATALOGUE, SERVICES, Delivery

from tests.e2e.books import differences
from tests.e2e.hops import Watcher, until
from tests.e2e.stack import COMMAND, ROOT, Page, Stack, algotrendy, running_stack

pytestmark = [pytest.mark.timeout(400), pytest.mark.slow]
ACCOUNT = "paper-1"


def wait(probe: Callable[[], Any], within_s: float, what: str) -> Any:
    deadline = time.monotonic() + within_s
    while True:
        try:
            found = probe()
        except httpx.HTTPError as error:
            found, what = None, f"{what} ({error})"
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {within_s} s")
        time.sleep(0.25)


def all_healthy(stack: Stack) -> bool:
    return all(row["condition"] in ("healthy", "done") for row in stack.status().values())


def buy_bitcoin(quantity: str) -> dict[str, str]:
    """A ticket of its own: sending it again is the same order. Bitcoin's recording has no minute without trades."""
    return {
        "order_id": os.urandom(16).hex(),
        "account": ACCOUNT,
        "symbol": "BTC-USDT",
        "side": "buy",
        "type": "market",
        "quantity": quantity,
    }


async def test_a_tick_becomes_a_fill_on_one_trace(stack):
    watcher = Watcher()
    await watcher.start(stack.nats_url, stack.seed_file("observer"))
    try:
        await until(watcher.complete, 120, "a filled order")
    finally:
        await watcher.stop()
    assert watcher.unreadable == []
    order_id = next(iter(watcher.complete()))
    trace_ids = watcher.journeys[order_id].trace_ids
    assert len(trace_ids) == 1
    wait(lambda: services_on_trace(stack, next(iter(trace_ids))) >= {"ingest", "agent", "risk", "broker_gateway"},
         60, "the trace's spans")  # fmt: skip
    for pattern, producers in watcher.seen.items():
        row = next(row for row in CATALOGUE if row.pattern == pattern)
        assert producers <= set(row.owners)


def test_what_the_stack_has_stored_is_ground_for_a_backtest(stack, home):
    """The same candles give the same result from the stack's history and from the file that the run kept of them."""
    asked = ("backtest", "run", "--set", "fast=2", "--set", "slow=5", "--json")

    def stored() -> Any:
        ended = stack.algotrendy(*asked, "--venue", "binance", "--symbol", "BTC-USDT", "--timeframe", "1m", check=False)
        found = json.loads(ended.stdout) if ended.returncode == 0 else {"equity": []}
        return len(found["equity"]) >= 10 and found

    found = wait(stored, 180, "ten candles in the history")
    assert (found["spec"]["venue"], found["spec"]["symbol"]) == ("binance", "BTC-USDT")
    assert found["manifest"]["instrument"]["price_step"] == "0.01"
    [candles] = (home / "research").glob(f"{found['run_id']}*/candles.csv")
    again = stack.algotrendy(*asked, "--data", str(candles), "--timeframe", "1m", "--repair", "keep_holes")
    assert json.loads(again.stdout)["manifest"]["data"]["hash"] == found["manifest"]["data"]["hash"]


def services_on_trace(stack: Stack, trace_id: str) -> set[str]:
    """Which services wrote spans of a trace."""
    found = set()
    for file in (stack.home / "traces").glob("*.jsonl"):
        if any(trace_id in line for line in file.read_text().splitlines()):
            found.add(file.stem)
    return found


def test_what_services_really_subscribe_is_the_catalogue(stack):
    monitor = f"http://127.0.0.1:{stack.ports['nats_monitor']}"
    rows = httpx.get(f"{monitor}/connz", params={"subs": "true", "limit": 1000}).json()["connections"]
    names = {
        row["name"].removeprefix("algotrendy-"): row for row in rows if row.get("name", "").startswith("algotrendy-")
    }
    assert set(names) >= set(SERVICES)
    for service in SERVICES:
        own_inbox = inbox_prefix(service)
        subscribed = {name for name in names[service]["subscriptions_list"] if not name.startswith(own_inbox)}
        expected = {deliver_subject(row, service) for row in CATALOGUE if row.readers.get(service) is Delivery.DURABLE}
        expected |= {call.subject for call in CALLS if call.service == service}
        hot = [row.wildcard for row in CATALOGUE if row.readers.get(service) is Delivery.HOT]
        for name in subscribed - expected:
            assert any(within(name, pattern) for pattern in hot), f"{service} subscribes {name}"
        assert expected <= subscribed
        for pattern in hot:
            assert any(within(name, pattern) for name in subscribed), f"{service} does not subscribe {pattern}"


def within(name: str, pattern: str) -> bool:
    parts, wanted = name.split("."), pattern.split(".")
    return len(parts) == len(wanted) and all(b in ("*", a) for a, b in zip(parts, wanted, strict=True))


def test_a_person_trades_and_a_viewer_cannot(stack, api):
    trader, viewer = Page(stack, "tom"), Page(stack, "vic")
    order = buy_bitcoin("0.01")
    with pytest.raises(httpx.HTTPStatusError) as refused:
        viewer.post("orders", order)
    assert refused.value.response.status_code == 403
    for _ in range(3):
        assert trader.post("orders", order)["order_id"] == order["order_id"]
    wait(lambda: api.get(f"orders/{order['order_id']}")["status"] == "filled", 30, "the fill")
    venue = httpx.get(f"{stack.venue}/admin/orders", params={"account": ACCOUNT}).json()
    client_order_id = api.get(f"orders/{order['order_id']}")["client_order_id"]
    assert [row["clientOrderId"] for row in venue].count(client_order_id) == 1


def test_a_halt_stops_and_two_people_release_it(stack, api):
    trader, scope = Page(stack, "tom"), {"scope": "account", "account": ACCOUNT}
    assert trader.post("halt", scope | {"reason": "drill"})["trading_state"] == "halted"
    order = buy_bitcoin("0.01")
    trader.post("orders", order)
    told = wait(lambda: (row := api.get(f"orders/{order['order_id']}"))["status"] == "refused" and row, 20, "a refusal")
    assert "halt" in told["reason"]["code"]
    assert not trader.post("resume", scope | {"reason": "over, I think"})["released"]
    assert not trader.post("resume", scope | {"reason": "over, I am sure"})["released"]
    assert [halt["release_asked_by"] for halt in api.get("halts")] == ["tom"]
    assert api.post("resume", scope | {"reason": "drill over"})["released"]
    wait(lambda: api.get("overview", account=ACCOUNT)["trading_state"] == "active", 20, "trading again")


def test_the_kill_file_halts_everything_and_the_command_line_asks_for_its_release(stack, api):
    said = algotrendy(stack.home, "halt", "--reason", "drill")
    assert "halted" in said.stdout
    wait(lambda: api.get("overview", account=ACCOUNT)["trading_state"] == "halted", 20, "the halt")
    assert (stack.home / "KILL").read_text().strip().endswith(": drill")
    asked = algotrendy(stack.home, "resume", "--reason", "drill over", check=False)
    assert (asked.returncode, "second person" in asked.stdout) == (4, True)
    assert not (stack.home / "KILL").exists()
    wait(lambda: released(api), 20, "the second person's release")
    wait(lambda: api.get("overview", account=ACCOUNT)["trading_state"] == "active", 30, "trading again")


def released(api: Page) -> bool:
    """A second person releases what the first asked for; risk may still see the file for a moment."""
    if not api.get("halts"):
        return True
    with contextlib.suppress(httpx.HTTPStatusError):
        return bool(api.post("resume", {"scope": "all", "reason": "drill over"})["released"])
    return False


def test_an_entry_with_exits_is_guarded_at_the_venue_and_sold_when_asked(stack, api):
    """A bracket: its stop rests at the venue for what was bought; a sale makes room, and no exit is left over."""
    quote = next(row for row in api.get("quotes") if row["symbol"] == "BTC-USDT")
    below, above = (f"{Decimal(quote['ask']) * Decimal(part):.2f}" for part in ("0.8", "1.2"))
    entry = buy_bitcoin("0.01") | {"protection": {"stop_price": below, "take_profit_price": above}}
    api.post("orders", entry)
    wait(lambda: api.get(f"orders/{entry['order_id']}")["status"] == "filled", 30, "the entry's fill")

    def exits() -> list[dict[str, Any]]:
        mine = api.get("orders", account=ACCOUNT, status="open")
        return [row for row in mine if row["parent"] == entry["order_id"] and row["status"] == "open"]

    wait(exits, 30, "an exit")
    resting = httpx.get(f"{stack.venue}/admin/orders", params={"account": ACCOUNT}).json()
    assert any(row["status"] == "NEW" and Decimal(row["stopPrice"]) == Decimal(below) for row in resting)
    sale = buy_bitcoin("0.009") | {"side": "sell", "reduce_only": True}
    api.post("orders", sale)
    wait(lambda: api.get(f"orders/{sale['order_id']}")["status"] == "filled", 60, "the sale")
    wait(lambda: not differences(api, stack.venue, ACCOUNT), 60, "equal books")


def test_a_program_of_ones_own_can_listen(stack):
    """examples/01_subscribe.py, as its first lines say."""
    ended = subprocess.run(
        [sys.executable, "examples/01_subscribe.py", "--count", "10", "--home", str(stack.home)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) >= 10
    assert "md.trade.binance." in ended.stdout


async def test_a_malformed_event_is_put_aside_and_trading_goes_on(stack, api):
    heard: list[dict[str, Any]] = []
    observer = await nats.connect(
        stack.nats_url, nkeys_seed=stack.seed_file("observer"), inbox_prefix=inbox_prefix("observer")
    )

    async def hear(message: nats.aio.msg.Msg) -> None:
        heard.append(json.loads(message.data))

    await observer.subscribe("deadletter.risk", cb=hear)
    agent = await nats.connect(stack.nats_url, nkeys_seed=stack.seed_file("agent"), inbox_prefix=inbox_prefix("agent"))
    await agent.jetstream().publish("order.proposed", b'{"kind":"OrderProposed","quantity":1.5}')
    await until(lambda: heard, 20, "the dead letter")
    await agent.close()
    await observer.close()
    assert heard[0]["subject"] == "order.proposed"
    assert "quantity" in heard[0]["error"]
    assert all_healthy(stack)


@pytest.mark.parametrize(
    "victim",
    ["broker_gateway", "dead_man", "risk", "agent", "ingest", "gateway", "nats", "postgres", "redis", "questdb"],
)
def test_a_killed_program_is_restarted_and_the_books_still_agree(stack, victim):
    before = stack.status()[victim]
    os.kill(before["pid"], signal.SIGKILL)
    wait(lambda: stack.status()[victim]["restarts"] > before["restarts"], 30, f"the restart of {victim}")
    wait(lambda: all_healthy(stack), 90, "everything healthy")
    api = wait(lambda: Page(stack), 30, "a login")
    wait(lambda: api.get("overview", account=ACCOUNT)["trading_state"] == "active", 60, "trading")
    ticket = buy_bitcoin("0.002")

    def placed() -> bool:
        # The same ticket again and again is one order, so asking until it is known is safe. Refused while things are
        # still coming back (no fresh price, books not yet compared) is final, as it should be: then a new ticket.
        nonlocal ticket
        api.post("orders", ticket)
        status = api.get(f"orders/{ticket['order_id']}")["status"]
        if status == "refused":
            ticket = buy_bitcoin("0.002")
        return bool(status == "filled")

    wait(placed, 60, f"a fill after {victim} was killed")
    wait(lambda: not differences(api, stack.venue, ACCOUNT), 60, f"equal books after {victim} was killed")
    api.close()


def test_a_second_run_goes_on_where_the_first_stopped(stack, home):
    api = Page(stack)
    for strategy in api.get("strategies"):
        if strategy["status"] == "running":
            api.post(f"strategies/{strategy['strategy']}/stop")
    wait(lambda: not differences(api, stack.venue, ACCOUNT), 60, "equal books")
    fills = {(fill["symbol"], fill["trade_id"]) for fill in api.get("fills", account=ACCOUNT, limit=1000)}
    positions = {row["symbol"]: Decimal(row["quantity"]) for row in api.get("positions", account=ACCOUNT)}
    api.close()
    algotrendy(home, "down")
    with running_stack(home, "--speed", "90") as again:
        page = Page(again)
        wait(lambda: page.get("overview", account=ACCOUNT)["trading_state"] == "active", 60, "trading")
        assert {(fill["symbol"], fill["trade_id"]) for fill in page.get("fills", account=ACCOUNT, limit=1000)} == fills
        held = {row["symbol"]: Decimal(row["quantity"]) for row in page.get("positions", account=ACCOUNT)}
        assert held == positions
        assert differences(page, again.venue, ACCOUNT) == []
        page.close()


def test_a_bad_setting_is_told_and_nothing_is_left_running(tmp_path):
    ended = subprocess.run(
        [str(COMMAND), "up", "--detach", "--home", str(tmp_path), "--port-base", "auto"],
        cwd=ROOT,
        env=os.environ | {"ALGOTRENDY_RISK_NOSUCH": "1", "ALGOTRENDY_RISK_APPROVAL_LIFETIME": "soon"},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert ended.returncode != 0
    assert "ALGOTRENDY_RISK_NOSUCH" in ended.stderr + ended.stdout
    assert algotrendy(tmp_path, "status", check=False).returncode != 0
