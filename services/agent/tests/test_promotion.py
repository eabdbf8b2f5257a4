"""A strategy begins to trade real money when it was found robust, or when somebody says why not; never by default."""

import json
from datetime import UTC, datetime

import pytest
from algotrendy_agent.promotion import Promotion
from algotrendy_agent.service import build_app
from algotrendy_agent.settings import AgentSettings
from algotrendy_agent.strategies import Strategies
from algotrendy_common.app import App
from algotrendy_common.enums import Mode, StrategyStatus, Timeframe
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.ids import new_id
from algotrendy_common.rpc import agent, backtest
from algotrendy_common.rpc.agent import StrategyCommanded
from algotrendy_common.rpc.backtest import Verdict, VerdictAsked
from algotrendy_common.rpc.broker_gateway import AccountInfo
from algotrendy_common.settings import ServiceSettings, load

PASSED = Verdict(passed=True, run_id="a" * 32, finished_at=datetime(2026, 1, 1, tzinfo=UTC))
FAILED = PASSED.model_copy(update={"passed": False})
WHY = "the risk committee of Tuesday"


class Accounts:
    def __init__(self, *known: AccountInfo) -> None:
        self._known = known

    async def accounts(self) -> tuple[AccountInfo, ...]:
        return self._known


class Research:
    def __init__(self, verdict: Verdict | None) -> None:
        self._verdict = verdict
        self.asked: list[VerdictAsked] = []

    async def verdict(self, asked: VerdictAsked) -> Verdict:
        self.asked.append(asked)
        if self._verdict is None:
            raise Retryable("backtest does not answer")
        return self._verdict


def account(mode: Mode) -> AccountInfo:
    return AccountInfo(account="paper-1", venue="binance", mode=mode, quote_currency="USDT")


def promotion(verdict: Verdict | None, *accounts: AccountInfo) -> tuple[Promotion, Research]:
    research = Research(verdict)
    return Promotion(Accounts(*accounts), research, Strategies()), research


async def test_paper_asks_nobody(making):
    gate, research = promotion(None, account(Mode.PAPER))
    assert await gate.check(making.config(), None) is None
    assert research.asked == []


async def test_real_money_needs_a_verdict_on_exactly_this(making):
    gate, research = promotion(PASSED, account(Mode.LIVE))
    assert await gate.check(making.config(), None) is None
    (asked,) = research.asked
    assert (asked.strategy_kind, asked.symbol, asked.timeframe) == ("sma_cross", "BTC-USDT", Timeframe.M1)
    assert asked.parameters == {"fast": 1, "slow": 2, "exposure": 1.0}


@pytest.mark.parametrize(
    ("verdict", "said"), [(FAILED, "was not found robust"), (Verdict(), "no robustness check with these parameters")]
)
async def test_without_one_it_takes_a_reason(making, verdict, said):
    gate, _ = promotion(verdict, account(Mode.LIVE))
    with pytest.raises(Refused, match=said) as refused:
        await gate.check(making.config(), None)
    assert refused.value.code == "strategy_not_proven"
    assert await gate.check(making.config(), WHY) == WHY


async def test_what_cannot_be_found_out_is_no(making):
    gate, _ = promotion(Verdict())
    with pytest.raises(Refused, match="no robustness check"):
        await gate.check(making.config(), None)  # an account that nobody knows is not paper
    gate, _ = promotion(None, account(Mode.LIVE))
    with pytest.raises(Retryable):
        await gate.check(making.config(), WHY)


async def test_the_service_asks_before_it_starts(servers, elsewhere_of):
    name = f"live-{new_id()[:8]}"
    elsewhere = elsewhere_of()
    elsewhere.accounts[name] = account(Mode.LIVE).model_copy(update={"account": name})
    there = App("backtest", load(ServiceSettings, "backtest", servers.environment("backtest")))
    verdict = FAILED

    async def answer(asked: VerdictAsked) -> Verdict:
        return verdict

    there.answers(backtest.VERDICT, answer)
    seed = {
        "strategy": name, "name": name, "kind": "sma_cross", "venue": "binance", "symbol": "BTC-USDT",
        "account": name, "parameters": {"fast": 1, "slow": 2}, "capital_share": "0.5", "status": "stopped",
    }  # fmt: skip
    environment = servers.environment("agent") | {"ALGOTRENDY_AGENT_STRATEGIES": json.dumps([seed])}
    settings = load(AgentSettings, "agent", environment)
    async with elsewhere.running(), there.running(), build_app(settings).running():
        command = StrategyCommanded(strategy=name, by="tom")
        with pytest.raises(Refused, match="not found robust"):
            await elsewhere.ask(agent.START, command)
        started = await elsewhere.ask(agent.START, command.model_copy(update={"override": WHY}))
        assert started.strategy.status is StrategyStatus.RUNNING
        assert started.strategy.status_detail == f"started by tom, unproven: {WHY}"
        await elsewhere.ask(agent.STOP, command)
        verdict = PASSED
        assert (await elsewhere.ask(agent.START, command)).strategy.status_detail == "started by tom"
