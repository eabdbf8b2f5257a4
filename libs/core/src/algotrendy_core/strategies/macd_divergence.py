"""MACD histogram divergence: buys where the price makes a lower low and the histogram a higher one.

The histogram swings around zero. Each swing below it has a depth and a lowest price. Where a swing is shallower than
the one before although the price went lower, selling has lost its force: bought as the histogram turns back. The mirror
image above zero is where longs are left (and shorts entered, where allowed).

Invariant: a swing speaks once, and only about itself and the one before it on the same side of zero.
"""

from dataclasses import dataclass

from pydantic import Field

from algotrendy_core.bars import Candle
from algotrendy_core.indicators.macd import MacdState, macd, macd_state
from algotrendy_core.strategies import common_fields
from algotrendy_core.strategies.interface import UNDECIDED, Decision, Strategy

BULLISH = 1
BEARISH = 2
FAILED = 3
HOLDING = 4
WAITING = 5


class MacdDivergenceParameters(common_fields.MacdLines):
    turn: float = Field(
        0.3,
        ge=0,
        lt=1,
        description="How far the histogram must have come back from a swing's deepest point",
        json_schema_extra={"unit": "fraction"},
    )
    memory: int = Field(
        100,
        ge=2,
        le=10_000,
        description="Age at which a swing is too old to compare with",
        json_schema_extra={"unit": "bars"},
    )
    exposure: float = common_fields.exposure()
    allow_short: int = common_fields.allow_short()


@dataclass(slots=True)
class Swings:
    """One side of zero. Prices and depths are turned so that deeper is larger on both sides."""

    depth: float = 0.0
    extreme: float = 0.0
    """The furthest price of the present swing: its low below zero, its high above."""
    previous_depth: float = 0.0
    previous_extreme: float = 0.0
    previous_age: int = 0
    """Bars since the swing before ended; 0 where there is none."""
    inside: bool = False
    spoken: bool = False


@dataclass(slots=True)
class MacdDivergenceState:
    macd: MacdState
    below: Swings
    above: Swings
    target: float = 0.0
    stop: float = 0.0
    """The price beyond which the divergence that was traded has failed."""


def initial_state(parameters: MacdDivergenceParameters) -> MacdDivergenceState:
    return MacdDivergenceState(macd_state(parameters.fast, parameters.slow, parameters.signal), Swings(), Swings())


def diverges(swings: Swings, depth: float, extreme: float, turn: float, memory: int) -> bool:
    """Take in a bar: ``depth`` of the histogram on this side (0 or less: not there) and its furthest price, turned."""
    if swings.previous_age > 0:
        swings.previous_age += 1
    if depth <= 0.0:
        if swings.inside:
            swings.inside = False
            swings.previous_depth = swings.depth
            swings.previous_extreme = swings.extreme
            swings.previous_age = 1
        return False
    if not swings.inside:
        swings.inside = True
        swings.spoken = False
        swings.depth = depth
        swings.extreme = extreme
        return False
    swings.depth = max(swings.depth, depth)
    swings.extreme = max(swings.extreme, extreme)
    known = 0 < swings.previous_age <= memory
    turned = depth < swings.depth * (1.0 - turn)
    if swings.spoken or not known or not turned:
        return False
    swings.spoken = True
    return swings.extreme > swings.previous_extreme and swings.depth < swings.previous_depth


def step(parameters: MacdDivergenceParameters, state: MacdDivergenceState, candle: Candle) -> Decision:
    lines = macd(state.macd, candle.close)
    if lines.histogram != lines.histogram:  # NaN: not warm yet
        return UNDECIDED
    bullish = diverges(state.below, -lines.histogram, -candle.low, parameters.turn, parameters.memory)
    bearish = diverges(state.above, lines.histogram, candle.high, parameters.turn, parameters.memory)
    if bullish:
        state.target = parameters.exposure
        state.stop = -state.below.extreme
        return Decision(state.target, BULLISH)
    if bearish:
        state.target = -parameters.exposure if parameters.allow_short == 1 else 0.0
        state.stop = state.above.extreme
        return Decision(state.target, BEARISH)
    failed_long = state.target > 0.0 and candle.close < state.stop
    failed_short = state.target < 0.0 and candle.close > state.stop
    if failed_long or failed_short:
        state.target = 0.0
        return Decision(0.0, FAILED)
    return Decision(state.target, WAITING if state.target == 0.0 else HOLDING)


MACD_DIVERGENCE = Strategy(
    name="macd_divergence",
    description="Trades turning points: buys when the price makes a lower low that the MACD histogram does not follow, "
    "leaves at the opposite sign or when that low is broken",
    parameters=MacdDivergenceParameters,
    initial_state=initial_state,
    step=step,
    warm_up=lambda parameters: parameters.slow + parameters.signal - 1,
    reasons=("warming_up", "bullish_divergence", "bearish_divergence", "divergence_failed", "holding", "waiting"),
)
