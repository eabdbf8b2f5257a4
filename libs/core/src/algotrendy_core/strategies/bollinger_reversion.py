"""Bollinger reversion: buys a close below the lower band and sells when the middle is reached again.

Invariant: between the band and the middle what is held is kept; the bands alone decide, whatever the trend is.
"""

from dataclasses import dataclass

from pydantic import Field

from algotrendy_core.bars import Candle
from algotrendy_core.indicators.bollinger import BollingerState, bollinger, bollinger_state
from algotrendy_core.strategies import common_fields
from algotrendy_core.strategies.interface import UNDECIDED, Decision, Parameters, Strategy

BELOW_LOWER_BAND = 1
ABOVE_UPPER_BAND = 2
BACK_AT_MIDDLE = 3
HOLDING = 4
WAITING = 5


class BollingerReversionParameters(Parameters):
    period: int = Field(20, ge=2, le=5000, description="Length of the bands", json_schema_extra={"unit": "bars"})
    width: float = Field(
        2.0,
        gt=0,
        le=10,
        description="Distance of the bands from the middle",
        json_schema_extra={"unit": "standard deviations"},
    )
    exposure: float = common_fields.exposure()
    allow_short: int = common_fields.allow_short()


@dataclass(slots=True)
class BollingerReversionState:
    bands: BollingerState
    target: float = 0.0


def initial_state(parameters: BollingerReversionParameters) -> BollingerReversionState:
    return BollingerReversionState(bollinger_state(parameters.period, parameters.width))


def step(parameters: BollingerReversionParameters, state: BollingerReversionState, candle: Candle) -> Decision:
    bands = bollinger(state.bands, candle.close)
    if bands.middle != bands.middle:  # NaN: not warm yet
        return UNDECIDED
    if candle.close < bands.lower:
        state.target = parameters.exposure
        return Decision(state.target, BELOW_LOWER_BAND)
    if candle.close > bands.upper and parameters.allow_short == 1:
        state.target = -parameters.exposure
        return Decision(state.target, ABOVE_UPPER_BAND)
    long_is_over = state.target > 0.0 and candle.close >= bands.middle
    short_is_over = state.target < 0.0 and candle.close <= bands.middle
    if long_is_over or short_is_over:
        state.target = 0.0
        return Decision(0.0, BACK_AT_MIDDLE)
    return Decision(state.target, WAITING if state.target == 0.0 else HOLDING)


BOLLINGER_REVERSION = Strategy(
    name="bollinger_reversion",
    description="Trades against excess: buys a close below the lower Bollinger band, sells when the middle is reached",
    parameters=BollingerReversionParameters,
    initial_state=initial_state,
    step=step,
    warm_up=lambda parameters: parameters.period,
    reasons=("warming_up", "below_lower_band", "above_upper_band", "back_at_middle", "holding", "waiting"),
)
