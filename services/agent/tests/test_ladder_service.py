"""A ladder live, on real NATS and PostgreSQL: orders at rest, fills counted once, nothing doubled by kill -9."""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from decimal import Decimal

import asyncpg
import pytest
from algotrendy_agent.domain.ladder_moves import order_id_of
from algotrendy_agent.service import build_app
from algotrendy_agent.settings import AgentSettings
from algotrendy_common.enums import HaltLevel, OrderStatus, OrderType, Side, StrategyStatus
from algotrendy_common.events.order import OrderCancelRequested, OrderProposed
from algotrendy_common.ids import new_id
from algotrendy_common.rpc import agent
from algotrendy_common.rpc.agent import StrategyCommanded
from algotrendy_common.settings import load
from algotrendy_common.testing.waiting import eventually

GRID = {"levels": 2, "spacing": 0.01, "recentre": 0.05, "stop": 0, "exposure": 1}


def environment(servers, strategy: str) -> dict[str, str]:
    seed = {
        "strategy": strategy, "name": strategy, "kind": "grid", "venue": "binance", "symbol": "BTC-USDT",
        "account": strategy, "parameters": GRID, "capital_share": "0.5", "status": "running",
    }  # fmt: skip
    return servers.environment("agent") | {"ALGOTRENDY_AGENT_STRATEGIES": json.dumps([seed])}


@pytest.fixture
async def strategy(servers):
    """A new id; other tests' strategies are stopped, so that they hear no bars of this one."""
    connection = await asyncpg.connect(servers.addresses.service_postgres_url("agent"))
    await connection.execute("UPDATE strategy SET status = 'stopped'")
    await connection.close()
    return f"grid-{new_id()[:8]}"


@pytest.fixture
def running(servers, elsewhere_of, strategy):
    @asynccontextmanager
    async def start():
        elsewhere = elsewhere_of()
        elsewhere.history(0, *["100"] * 10)
        app = build_app(load(AgentSettings, "agent", environment(servers, strategy)))
        async with elsewhere.running(), app.running():
            await ready(elsewhere, strategy)
            yield elsewhere

    return start


async def ready(elsewhere, strategy: str) -> None:
    await eventually(lambda: len(elsewhere.asked) >= 2, within_s=60)
    await elsewhere.equity(strategy)


async def proposals(elsewhere, strategy: str, count: int) -> list[OrderProposed]:
    return await eventually(lambda: found if len(found := elsewhere.of(OrderProposed, strategy)) >= count else None)


async def cancels(elsewhere, strategy: str, count: int) -> list[str]:
    found = await eventually(
        lambda: found if len(found := elsewhere.of(OrderCancelRequested, strategy)) >= count else None
    )
    return [event.order_id for event in found]


async def held(elsewhere, strategy: str, quantity: Decimal):
    await eventually(lambda: (state := elsewhere.state(strategy)) and state.position_quantity == quantity, within_s=60)


async def test_a_grid_rests_its_buys_sells_what_it_bought_and_moves_nothing_without_need(running, strategy):
    async with running() as elsewhere:
        await elsewhere.bar(10, "100")
        first, second = await proposals(elsewhere, strategy, 2)
        assert [(row.terms.type, row.terms.side, row.terms.limit_price) for row in (first, second)] == [
            (OrderType.LIMIT, Side.BUY, Decimal(99)),
            (OrderType.LIMIT, Side.BUY, Decimal("98.01")),
        ]
        assert first.terms.quantity == Decimal("252.52525")  # half of 50,000 at 99
        assert first.terms.order_id == order_id_of(strategy, "BTC-USDT", 0, 1, 0)
        assert first.origin.reason == "rung 0: waiting"  # it was laid on the bars that it caught up on
        for row in (first, second):
            await elsewhere.update(row.terms, OrderStatus.OPEN, 3)
        await elsewhere.fill(first.terms, first.terms.quantity, "99", fee="0.25")
        await elsewhere.update(first.terms, OrderStatus.FILLED, 4, first.terms.quantity)
        await held(elsewhere, strategy, Decimal("252.27525"))
        await elsewhere.bar(11, "99")
        (third,) = (await proposals(elsewhere, strategy, 3))[2:]
        terms = third.terms
        assert (terms.side, terms.limit_price, terms.quantity) == (Side.SELL, Decimal(100), Decimal("252.27525"))
        assert terms.reduce_only
        await elsewhere.bar(12, "99")
        await elsewhere.bar(13, "99.1")
        await elsewhere.fill_whole(terms, "100")
        await held(elsewhere, strategy, Decimal(0))
        await elsewhere.bar(14, "100")
        assert (await proposals(elsewhere, strategy, 4))[3].terms.side is Side.BUY
        assert elsewhere.of(OrderCancelRequested, strategy) == []


