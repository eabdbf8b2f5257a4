"""Breakout: buys a close beyond the channel of the bars before it, leaves at a shorter channel or a trailing stop.

Invariant: the channels hold the bars before the present one, so that a bar can break out of them.
"""

from dataclasses import dataclass
from math import nan
from typing import Self

from pydantic import Field, model_validator

from algotrendy_core.bars import Candle
from algotrendy_core.indicators.atr import AtrState, atr, atr_state
from algotrendy_core.indicators.donchian import DonchianState, donchian, donchian_state
from algotrendy_core.strategies import common_fields
from algotrendy_core.strategies.interface import UNDECIDED, Decision, Parameters, Strategy

BROKE_UP = 1
BROKE_DOWN = 2
LEFT_CHANNEL = 3
TRAILING_STOP = 4
HOLDING = 5
WAITING = 6


class BreakoutParameters(Parameters):
    entry: int = Field(
        55, ge=2, le=5000, description="Bars whose range must be broken to enter", json_schema_extra={"unit": "bars"}
    )
    exit: int = Field(
        20, ge=1, le=5000, description="Bars whose opposite end is the way out", json_schema_extra={"unit": "bars"}
    )
    atr: int = Field(14, ge=1, le=1000, description="Length of the true range", json_schema_extra={"unit": "bars"})
    buffer: float = Field(
        0.0,
        ge=0,
        le=10,
        description="Distance beyond the channel that counts as broken",
        json_schema_extra={"unit": "true ranges"},
    )
    stop: float = Field(
        3.0,
        gt=0,
        le=50,
        description="Distance of the trailing stop from the best close",
        json_schema_extra={"unit": "true ranges"},
    )
    exposure: float = common_fields.exposure()
    allow_short: int = common_fields.allow_short()

    @model_validator(mode="after")
    def _exit_is_shorter(self) -> Self:
        if self.exit > self.entry:
            raise ValueError("exit must not be longer than entry")
        return self


@dataclass(slots=True)
class BreakoutState:
    atr: AtrState
    entry: DonchianState
    exit: DonchianState
    upper: float = nan
    """Of the bars before the present one, as are the next three; NaN until there are enough."""
    lower: float = nan
    exit_upper: float = nan
    exit_lower: float = nan
    target: float = 0.0
    best: float = 0.0
    """The best close since the entry."""


def initial_state(parameters: BreakoutParameters) -> BreakoutState:
    return BreakoutState(atr_state(parameters.atr), donchian_state(parameters.entry), donchian_state(parameters.exit))


def remember(state: BreakoutState, high: float, low: float) -> None:
    entry = donchian(state.entry, high, low)
    exit_ = donchian(state.exit, high, low)
    state.upper = entry.upper
    state.lower = entry.lower
    state.exit_upper = exit_.upper
    state.exit_lower = exit_.lower


def choose(parameters: BreakoutParameters, state: BreakoutState, close: float, true_range: float) -> Decision:
    if state.target > 0.0:
        state.best = max(state.best, close)
        if close < state.exit_lower:
            state.target = 0.0
            return Decision(0.0, LEFT_CHANNEL)
        if close < state.best - parameters.stop * true_range:
            state.target = 0.0
            return Decision(0.0, TRAILING_STOP)
        return Decision(state.target, HOLDING)
    if state.target < 0.0:
        state.best = min(state.best, close)
        if close > state.exit_upper:
            state.target = 0.0
            return Decision(0.0, LEFT_CHANNEL)
        if close > state.best + parameters.stop * true_range:
            state.target = 0.0
            return Decision(0.0, TRAILING_STOP)
        return Decision(state.target, HOLDING)
    room = parameters.buffer * true_range
    if close > state.upper + room:
        state.target = parameters.exposure
        state.best = close
        return Decision(state.target, BROKE_UP)
    if parameters.allow_short == 1 and close < state.lower - room:
        state.target = -parameters.exposure
        state.best = close
        return Decision(state.target, BROKE_DOWN)
    return Decision(0.0, WAITING)


def step(parameters: BreakoutParameters, state: BreakoutState, candle: Candle) -> Decision:
    true_range = atr(state.atr, candle.high, candle.low, candle.close)
    decision = UNDECIDED
    if state.upper == state.upper and true_range == true_range:  # NaN differs from itself
        decision = choose(parameters, state, candle.close, true_range)
    remember(state, candle.high, candle.low)
    return decision


BREAKOUT = Strategy(
    name="breakout",
    description="Follows strength: buys a close above the high of the last bars, leaves at the low of fewer bars "
    "or at a trailing stop",
    parameters=BreakoutParameters,
    initial_state=initial_state,
    step=step,
    warm_up=lambda parameters: max(parameters.entry, parameters.atr) + 1,
    reasons=("warming_up", "broke_up", "broke_down", "left_channel", "trailing_stop", "holding", "waiting"),
)
