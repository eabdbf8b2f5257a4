"""The agent service on real NATS and PostgreSQL."""

import asyncio
import itertools
import json
import os
import sys
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import asyncpg
import pytest
from algotrendy_agent.service import build_app
from algotrendy_agent.settings import AgentSettings
from algotrendy_common import subjects
from algotrendy_common.enums import HaltLevel, OrderStatus, Side, StrategyStatus
from algotrendy_common.errors import Refused
from algotrendy_common.events.ops import MessageDeadLettered
from algotrendy_common.events.order import OrderProposed
from algotrendy_common.events.signal import SignalRaised
from algotrendy_common.ids import derived_id, new_id
from algotrendy_common.rpc import agent
from algotrendy_common.rpc.agent import RecallAsked, SignalsAsked, StrategyCommanded
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.settings import load
from algotrendy_common.testing.waiting import eventually
from algotrendy_core.strategies import running as core_running


def environment(servers, *seeds: dict, **settings: str) -> dict[str, str]:
    own = {f"ALGOTRENDY_AGENT_{name.upper()}": value for name, value in settings.items()}
    return servers.environment("agent") | {"ALGOTRENDY_AGENT_STRATEGIES": json.dumps(seeds)} | own


def seed(strategy: str, **changes) -> dict:
    values = {
        "strategy": strategy, "name": strategy, "kind": "sma_cross", "venue": "binance", "symbol": "BTC-USDT",
        "account": strategy, "parameters": {"fast": 1, "slow": 2}, "capital_share": "0.5", "status": "running",
    }  # fmt: skip
    return values | changes


@pytest.fixture
async def strategy(servers):
    """A new id; other tests' strategies are stopped, so that they hear no bars of this one."""
    connection = await asyncpg.connect(servers.addresses.service_postgres_url("agent"))
    await connection.execute("UPDATE strategy SET status = 'stopped'")
    await connection.close()
    return f"cross-{new_id()[:8]}"


@pytest.fixture
def running(servers, elsewhere_of, strategy):
    """``async with running(…) as elsewhere``: one strategy, warmed up on a falling market (bars 0 to 9)."""

    @asynccontextmanager
    async def start(**settings):
        elsewhere = elsewhere_of()
        elsewhere.history(0, *(str(120 - minute) for minute in range(10)))
        app = build_app(load(AgentSettings, "agent", environment(servers, seed(strategy), **settings)))
        async with elsewhere.running(), app.running():
            await elsewhere.equity(strategy)
            await asked_for_history(elsewhere)
            yield elsewhere

    return start


async def asked_for_history(elsewhere) -> None:
    """Caught up: the second question (closes to remember) comes when the first one's answer is taken. A bar told
    earlier may be in that answer already, and one that is caught up on raises no signal."""
    await eventually(lambda: len(elsewhere.asked) >= 2)


async def proposals(elsewhere, strategy: str, count: int) -> list[OrderProposed]:
    return await eventually(lambda: found if len(found := elsewhere.of(OrderProposed, strategy)) >= count else None)


async def state_with(elsewhere, strategy: str, **values):
    def matches():
        state = elsewhere.state(strategy)
        return state if state and all(getattr(state, name) == value for name, value in values.items()) else None

    return await eventually(matches)


async def settled(elsewhere, strategy: str, quantity: Decimal, within_s: float = 60.0):
    """The order is over and its fills are counted."""

    def matches():
        state = elsewhere.state(strategy)
        return state and state.position_quantity == quantity and state.status_detail.startswith("order ")

    return await eventually(matches, within_s)


