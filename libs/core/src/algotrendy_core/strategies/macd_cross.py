"""MACD crossover: long while the MACD line is above its signal line, flat (or short) while it is below.

Invariant: within ``threshold`` around zero the histogram says nothing and what is held is kept, so that two lines that
lie on each other do not trade back and forth.
"""

from dataclasses import dataclass

from pydantic import Field

from algotrendy_core.bars import Candle
from algotrendy_core.indicators.macd import MacdState, macd, macd_state
from algotrendy_core.strategies import common_fields
from algotrendy_core.strategies.interface import UNDECIDED, Decision, Strategy

ABOVE_SIGNAL = 1
BELOW_SIGNAL = 2
HOLDING = 3


class MacdCrossParameters(common_fields.MacdLines):
    threshold: float = Field(
        0.0,
        ge=0,
        le=0.1,
        description="Distance of the two lines, as a share of the price, that counts as a crossing",
        json_schema_extra={"unit": "fraction"},
    )
    exposure: float = common_fields.exposure()
    allow_short: int = common_fields.allow_short()


@dataclass(slots=True)
class MacdCrossState:
    macd: MacdState
    target: float = 0.0


def initial_state(parameters: MacdCrossParameters) -> MacdCrossState:
    return MacdCrossState(macd_state(parameters.fast, parameters.slow, parameters.signal))


def step(parameters: MacdCrossParameters, state: MacdCrossState, candle: Candle) -> Decision:
    lines = macd(state.macd, candle.close)
    if lines.histogram != lines.histogram:  # NaN: not warm yet
        return UNDECIDED
    needed = parameters.threshold * candle.close
    reason = HOLDING
    if lines.histogram > needed:
        state.target = parameters.exposure
        reason = ABOVE_SIGNAL
    elif lines.histogram < -needed:
        state.target = -parameters.exposure if parameters.allow_short == 1 else 0.0
        reason = BELOW_SIGNAL
    return Decision(state.target, reason)


MACD_CROSS = Strategy(
    name="macd_cross",
    description="Follows the trend: long while the MACD line is above its signal line, out (or short) below it",
    parameters=MacdCrossParameters,
    initial_state=initial_state,
    step=step,
    warm_up=lambda parameters: parameters.slow + parameters.signal - 1,
    reasons=("warming_up", "macd_above_signal", "macd_below_signal", "holding"),
)
