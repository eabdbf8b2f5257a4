"""Commodity channel index: how far the typical price is from its mean, in units of 0.015 mean deviations.

Invariant: mean and deviation are taken over the whole window at each step, as in TA-Lib; a price at its mean gives 0,
be it there by rounding's error only.
"""

from dataclasses import dataclass, field
from math import nan

from algotrendy_core.indicators.prices import NEGLIGIBLE, typical_price
from algotrendy_core.kernels import ring


@dataclass(slots=True)
class CciState:
    period: int
    index: int = 0
    count: int = 0
    window: list[float] = field(default_factory=list)


def cci_state(period: int) -> CciState:
    """``period`` at least 2."""
    return CciState(period, window=ring(period))


def cci(state: CciState, high: float, low: float, close: float) -> float:
    """Warm after ``period`` bars."""
    price = typical_price(high, low, close)
    state.window[state.index] = price
    state.index += 1
    if state.index == state.period:
        state.index = 0
    if state.count < state.period:
        state.count += 1
    if state.count < state.period:
        return nan
    mean = 0.0
    for k in range(state.period):
        mean += state.window[k]
    mean /= state.period
    deviation = 0.0
    for k in range(state.period):
        deviation += abs(state.window[k] - mean)
    distance = price - mean
    if abs(distance) <= NEGLIGIBLE * (abs(price) + abs(mean)):
        return 0.0
    return distance / (0.015 * (deviation / state.period))