async def test_a_closed_bar_becomes_a_signal_and_an_order_that_continue_its_trace(running, strategy):
    async with running() as elsewhere:
        await elsewhere.bar(10, "130", closed=False)
        trace = f"00-{new_id()}-{new_id()[:16]}-01"
        bar = await elsewhere.bar(10, "130", traceparent=trace)
        (proposed,) = await proposals(elsewhere, strategy, 1)
        terms = proposed.terms
        # Half of 100,000 less one per cent for the fee, at the quote of 100.
        assert (terms.side, terms.quantity, terms.reduce_only) == ("buy", Decimal(495), False)
        assert terms.order_id == derived_id(strategy, "BTC-USDT", bar.open_time.isoformat(), 0)
        assert proposed.origin.tick_received_time == bar.received_time
        assert (proposed.origin.reason, proposed.origin.reference_price) == ("fast_above_slow", Decimal(100))
        (signal,) = elsewhere.of(SignalRaised, strategy)
        assert (signal.target, signal.reason, signal.price) == (1, "fast_above_slow", 130)
        assert proposed.traceparent.split("-")[1] == signal.traceparent.split("-")[1] == trace.split("-")[1]
        answer = await elsewhere.ask(agent.SIGNALS, SignalsAsked(limit=5))
        assert answer.signals[0] == signal
        assert (await elsewhere.ask(agent.SIGNALS, SignalsAsked(strategy=strategy))).signals == (signal,)
        assert (await elsewhere.ask(agent.SIGNALS, SignalsAsked(strategy="nobody"))).signals == ()
        earlier = SignalsAsked(strategy=strategy, before=signal.received_time)
        assert (await elsewhere.ask(agent.SIGNALS, earlier)).signals == ()
        basis = proposed.origin.sized_from
        assert (basis.bar_time, basis.target, basis.capital) == (bar.open_time, 1, 50_000)
        assert (basis.position, basis.price, basis.reserve) == (0, 100, Decimal("0.01"))
        states = (await elsewhere.ask(agent.STRATEGIES, Nothing())).strategies
        (state,) = (one for one in states if one.strategy == strategy)
        assert (state.bars_taken, state.last_bar_time) == (9, bar.open_time), "eight to warm up, and this one"


async def test_nothing_is_proposed_while_an_order_is_under_way_or_the_target_is_held(running, strategy):
    async with running() as elsewhere:
        await elsewhere.bar(10, "130")
        (first,) = await proposals(elsewhere, strategy, 1)
        await elsewhere.bar(11, "120")
        await state_with(elsewhere, strategy, last_signal_target=0)
        await elsewhere.fill_whole(first.terms)
        await settled(elsewhere, strategy, Decimal(495))
        await elsewhere.bar(12, "131")
        await elsewhere.bar(13, "132")
        await elsewhere.bar(14, "110")
        _, second = await proposals(elsewhere, strategy, 2)
        assert (second.terms.side, second.terms.quantity, second.terms.reduce_only) == ("sell", Decimal(495), True)
        assert second.origin.reason == "fast_below_slow"


async def test_a_refused_order_is_told_and_proposed_again_on_the_next_bar_only(running, strategy):
    async with running() as elsewhere:
        await elsewhere.bar(10, "130")
        (first,) = await proposals(elsewhere, strategy, 1)
        refused = await elsewhere.refuse(first)
        await elsewhere.repeat("risk", refused)
        state = await state_with(elsewhere, strategy, status_detail="order refused: max_position (limit 1, observed 2)")
        assert state.status is StrategyStatus.RUNNING
        assert len(elsewhere.of(OrderProposed, strategy)) == 1
        await elsewhere.bar(11, "131")
        _, second = await proposals(elsewhere, strategy, 2)
        assert second.terms.order_id != first.terms.order_id


async def test_an_order_that_ends_half_filled_is_completed_or_undone_by_the_next_bar(running, strategy):
    async with running() as elsewhere:
        await elsewhere.bar(10, "130")
        (first,) = await proposals(elsewhere, strategy, 1)
        await elsewhere.update(first.terms, OrderStatus.CANCELLED, 5, "200")
        fill = await elsewhere.fill(first.terms, "200", fee="0.2")
        await elsewhere.repeat("broker_gateway", fill.model_copy(update={"event_id": new_id()}))
        await settled(elsewhere, strategy, Decimal("199.8"))
        await elsewhere.bar(11, "120")
        _, second = await proposals(elsewhere, strategy, 2)
        assert (second.terms.side, second.terms.quantity) == ("sell", Decimal("199.8"))


