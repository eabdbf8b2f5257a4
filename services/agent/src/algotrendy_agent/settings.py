"""What the agent service is told."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from algotrendy_common.enums import StrategyStatus, Timeframe
from algotrendy_common.ids import AccountId, StrategyId, Symbol, Venue
from algotrendy_common.settings import Section, ServiceSettings
from algotrendy_core.strategies.registry import parameters_of, strategy_named
from pydantic import Field, model_validator


class StrategySeed(Section):
    """A strategy to configure at the first start; from then on PostgreSQL has it."""

    strategy: StrategyId
    name: str
    kind: str
    venue: Venue
    symbol: Symbol
    timeframe: Timeframe = Timeframe.M1
    account: AccountId
    parameters: dict[str, Any] = Field(default_factory=dict)
    capital_share: Decimal = Field(gt=0, le=1)
    status: StrategyStatus = StrategyStatus.STOPPED

    @model_validator(mode="after")
    def _can_be_run(self) -> "StrategySeed":
        # The registry refuses with an error of its own; settings speak pydantic's language.
        try:
            parameters_of(strategy_named(self.kind), self.parameters)
        except Exception as error:
            raise ValueError(str(error)) from error
        return self


DEMO = (
    StrategySeed(
        strategy="sma-cross-btc", name="SMA crossover BTC", kind="sma_cross", venue="binance", symbol="BTC-USDT",
        account="paper-1", parameters={"fast": 10, "slow": 30}, capital_share=Decimal("0.25"),
        status=StrategyStatus.RUNNING,
    ),
    StrategySeed(
        strategy="rsi-reversion-ltc", name="RSI reversion LTC", kind="rsi_reversion", venue="binance",
        symbol="LTC-USDT", account="paper-1", capital_share=Decimal("0.15"),
    ),
    StrategySeed(
        strategy="momentum-btc", name="Momentum BTC", kind="momentum", venue="binance", symbol="BTC-USDT",
        account="paper-1", capital_share=Decimal("0.15"),
    ),
)  # fmt: skip


class AgentSettings(ServiceSettings):
    strategies: tuple[StrategySeed, ...] = DEMO
    reserve: Decimal = Field(Decimal("0.01"), ge=0, lt=1)
    """Fraction of a strategy's capital kept back for the fee and for the price moving before the fill."""
    history_patience: timedelta = timedelta(seconds=30)
    """How long a start waits for history that is still being filled, before it warms up on live bars."""
    route_interval: timedelta = timedelta(seconds=1)
    """How often the broker gateway is asked who stands in for whom."""
    qdrant_path: Path | None = None
    """Folder of the index of past situations; without it the index lives in memory. It is rebuilt at every start."""