async def test_a_halt_and_a_stop_clear_the_ladder_and_it_is_rebuilt(running, strategy):
    async with running() as elsewhere:
        await elsewhere.bar(10, "100")
        rows = await proposals(elsewhere, strategy, 2)
        for row in rows:
            await elsewhere.update(row.terms, OrderStatus.OPEN, 3)
        await elsewhere.halt(HaltLevel.STRATEGY, strategy)
        assert set(await cancels(elsewhere, strategy, 2)) == {row.terms.order_id for row in rows}
        for row in rows:
            await elsewhere.update(row.terms, OrderStatus.CANCELLED, 4)
        await elsewhere.bar(11, "100")
        await eventually(lambda: (state := elsewhere.state(strategy)) and state.status_detail.startswith("halted"))
        assert len(elsewhere.of(OrderProposed, strategy)) == 2
        await elsewhere.halt(HaltLevel.STRATEGY, strategy, engaged=False)
        again = (await proposals(elsewhere, strategy, 4))[2:]
        assert [row.terms.limit_price for row in again] == [Decimal(99), Decimal("98.01")]
        answer = await elsewhere.ask(agent.STOP, StrategyCommanded(strategy=strategy, by="tom"))
        assert answer.strategy.status is StrategyStatus.STOPPED
        assert set((await cancels(elsewhere, strategy, 4))[2:]) == {row.terms.order_id for row in again}
        for row in again:
            await elsewhere.update(row.terms, OrderStatus.CANCELLED, 4)
        asked = len(elsewhere.asked)
        await elsewhere.ask(agent.START, StrategyCommanded(strategy=strategy, by="tom"))
        await eventually(lambda: len(elsewhere.asked) >= asked + 2)
        await elsewhere.bar(12, "100")
        assert len(await proposals(elsewhere, strategy, 6)) == 6


@asynccontextmanager
async def agent_process(env: dict[str, str]):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "algotrendy_agent", env=os.environ | env, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_kill_9_doubles_no_rung_and_what_filled_meanwhile_counts_once(servers, elsewhere_of, strategy):
    elsewhere = elsewhere_of()
    elsewhere.history(0, *["100"] * 10)
    env = environment(servers, strategy)
    async with elsewhere.running():
        async with agent_process(env) as process:
            await ready(elsewhere, strategy)
            await elsewhere.bar(10, "100")
            first, second = await proposals(elsewhere, strategy, 2)
            process.kill()
            await process.wait()
        for row in (first, second):
            await elsewhere.update(row.terms, OrderStatus.OPEN, 3)
        traded = await elsewhere.fill(first.terms, first.terms.quantity, "99")
        await elsewhere.repeat("broker_gateway", traded.model_copy(update={"event_id": new_id()}))
        await elsewhere.update(first.terms, OrderStatus.FILLED, 4, first.terms.quantity)
        elsewhere.asked.clear()
        async with agent_process(env):
            await ready(elsewhere, strategy)
            await held(elsewhere, strategy, first.terms.quantity)
            await elsewhere.bar(11, "99")
            third = (await proposals(elsewhere, strategy, 3))[2]
            assert (third.terms.side, third.terms.quantity) == (Side.SELL, first.terms.quantity)
            await elsewhere.bar(12, "99")
            await eventually(lambda: (state := elsewhere.state(strategy)) and "2 orders" in state.status_detail)
    assert len(elsewhere.of(OrderProposed, strategy)) == 3
    connection = await asyncpg.connect(servers.addresses.service_postgres_url("agent"))
    try:
        rows = await connection.fetch(
            "SELECT rung, status FROM rung_order WHERE strategy = $1 ORDER BY rung, turn", strategy
        )
    finally:
        await connection.close()
    assert [tuple(row) for row in rows] == [(0, "filled"), (0, "proposed"), (1, "open")]