async def test_a_bar_that_was_missed_is_fetched_and_an_older_one_ignored(running, strategy):
    async with running() as elsewhere:
        await elsewhere.bar(10, "100")
        await eventually(lambda: elsewhere.of(SignalRaised, strategy))
        elsewhere.history(11, "90", "80")
        elsewhere.asked.clear()
        await elsewhere.bar(13, "85")
        await proposals(elsewhere, strategy, 1)
        assert [asked.start.minute for asked in elsewhere.asked] == [11]
        await elsewhere.bar(12, "500")
        await elsewhere.bar(13, "1")
        await elsewhere.bar(14, "84")
        signals = await eventually(lambda: found if len(found := elsewhere.of(SignalRaised, strategy)) == 3 else None)
        assert [signal.price for signal in signals] == [100, 85, 84]


async def test_pausing_holds_entries_back_and_lets_exits_through(running, strategy):
    async with running() as elsewhere:
        await elsewhere.bar(10, "130")
        (first,) = await proposals(elsewhere, strategy, 1)
        await elsewhere.fill_whole(first.terms)
        await settled(elsewhere, strategy, Decimal(495))
        answer = await elsewhere.ask(agent.PAUSE, StrategyCommanded(strategy=strategy, by="tom"))
        assert answer.strategy.status is StrategyStatus.PAUSED
        await elsewhere.bar(11, "120")
        _, exit_order = await proposals(elsewhere, strategy, 2)
        assert exit_order.terms.side == "sell"
        await elsewhere.fill_whole(exit_order.terms)
        await settled(elsewhere, strategy, Decimal(0))
        await elsewhere.bar(12, "130")
        await state_with(elsewhere, strategy, status_detail="paused: an entry was held back")
        assert len(elsewhere.of(OrderProposed, strategy)) == 2
        await elsewhere.ask(agent.START, StrategyCommanded(strategy=strategy, by="tom"))
        await elsewhere.bar(13, "131")
        assert (await proposals(elsewhere, strategy, 3))[2].terms.side == "buy"


async def test_stopping_keeps_the_position_and_says_so_and_starting_catches_up(running, strategy):
    async with running() as elsewhere:
        await elsewhere.bar(10, "130")
        (first,) = await proposals(elsewhere, strategy, 1)
        await elsewhere.fill_whole(first.terms)
        await settled(elsewhere, strategy, Decimal(495))
        stopped = (await elsewhere.ask(agent.STOP, StrategyCommanded(strategy=strategy, by="tom"))).strategy
        assert stopped.status_detail == "stopped by tom; its position of 495 BTC is kept"
        await elsewhere.bar(11, "50")
        await elsewhere.bar(12, "40")
        elsewhere.asked.clear()
        await elsewhere.ask(agent.START, StrategyCommanded(strategy=strategy, by="tom"))
        await asked_for_history(elsewhere)
        assert elsewhere.asked[0].start.minute == 11
        await elsewhere.bar(13, "39")
        _, second = await proposals(elsewhere, strategy, 2)
        assert second.terms.side == "sell"


async def test_history_that_is_not_there_yet_is_asked_for_again(servers, elsewhere_of, strategy):
    elsewhere = elsewhere_of()
    elsewhere.away = True
    app = build_app(load(AgentSettings, "agent", environment(servers, seed(strategy))))
    async with elsewhere.running(), app.running():
        await elsewhere.equity(strategy)
        await eventually(lambda: len(elsewhere.asked) > 1)
        elsewhere.history(0, "100", "99")
        elsewhere.away = False
        # A bar that came while history was being read is in it: it is caught up on, not traded on.
        await elsewhere.bar(2, "101")
        await eventually(lambda: elsewhere.asked[-1].limit > 9)
        await elsewhere.bar(3, "102")
        await proposals(elsewhere, strategy, 1)


