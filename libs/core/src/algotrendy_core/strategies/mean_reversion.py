"""Mean reversion: trades the distance of the price from its mean in standard deviations (the z-score).

Invariant: one trade for one excursion. After a stop the price has to come back to the mean before the next entry.
"""

from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from algotrendy_core.bars import Candle
from algotrendy_core.indicators.bollinger import BollingerState, bollinger, bollinger_state
from algotrendy_core.strategies import common_fields
from algotrendy_core.strategies.interface import UNDECIDED, Decision, Parameters, Strategy

FAR_BELOW = 1
FAR_ABOVE = 2
REVERTED = 3
STOPPED = 4
HOLDING = 5
WAITING = 6


class MeanReversionParameters(Parameters):
    period: int = Field(
        50, ge=2, le=5000, description="Length of mean and deviation", json_schema_extra={"unit": "bars"}
    )
    entry: float = Field(
        2.0,
        gt=0,
        le=10,
        description="Distance from the mean at which it is entered",
        json_schema_extra={"unit": "z-score"},
    )
    exit: float = Field(
        0.5,
        ge=0,
        le=10,
        description="Distance from the mean at which it is left",
        json_schema_extra={"unit": "z-score"},
    )
    stop: float = Field(
        4.0, gt=0, le=100, description="Distance at which it is given up", json_schema_extra={"unit": "z-score"}
    )
    exposure: float = common_fields.exposure()
    allow_short: int = common_fields.allow_short()

    @model_validator(mode="after")
    def _in_this_order(self) -> Self:
        if not self.exit < self.entry < self.stop:
            raise ValueError("exit must be below entry, and entry below stop")
        return self


@dataclass(slots=True)
class MeanReversionState:
    bands: BollingerState
    target: float = 0.0
    given_up: bool = False


def initial_state(parameters: MeanReversionParameters) -> MeanReversionState:
    return MeanReversionState(bollinger_state(parameters.period, 1.0))


def step(parameters: MeanReversionParameters, state: MeanReversionState, candle: Candle) -> Decision:
    bands = bollinger(state.bands, candle.close)
    if bands.middle != bands.middle:  # NaN: not warm yet
        return UNDECIDED
    deviation = bands.upper - bands.middle
    score = 0.0
    if deviation > 0.0:
        score = (candle.close - bands.middle) / deviation
    distance = abs(score)
    if state.given_up and distance < parameters.exit:
        state.given_up = False
    if state.target != 0.0:
        beyond = score * state.target > 0.0  # on the other side of the mean
        if beyond or distance < parameters.exit:
            state.target = 0.0
            return Decision(0.0, REVERTED)
        if distance > parameters.stop:
            state.target = 0.0
            state.given_up = True
            return Decision(0.0, STOPPED)
        return Decision(state.target, HOLDING)
    if state.given_up or distance > parameters.stop:
        return Decision(0.0, WAITING)
    if score < -parameters.entry:
        state.target = parameters.exposure
        return Decision(state.target, FAR_BELOW)
    if score > parameters.entry and parameters.allow_short == 1:
        state.target = -parameters.exposure
        return Decision(state.target, FAR_ABOVE)
    return Decision(0.0, WAITING)


MEAN_REVERSION = Strategy(
    name="mean_reversion",
    description="Trades the z-score: buys when the price is far below its mean, sells as it comes back, gives up when "
    "it goes on falling",
    parameters=MeanReversionParameters,
    initial_state=initial_state,
    step=step,
    warm_up=lambda parameters: parameters.period,
    reasons=("warming_up", "far_below_mean", "far_above_mean", "reverted", "stopped", "holding", "waiting"),
)
