"""Moving-average crossover: long while the fast average of closes is above the slow one, else flat."""

from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from algotrendy_core.bars import Candle
from algotrendy_core.indicators.sma import SmaState, sma, sma_state
from algotrendy_core.strategies.interface import UNDECIDED, Decision, Parameters, Strategy

FAST_ABOVE_SLOW = 1
FAST_BELOW_SLOW = 2


class SmaCrossParameters(Parameters):
    fast: int = Field(10, ge=1, le=5000, description="Length of the fast average", json_schema_extra={"unit": "bars"})
    slow: int = Field(50, ge=2, le=5000, description="Length of the slow average", json_schema_extra={"unit": "bars"})
    exposure: float = Field(
        1.0, gt=0, le=1, description="Share of the capital held while long", json_schema_extra={"unit": "fraction"}
    )

    @model_validator(mode="after")
    def _fast_is_faster(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError("fast must be shorter than slow")
        return self


@dataclass(slots=True)
class SmaCrossState:
    fast: SmaState
    slow: SmaState


def initial_state(parameters: SmaCrossParameters) -> SmaCrossState:
    return SmaCrossState(sma_state(parameters.fast), sma_state(parameters.slow))


def step(parameters: SmaCrossParameters, state: SmaCrossState, candle: Candle) -> Decision:
    fast = sma(state.fast, candle.close)
    slow = sma(state.slow, candle.close)
    if slow != slow:  # NaN: not warm yet
        return UNDECIDED
    if fast > slow:
        return Decision(parameters.exposure, FAST_ABOVE_SLOW)
    return Decision(0.0, FAST_BELOW_SLOW)


SMA_CROSS = Strategy(
    name="sma_cross",
    description="Long while the fast moving average is above the slow one, else flat",
    parameters=SmaCrossParameters,
    initial_state=initial_state,
    step=step,
    warm_up=lambda parameters: parameters.slow,
    reasons=("warming_up", "fast_above_slow", "fast_below_slow"),
)