async def test_a_strategy_that_raises_fails_alone_and_can_be_started_anew(servers, elsewhere_of, strategy, monkeypatch):
    elsewhere, other = elsewhere_of(), f"{strategy}-other"
    elsewhere.history(0, *(str(120 - minute) for minute in range(10)))
    seeds = (seed(strategy), seed(other, kind="momentum", parameters={"lookback": 1}))
    app = build_app(load(AgentSettings, "agent", environment(servers, *seeds)))
    step = core_running.StrategyRun.on_bar
    broken = True

    def on_bar(run, bar):
        if broken and run.strategy.name == "sma_cross" and bar.close == 130:
            raise ZeroDivisionError("no such average")
        return step(run, bar)

    monkeypatch.setattr(core_running.StrategyRun, "on_bar", on_bar)
    async with elsewhere.running(), app.running():
        await elsewhere.equity(strategy)
        await elsewhere.equity(other)
        await eventually(lambda: len(elsewhere.asked) > 1)
        await elsewhere.bar(10, "130")
        failed = await state_with(elsewhere, strategy, status=StrategyStatus.FAILED)
        assert failed.status_detail == "ZeroDivisionError: no such average"
        await proposals(elsewhere, other, 1)
        assert not elsewhere.of(OrderProposed, strategy)
        broken = False
        await elsewhere.ask(agent.START, StrategyCommanded(strategy=strategy, by="tom"))
        minutes = itertools.count(11)

        async def traded():
            # A bar that closes while history is still being read is caught up on, not traded: the next one is.
            minute = next(minutes)
            await elsewhere.bar(minute, str(120 + minute))
            return elsewhere.of(OrderProposed, strategy)

        await eventually(traded, every_s=0.5)
        await proposals(elsewhere, strategy, 1)


async def test_a_command_to_nobody_is_refused(running, strategy):
    async with running() as elsewhere:
        with pytest.raises(Refused, match="no strategy"):
            await elsewhere.ask(agent.START, StrategyCommanded(strategy="nobody", by="tom"))
        listed = (await elsewhere.ask(agent.STRATEGIES, Nothing())).strategies
        assert strategy in {row.strategy for row in listed}


async def test_a_malformed_refusal_is_dead_lettered_and_the_service_goes_on(running, strategy):
    async with running() as elsewhere:
        broken = new_id()
        await elsewhere.apps["risk"].bus.client.publish("order.refused", f'{{"event_id": "{broken}"}}'.encode())
        await eventually(
            lambda: [row for row in elsewhere.heard if isinstance(row, MessageDeadLettered) and broken in row.body]
        )
        await elsewhere.bar(10, "130")
        await proposals(elsewhere, strategy, 1)


async def test_similar_situations_are_recalled_and_the_index_is_made_anew_at_a_start(
    servers, elsewhere_of, strategy, tmp_path
):
    elsewhere = elsewhere_of()
    elsewhere.history(0, *(str(200 - minute) for minute in range(40)))
    settings = load(AgentSettings, "agent", environment(servers, seed(strategy), qdrant_path=str(tmp_path / "qdrant")))

    async def recalled():
        return (await elsewhere.ask(agent.RECALL, RecallAsked(strategy=strategy))).situations

    async with elsewhere.running():
        async with build_app(settings).running():
            await asked_for_history(elsewhere)
            for minute, close in enumerate(("170", "160", "175", "159"), 40):
                await elsewhere.bar(minute, close)
            before = await eventually(lambda: found_three(recalled))
        async with build_app(settings).running():
            after = await eventually(lambda: found_three(recalled))
    assert [row.signal.price for row in before] == [row.signal.price for row in after]
    assert before[0].similarity > before[-1].similarity
    # The newest is a fall: the earlier fall is more like it than either rise.
    assert before[0].signal.price == 160


async def found_three(recalled):
    try:
        rows = await recalled()
    except Refused:  # the index is being made
        return None
    return rows if len(rows) == 3 else None


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


