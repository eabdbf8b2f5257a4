"""Parabolic stop and reverse, Wilder's.

Invariant: TA-Lib's convention: the second bar's move says which way it starts, up where neither side wins, and its
first stop is the first bar's far end. A stop never lies inside the range of the last two bars.
"""

from dataclasses import dataclass
from math import nan
from typing import NamedTuple


class Psar(NamedTuple):
    stop: float
    trend: float
    """+1 the stop is below a rising price, -1 above a falling one."""


@dataclass(slots=True)
class PsarState:
    step: float
    """What each new extreme adds to the acceleration."""
    most: float
    count: int = 0
    rising: bool = True
    stop: float = nan
    """Of the next bar."""
    extreme: float = nan
    acceleration: float = 0.0
    high: float = nan
    low: float = nan


def psar_state(acceleration: float = 0.02, maximum: float = 0.2) -> PsarState:
    """Both at least 0; an acceleration above the maximum is the maximum."""
    return PsarState(float(min(acceleration, maximum)), float(maximum))


def psar(state: PsarState, high: float, low: float) -> Psar:
    """Warm after 2 bars."""
    high_before = state.high
    low_before = state.low
    state.high = high
    state.low = low
    if state.count < 2:
        state.count += 1
        if state.count == 1:
            return Psar(nan, nan)
        down = low_before - low
        state.rising = not (down > 0.0 and high - high_before < down)
        state.acceleration = state.step
        state.stop = low_before if state.rising else high_before
        state.extreme = high if state.rising else low
        high_before = high
        low_before = low
    turned = low <= state.stop if state.rising else high >= state.stop
    if turned:
        state.rising = not state.rising
        state.stop = outside(state.extreme, state.rising, max(high, high_before), min(low, low_before))
        state.acceleration = state.step
        state.extreme = high if state.rising else low
    stop = state.stop
    if not turned and (high > state.extreme if state.rising else low < state.extreme):
        state.extreme = high if state.rising else low
        state.acceleration = min(state.acceleration + state.step, state.most)
    moved = stop + state.acceleration * (state.extreme - stop)
    state.stop = outside(moved, state.rising, max(high, high_before), min(low, low_before))
    return Psar(stop, 1.0 if state.rising else -1.0)


def outside(stop: float, rising: bool, high: float, low: float) -> float:
    """The stop, or the end of the range that it may not lie inside."""
    return min(stop, low) if rising else max(stop, high)
