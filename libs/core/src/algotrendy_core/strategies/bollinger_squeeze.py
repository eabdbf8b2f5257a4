"""Bollinger squeeze breakout: waits until the bands are narrow, then goes with the price out of them.

Narrow means that the Bollinger bands lie inside a channel of average true ranges around the same middle: the price has
moved less from bar to bar than the bars themselves are long. Invariant: only a squeeze of ``minimum`` bars that is not
over for longer than ``patience`` bars can be broken out of.
"""

from dataclasses import dataclass

from pydantic import Field

from algotrendy_core.bars import Candle
from algotrendy_core.indicators.atr import AtrState, atr, atr_state
from algotrendy_core.indicators.bollinger import BollingerState, bollinger, bollinger_state
from algotrendy_core.strategies import common_fields
from algotrendy_core.strategies.interface import UNDECIDED, Decision, Parameters, Strategy

BROKE_UP = 1
BROKE_DOWN = 2
LOST_MIDDLE = 3
HOLDING = 4
SQUEEZED = 5
WAITING = 6


class BollingerSqueezeParameters(Parameters):
    period: int = Field(
        20, ge=2, le=5000, description="Length of bands and channel", json_schema_extra={"unit": "bars"}
    )
    width: float = Field(
        2.0,
        gt=0,
        le=10,
        description="Distance of the bands from the middle",
        json_schema_extra={"unit": "standard deviations"},
    )
    channel: float = Field(
        1.5,
        gt=0,
        le=10,
        description="Distance of the channel that the bands must lie inside",
        json_schema_extra={"unit": "true ranges"},
    )
    minimum: int = Field(
        5, ge=1, le=1000, description="Shortest squeeze that counts", json_schema_extra={"unit": "bars"}
    )
    patience: int = Field(
        5, ge=0, le=1000, description="How long after a squeeze a breakout counts", json_schema_extra={"unit": "bars"}
    )
    exposure: float = common_fields.exposure()
    allow_short: int = common_fields.allow_short()


@dataclass(slots=True)
class BollingerSqueezeState:
    bands: BollingerState
    atr: AtrState
    squeezed: int = 0
    """Bars that the squeeze lasts."""
    armed: int = 0
    """Bars for which a breakout still counts."""
    target: float = 0.0


def initial_state(parameters: BollingerSqueezeParameters) -> BollingerSqueezeState:
    return BollingerSqueezeState(bollinger_state(parameters.period, parameters.width), atr_state(parameters.period))


def step(parameters: BollingerSqueezeParameters, state: BollingerSqueezeState, candle: Candle) -> Decision:
    bands = bollinger(state.bands, candle.close)
    true_range = atr(state.atr, candle.high, candle.low, candle.close)
    if true_range != true_range:  # NaN: not warm yet; the range is the last of the two
        return UNDECIDED
    if state.armed > 0:
        state.armed -= 1
    squeezed = bands.upper - bands.middle < parameters.channel * true_range
    if squeezed:
        state.squeezed += 1
        if state.squeezed >= parameters.minimum:
            state.armed = parameters.patience + 1
    else:
        state.squeezed = 0
    if state.armed > 0 and candle.close > bands.upper:
        state.target = parameters.exposure
        return Decision(state.target, BROKE_UP)
    if state.armed > 0 and candle.close < bands.lower and parameters.allow_short == 1:
        state.target = -parameters.exposure
        return Decision(state.target, BROKE_DOWN)
    long_is_over = state.target > 0.0 and candle.close < bands.middle
    short_is_over = state.target < 0.0 and candle.close > bands.middle
    if long_is_over or short_is_over:
        state.target = 0.0
        return Decision(0.0, LOST_MIDDLE)
    if state.target != 0.0:
        return Decision(state.target, HOLDING)
    return Decision(0.0, SQUEEZED if squeezed else WAITING)


BOLLINGER_SQUEEZE = Strategy(
    name="bollinger_squeeze",
    description="Trades the end of quiet: after the Bollinger bands were narrow, buys the close above them and leaves "
    "when the middle is lost",
    parameters=BollingerSqueezeParameters,
    initial_state=initial_state,
    step=step,
    warm_up=lambda parameters: parameters.period + 1,
    reasons=("warming_up", "broke_up", "broke_down", "lost_middle", "holding", "squeezed", "waiting"),
)