async def test_kill_9_mid_run_proposes_no_bar_twice_and_counts_every_fill(servers, elsewhere_of, strategy):
    """Three lives; the first two end by kill -9 with an order under way, which is filled while nobody listens."""
    elsewhere = elsewhere_of()
    elsewhere.history(0, *(str(120 - minute) for minute in range(10)))
    env = environment(servers, seed(strategy))
    minute, held = 10, Decimal(0)
    async with elsewhere.running():
        for life in range(3):
            async with agent_process(env) as process:
                elsewhere.asked.clear()
                await eventually(lambda: len(elsewhere.asked) > 1, within_s=40)
                await elsewhere.equity(strategy)
                # What was on its way to the killed process comes again after the server's wait of 30 s.
                if life:
                    await settled(elsewhere, strategy, held, within_s=60)
                for step in range(3):
                    known = len(elsewhere.of(OrderProposed, strategy))
                    await elsewhere.bar(minute, "50" if held else "150")
                    minute += 1
                    terms = (await proposals(elsewhere, strategy, known + 1))[-1].terms
                    held = Decimal(0) if held else terms.quantity
                    if life < 2 and step == 2:
                        process.kill()
                        await process.wait()
                    await elsewhere.fill_whole(terms)
                    if process.returncode is None:
                        await settled(elsewhere, strategy, held)
            elsewhere.history(minute, "88")
            minute += 1
    found = elsewhere.of(OrderProposed, strategy)
    assert len(found) == len({row.terms.order_id for row in found}) == len({row.event_time for row in found}) == 9
    assert all(one != other for one, other in pairwise(row.terms.side for row in found))
    connection = await asyncpg.connect(servers.addresses.service_postgres_url("agent"))
    try:
        stored = await connection.fetchval("SELECT quantity FROM strategy WHERE strategy = $1", strategy)
        orders = await connection.fetchval("SELECT count(*) FROM own_order WHERE strategy = $1", strategy)
    finally:
        await connection.close()
    assert (stored, orders) == (held, 9)


async def test_the_service_is_what_the_catalogue_says(servers):
    app = build_app(load(AgentSettings, "agent", servers.environment("agent")))
    owned = {event for row in subjects.CATALOGUE if "agent" in row.owners for event in row.events}
    read = {row.pattern for row in subjects.CATALOGUE if "agent" in row.readers}
    assert {reading.row.pattern for reading in app.bus.readings} == read
    assert {event.__name__ for event in owned - app.published} <= {
        "AlertRaised",
        "MessageDeadLettered",
        "OrderCancelRequested",
    }


def test_a_bar_s_open_time_is_the_recorded_one(making):
    assert making.candle(3, "1").open_time == datetime.fromisoformat("2024-01-01T00:03:00+00:00")


async def test_a_stop_of_the_gateway_moves_the_position_once_and_the_strategy_stays_out(running, strategy):
    async with running() as elsewhere:
        await elsewhere.bar(10, "130")
        (entry,) = await proposals(elsewhere, strategy, 1)
        await elsewhere.fill_whole(entry.terms)
        await settled(elsewhere, strategy, entry.terms.quantity)
        stop = entry.terms.model_copy(update={"order_id": new_id(), "side": Side.SELL})
        traded = await elsewhere.fill(stop, stop.quantity, "90", strategy=strategy)
        await elsewhere.repeat("broker_gateway", traded)
        state = await state_with(elsewhere, strategy, position_quantity=Decimal(0))
        assert state.status_detail == f"exit at 90: {stop.quantity} BTC"
        await elsewhere.bar(11, "131")
        await elsewhere.bar(12, "60")
        # It still wanted to be in at the first bar and bought nothing; at the second it wants out and has nothing.
        await eventually(lambda: len(elsewhere.of(SignalRaised, strategy)) == 2)
        assert len(elsewhere.of(OrderProposed, strategy)) == 1


async def test_a_halted_strategy_says_so_and_proposes_again_after_its_release(running, strategy):
    async with running() as elsewhere:
        await elsewhere.halt(HaltLevel.STRATEGY, "another")
        await elsewhere.halt(HaltLevel.STRATEGY, strategy)
        await elsewhere.bar(10, "130")
        await state_with(elsewhere, strategy, status_detail="halted (strategy) by tom: odd prices")
        assert elsewhere.of(OrderProposed, strategy) == []
        await elsewhere.halt(HaltLevel.STRATEGY, strategy, engaged=False)
        await elsewhere.bar(11, "131")
        await proposals(elsewhere, strategy, 1)
