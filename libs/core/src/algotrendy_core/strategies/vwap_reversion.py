"""VWAP reversion: buys well below the volume-weighted average price, sells when the price is back at it.

Invariant: between entry and exit what is held is kept, also where nothing was traded and there is no average.
"""

from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from algotrendy_core.bars import Candle
from algotrendy_core.indicators.vwap import RollingVwapState, rolling_vwap, rolling_vwap_state
from algotrendy_core.strategies import common_fields
from algotrendy_core.strategies.interface import UNDECIDED, Decision, Parameters, Strategy

FAR_BELOW = 1
FAR_ABOVE = 2
BACK = 3
HOLDING = 4
WAITING = 5


class VwapReversionParameters(Parameters):
    period: int = Field(60, ge=2, le=5000, description="Length of the average", json_schema_extra={"unit": "bars"})
    entry: float = Field(
        0.005,
        gt=0,
        le=0.5,
        description="Distance from the average at which it is entered",
        json_schema_extra={"unit": "fraction"},
    )
    exit: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="Distance that is left when it is sold",
        json_schema_extra={"unit": "fraction"},
    )
    exposure: float = common_fields.exposure()
    allow_short: int = common_fields.allow_short()

    @model_validator(mode="after")
    def _exit_is_nearer(self) -> Self:
        if self.exit >= self.entry:
            raise ValueError("exit must be nearer than entry")
        return self


@dataclass(slots=True)
class VwapReversionState:
    vwap: RollingVwapState
    target: float = 0.0


def initial_state(parameters: VwapReversionParameters) -> VwapReversionState:
    return VwapReversionState(rolling_vwap_state(parameters.period))


def step(parameters: VwapReversionParameters, state: VwapReversionState, candle: Candle) -> Decision:
    average = rolling_vwap(state.vwap, candle.high, candle.low, candle.close, candle.volume)
    if state.vwap.count < parameters.period:
        return UNDECIDED
    distance = 0.0
    known = average == average  # NaN differs from itself: nothing was traded
    if known:
        distance = candle.close / average - 1.0
    if distance < -parameters.entry:
        state.target = parameters.exposure
        return Decision(state.target, FAR_BELOW)
    if distance > parameters.entry and parameters.allow_short == 1:
        state.target = -parameters.exposure
        return Decision(state.target, FAR_ABOVE)
    long_is_over = known and state.target > 0.0 and distance >= -parameters.exit
    short_is_over = known and state.target < 0.0 and distance <= parameters.exit
    if long_is_over or short_is_over:
        state.target = 0.0
        return Decision(0.0, BACK)
    return Decision(state.target, WAITING if state.target == 0.0 else HOLDING)


VWAP_REVERSION = Strategy(
    name="vwap_reversion",
    description="Trades against the average price paid: buys well below the volume-weighted average of the last bars, "
    "sells when the price is back at it",
    parameters=VwapReversionParameters,
    initial_state=initial_state,
    step=step,
    warm_up=lambda parameters: parameters.period,
    reasons=("warming_up", "far_below_vwap", "far_above_vwap", "back_at_vwap", "holding", "waiting"),
)
