"""RSI reversion: buy what has fallen too fast, sell once it has recovered; between the two levels keep what is held."""

from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from algotrendy_core.bars import Candle
from algotrendy_core.indicators.rsi import RsiState, rsi, rsi_state
from algotrendy_core.strategies.interface import UNDECIDED, Decision, Parameters, Strategy

OVERSOLD = 1
RECOVERED = 2
HOLDING = 3


class RsiReversionParameters(Parameters):
    period: int = Field(14, ge=2, le=1000, description="Length of the RSI", json_schema_extra={"unit": "bars"})
    entry: float = Field(30.0, gt=0, lt=100, description="Buy below this RSI", json_schema_extra={"unit": "RSI points"})
    exit: float = Field(55.0, gt=0, lt=100, description="Sell above this RSI", json_schema_extra={"unit": "RSI points"})
    exposure: float = Field(
        1.0, gt=0, le=1, description="Share of the capital held while long", json_schema_extra={"unit": "fraction"}
    )

    @model_validator(mode="after")
    def _entry_is_below_exit(self) -> Self:
        if self.entry >= self.exit:
            raise ValueError("entry must be below exit")
        return self


@dataclass(slots=True)
class RsiReversionState:
    rsi: RsiState
    target: float = 0.0


def initial_state(parameters: RsiReversionParameters) -> RsiReversionState:
    return RsiReversionState(rsi_state(parameters.period))


def step(parameters: RsiReversionParameters, state: RsiReversionState, candle: Candle) -> Decision:
    strength = rsi(state.rsi, candle.close)
    if strength != strength:  # NaN: not warm yet
        return UNDECIDED
    reason = HOLDING
    if strength < parameters.entry:
        state.target = parameters.exposure
        reason = OVERSOLD
    elif strength > parameters.exit:
        state.target = 0.0
        reason = RECOVERED
    return Decision(state.target, reason)


RSI_REVERSION = Strategy(
    name="rsi_reversion",
    description="Buy when the RSI is oversold, sell when it has recovered",
    parameters=RsiReversionParameters,
    initial_state=initial_state,
    step=step,
    warm_up=lambda parameters: parameters.period + 1,
    reasons=("warming_up", "oversold", "recovered", "holding"),
)
