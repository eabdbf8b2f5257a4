"""Momentum: long while the close is above the close of ``lookback`` bars ago by more than ``threshold``, else flat."""

from dataclasses import dataclass, field

from pydantic import Field

from algotrendy_core.bars import Candle
from algotrendy_core.kernels import ring
from algotrendy_core.strategies.interface import UNDECIDED, Decision, Parameters, Strategy

RISING = 1
NOT_RISING = 2


class MomentumParameters(Parameters):
    lookback: int = Field(
        20, ge=1, le=5000, description="How far back the close is compared", json_schema_extra={"unit": "bars"}
    )
    threshold: float = Field(
        0.0, ge=-1, le=10, description="Rise over the lookback that is needed", json_schema_extra={"unit": "fraction"}
    )
    exposure: float = Field(
        1.0, gt=0, le=1, description="Share of the capital held while long", json_schema_extra={"unit": "fraction"}
    )


@dataclass(slots=True)
class MomentumState:
    index: int = 0
    count: int = 0
    closes: list[float] = field(default_factory=list)


def initial_state(parameters: MomentumParameters) -> MomentumState:
    return MomentumState(closes=ring(parameters.lookback))


def step(parameters: MomentumParameters, state: MomentumState, candle: Candle) -> Decision:
    before = state.closes[state.index]
    state.closes[state.index] = candle.close
    state.index += 1
    if state.index == parameters.lookback:
        state.index = 0
    if state.count < parameters.lookback:
        state.count += 1
        return UNDECIDED
    if candle.close / before - 1.0 > parameters.threshold:
        return Decision(parameters.exposure, RISING)
    return Decision(0.0, NOT_RISING)


MOMENTUM = Strategy(
    name="momentum",
    description="Long while the price has risen over the lookback, else flat",
    parameters=MomentumParameters,
    initial_state=initial_state,
    step=step,
    warm_up=lambda parameters: parameters.lookback + 1,
    reasons=("warming_up", "rising", "not_rising"),
)
