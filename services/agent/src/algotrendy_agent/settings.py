"""What the agent service is told."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from algotrendy_common.enums import StrategyStatus, Timeframe
from algotrendy_common.errors import Refused
from algotrendy_common.ids import AccountId, StrategyId, Symbol, Venue
from algotrendy_common.settings import Section, ServiceSettings
from algotrendy_core.strategies.registry import STRATEGIES, parameters_of, strategy_named
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
        """A user's strategy is not known here: where it has no file, or other parameters, it fails when it starts."""
        if self.kind in STRATEGIES:
            # The registry refuses with an error of its own; settings speak pydantic's language.
            try:
                parameters_of(strategy_named(self.kind), self.parameters)
            except Refused as error:
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
    StrategySeed(
        strategy="grid-btc", name="Grid BTC", kind="grid", venue="binance", symbol="BTC-USDT", account="paper-1",
        parameters={"levels": 5, "spacing": 0.003}, capital_share=Decimal("0.15"),
    ),
    StrategySeed(
        strategy="dca-ltc", name="Averaging LTC", kind="dca", venue="binance", symbol="LTC-USDT", account="paper-1",
        capital_share=Decimal("0.1"),
    ),
    StrategySeed(
        strategy="macd-cross-btc-5m", name="MACD crossover BTC, 5 minutes", kind="macd_cross", venue="binance",
        symbol="BTC-USDT", timeframe=Timeframe.M5, account="paper-1", capital_share=Decimal("0.1"),
    ),
    StrategySeed(
        strategy="squeeze-ltc", name="Bollinger squeeze LTC", kind="bollinger_squeeze", venue="binance",
        symbol="LTC-USDT", account="paper-1", capital_share=Decimal("0.1"),
    ),
)  # fmt: skip


class AgentSettings(ServiceSettings):
    strategies: tuple[StrategySeed, ...] = DEMO
    user_strategies: Path | None = None
    """Folder with strategies of one's own, a file each, tried at every start; see examples/02_write_a_strategy.py."""
    reserve: Decimal = Field(Decimal("0.01"), ge=0, lt=1)
    """Fraction of a strategy's capital kept back for the fee and for the price moving before the fill."""
    history_patience: timedelta = timedelta(seconds=30)
    """How long a start waits for history that is still being filled, before it warms up on live bars."""
    route_interval: timedelta = timedelta(seconds=1)
    """How often the broker gateway is asked who stands in for whom."""
    qdrant_path: Path | None = None
    """Folder of the index of past situations; without it the index lives in memory. It is rebuilt at every start."""

    @model_validator(mode="after")
    def _kinds_are_known(self) -> "AgentSettings":
        unknown = sorted({seed.kind for seed in self.strategies} - set(STRATEGIES))
        if unknown and self.user_strategies is None:
            raise ValueError(f"there is no strategy {', '.join(unknown)}, and no folder of a user's own")
        if self.user_strategies is not None and not self.user_strategies.is_dir():
            raise ValueError(f"user_strategies: {self.user_strategies} is not a folder")
        return self
