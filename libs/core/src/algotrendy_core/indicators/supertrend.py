"""Supertrend: a stop line ``width`` average true ranges from the bar's middle that only follows the trend.

Invariant: TA-Lib's convention: the first warm bar is taken for a rising one. Each band moves towards the price, and
away from it only after a close beyond it; the trend turns with a close beyond the band that is against it.
"""

from dataclasses import dataclass
from math import nan
from typing import NamedTuple

from algotrendy_core.indicators.atr import AtrState, atr, atr_state


class Supertrend(NamedTuple):
    line: float
    trend: float
    """+1 rising, -1 falling."""


@dataclass(slots=True)
class SupertrendState:
    width: float
    range: AtrState
    rising: bool = True
    upper: float = nan
    lower: float = nan
    close: float = nan


def supertrend_state(period: int, width: float = 3.0) -> SupertrendState:
    """``period`` at least 1, ``width`` in average true ranges."""
    return SupertrendState(float(width), atr_state(period))


def supertrend(state: SupertrendState, high: float, low: float, close: float) -> Supertrend:
    """Warm after ``period`` + 1 bars."""
    distance = state.width * atr(state.range, high, low, close)
    if distance != distance:  # NaN: not warm yet
        return Supertrend(nan, nan)
    upper = (high + low) / 2.0 + distance
    lower = (high + low) / 2.0 - distance
    if state.upper != state.upper or upper < state.upper or state.close > state.upper:
        state.upper = upper
    if state.lower != state.lower or lower > state.lower or state.close < state.lower:
        state.lower = lower
    # On the first bar there is no close before it: the trend that it begins with stays.
    if state.close == state.close:
        if state.rising and close < state.lower:
            state.rising = False
        elif not state.rising and close > state.upper:
            state.rising = True
    state.close = close
    if state.rising:
        return Supertrend(state.lower, 1.0)
    return Supertrend(state.upper, -1.0)
