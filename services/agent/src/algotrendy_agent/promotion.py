"""Whether a strategy may begin to trade real money.

Invariant: on an account that is not known to be paper, a strategy begins only after a robustness check of exactly this
strategy, these parameters, this symbol and timeframe has passed, or where a person gave a reason to do without. What
cannot be found out is no.
"""

from typing import Protocol

from algotrendy_common.enums import Mode
from algotrendy_common.rpc.backtest import Verdict, VerdictAsked
from algotrendy_common.rpc.broker_gateway import AccountInfo
from algotrendy_common.telemetry import log
from algotrendy_core.strategies.registry import parameters_of

from algotrendy_agent.domain.instance import StrategyConfig
from algotrendy_agent.errors import NotProven
from algotrendy_agent.strategies import Strategies


class Accounts(Protocol):
    async def accounts(self) -> tuple[AccountInfo, ...]:
        """Raises ``Retryable`` where no answer comes."""
        ...


class Research(Protocol):
    async def verdict(self, asked: VerdictAsked) -> Verdict:
        """Raises ``Retryable`` where no answer comes."""
        ...


class Promotion:
    def __init__(self, accounts: Accounts, research: Research, strategies: Strategies) -> None:
        self._accounts = accounts
        self._research = research
        self._strategies = strategies
        self._log = log("agent")

    async def check(self, config: StrategyConfig, override: str | None) -> str | None:
        """The reason that it was let begin for, where it took one; raises ``NotProven`` where it may not begin."""
        modes = {one.account: one.mode for one in await self._accounts.accounts()}
        if modes.get(config.account) is Mode.PAPER:
            return None
        strategy = self._strategies.known[config.kind]
        parameters = parameters_of(strategy, config.parameters).model_dump(mode="json")
        asked = VerdictAsked(
            strategy_kind=strategy.name, parameters=parameters, symbol=config.symbol, timeframe=config.timeframe
        )
        verdict = await self._research.verdict(asked)
        if verdict.passed:
            return None
        if override:
            # The gateway has written down who said so before it asked; the strategy's own state tells it too.
            self._log.warning("promoted by override", strategy=config.strategy, reason=override, run_id=verdict.run_id)
            return override
        raise NotProven(config.strategy, verdict.run_id)
