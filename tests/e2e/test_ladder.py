"""A grid on the whole platform: its orders rest at the venue, trade in both directions, survive its agent, and go."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from algotrendy_risk.settings import PAPER

from tests.e2e.books import differences
from tests.e2e.stack import Page, Stack, running_stack
from tests.e2e.waves import waves

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]
ACCOUNT, GRID, DCA = "paper-1", "grid-btc", "dca-btc"


@pytest.fixture(scope="module")
def stack(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The demo with two strategies on a market that swings through all their prices every forty minutes of its own."""
    common = {"venue": "binance", "symbol": "BTC-USDT", "account": ACCOUNT, "capital_share": "0.2"}
    grid = {"kind": "grid", "parameters": {"levels": 6, "spacing": 0.001, "recentre": 0.0015}}
    dca = {"kind": "dca", "parameters": {"steps": 2, "spacing": 0.002, "take_profit": 0.001, "stop_loss": 0.01}}
    seeds = [common | {"strategy": strategy, "name": strategy} | own for strategy, own in ((GRID, grid), (DCA, dca))]
    # Minutes pass in seconds here: what is counted in minutes of ours would be too many orders for them.
    limits = PAPER.model_dump(mode="json")
    limits["limits"] |= {"max_orders": 100_000, "max_repeats": 100_000, "max_strategy_orders": 100_000}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALGOTRENDY_AGENT_STRATEGIES", json.dumps(seeds))
        patch.setenv("ALGOTRENDY_RISK_ACCOUNTS", json.dumps([limits]))
        market = waves(tmp_path_factory.mktemp("venue") / "data", Decimal(17_000), Decimal("0.0035"), minutes=40)
        patch.setenv("ALGOTRENDY_SIMULATOR_DATA", str(market))
        with running_stack(home, "--speed", "60") as running:
            yield running


def test_a_grid_trades_at_the_venue_survives_kill_9_and_a_stop_takes_its_orders_away(stack):
    api = Page(stack)
    until(lambda: commanded(api, "start"), "its start")
    traded(api, buys=2, sells=1)
    agent = stack.status()["agent"]
    os.kill(agent["pid"], signal.SIGKILL)
    until(lambda: stack.status()["agent"]["restarts"] > agent["restarts"], "the agent's restart")
    done = filled(api)
    # What rested may trade without the agent; one sale more needs a purchase that it saw.
    traded(api, buys=done.count("buy") + 1, sells=done.count("sell") + 2)
    until(lambda: commanded(api, "stop"), "its stop")
    until(lambda: not resting(api), "an empty book")
    until(lambda: not differences(api, stack.venue, ACCOUNT), "equal books")
    theirs = httpx.get(f"{stack.venue}/admin/orders", params={"account": ACCOUNT}).json()
    assert all(row["type"] == "LIMIT" for row in theirs if row["clientOrderId"] in clients(api))
    assert "stopped by" in next(row for row in api.get("strategies") if row["strategy"] == GRID)["status_detail"]
    api.close()


def test_averaging_guards_what_it_bought_by_a_pair_and_sells_it_as_one(stack):
    api = Page(stack)
    until(lambda: commanded(api, "start", DCA), "its start")
    until(
        lambda: any(row["type"] == "oco" and row["status"] == "filled" for row in mine(api, DCA)), "a pair's end", 400
    )
    until(lambda: commanded(api, "stop", DCA), "its stop")
    until(lambda: not resting(api, DCA), "an empty book")
    until(lambda: not differences(api, stack.venue, ACCOUNT), "equal books")
    pairs = [row for row in mine(api, DCA) if row["type"] == "oco"]
    assert all(row["reduce_only"] and row["side"] == "sell" for row in pairs)
    api.close()


def traded(api: Page, buys: int, sells: int) -> None:
    """So many of its orders are filled; meanwhile no rung, each at a price of its own, has two orders at rest."""

    def enough() -> bool:
        prices = [(row["side"], Decimal(row["limit_price"])) for row in resting(api)]
        assert len(prices) == len(set(prices))
        done = filled(api)
        return done.count("buy") >= buys and done.count("sell") >= sells

    until(enough, f"{buys} buys and {sells} sells", 400, lambda: standing(api))


def filled(api: Page) -> list[str]:
    return [row["side"] for row in mine(api) if row["status"] == "filled"]


def commanded(api: Page, verb: str, strategy: str = GRID) -> bool:
    """False while the agent is starting."""
    try:
        api.post(f"strategies/{strategy}/{verb}")
    except httpx.HTTPStatusError as error:
        if error.response.status_code != 503:
            raise
        return False
    return True


def mine(api: Page, strategy: str = GRID) -> list[dict[str, Any]]:
    return [row for row in api.get("orders", account=ACCOUNT, limit=1000) if row["strategy"] == strategy]


def resting(api: Page, strategy: str = GRID) -> list[dict[str, Any]]:
    return [row for row in mine(api, strategy) if row["status"] in ("open", "partially_filled")]


def clients(api: Page) -> set[str]:
    return {row["client_order_id"] for row in mine(api)}


def standing(api: Page) -> str:
    """What there is to know where it does not trade."""
    rows = [(row["side"], row["limit_price"], row["status"], row.get("reason_code")) for row in mine(api)]
    return f"{[row for row in api.get('strategies') if row['strategy'] == GRID]} {rows[:30]} {api.get('alerts')[:10]}"


def until(probe: Any, what: str, within_s: float = 60, told: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + within_s
    while not probe():
        assert time.monotonic() < deadline, f"{what} did not come within {within_s} s: {told()}"
        time.sleep(0.5)
