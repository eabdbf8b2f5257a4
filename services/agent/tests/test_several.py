"""Several strategies at once, each on its own bars, and a user's own among them; on real NATS and PostgreSQL."""

import json
from decimal import Decimal
from pathlib import Path
from shutil import copy

import asyncpg
import pytest
from algotrendy_agent.domain.market import bar_of_candle
from algotrendy_agent.service import build_app
from algotrendy_agent.settings import AgentSettings
from algotrendy_agent.strategies import StepTooLong, stopped_when_long
from algotrendy_common.enums import StrategyStatus, Timeframe
from algotrendy_common.events.order import OrderProposed
from algotrendy_common.events.signal import SignalRaised
from algotrendy_common.ids import new_id
from algotrendy_common.settings import load
from algotrendy_common.testing.waiting import eventually
from algotrendy_core.strategies.running import StrategyRun
from algotrendy_core.strategies.user_file import load_user_strategy

GUIDE = Path(__file__).parents[3] / "examples" / "02_write_a_strategy.py"


@pytest.fixture
async def ids(servers):
    """New ones; other tests' strategies are stopped, so that they hear no bars of these."""
    connection = await asyncpg.connect(servers.addresses.service_postgres_url("agent"))
    await connection.execute("UPDATE strategy SET status = 'stopped'")
    await connection.close()
    return [f"{name}-{new_id()[:8]}" for name in ("minute", "five", "missing")]


async def test_a_users_own_on_five_minutes_beside_the_platforms_on_one(servers, elsewhere_of, ids, tmp_path):
    copy(GUIDE, tmp_path / "mine.py")
    (tmp_path / "bad.py").write_text("import socket\n")
    minute, five, missing = ids
    common = {"venue": "binance", "symbol": "BTC-USDT", "capital_share": "0.5", "status": "running"}
    seeds = [
        common | {"strategy": minute, "name": "one", "account": minute, "kind": "sma_cross",
                  "parameters": {"fast": 1, "slow": 2}},
        common | {"strategy": five, "name": "own", "account": five, "kind": "channel_breakout", "timeframe": "5m",
                  "parameters": {"lookback": 2, "atr_period": 2}},
        common | {"strategy": missing, "name": "missing", "account": missing, "kind": "no_such_file"},
    ]  # fmt: skip
    settings = {
        "ALGOTRENDY_AGENT_STRATEGIES": json.dumps(seeds),
        "ALGOTRENDY_AGENT_USER_STRATEGIES": str(tmp_path),
    }
    elsewhere = elsewhere_of()
    elsewhere.history(0, *(str(120 - n) for n in range(10)))
    app = build_app(load(AgentSettings, "agent", servers.environment("agent") | settings))
    async with elsewhere.running(), app.running():
        await eventually(lambda: len(elsewhere.asked) >= 4, within_s=60)
        for name in (minute, five):
            await elsewhere.equity(name)
        assert {asked.timeframe for asked in elsewhere.asked} == {Timeframe.M1, Timeframe.M5}
        failed = await eventually(
            lambda: (state := elsewhere.state(missing)) and state.status is StrategyStatus.FAILED and state
        )
        assert "there is no strategy 'no_such_file'" in failed.status_detail
        await elsewhere.bar(10, "130")
        await eventually(lambda: elsewhere.of(OrderProposed, minute))
        assert elsewhere.of(SignalRaised, five) == []
        await elsewhere.bar(15, "140", timeframe=Timeframe.M5)
        (signal,) = await eventually(lambda: elsewhere.of(SignalRaised, five))
        assert (signal.timeframe, signal.reason, signal.target) == (Timeframe.M5, "broke_out", Decimal(1))
        assert len(elsewhere.of(SignalRaised, minute)) == 1


async def test_a_users_step_that_does_not_end_is_stopped_and_told_with_its_line(tmp_path, making):
    text = GUIDE.read_text().replace(
        "    channel = highest(", "    while candle.close > 0: pass\n    channel = highest("
    )
    path = tmp_path / "endless.py"
    path.write_text(text)
    line = text[: text.index("    while candle.close")].count("\n") + 1
    strategy = stopped_when_long(load_user_strategy(path), seconds=0.05)
    run = StrategyRun(strategy, strategy.parameters())
    with pytest.raises(StepTooLong, match=rf"line {line} of endless.py"):
        run.on_bar(bar_of_candle(making.config(), making.candle(0, "100")))
