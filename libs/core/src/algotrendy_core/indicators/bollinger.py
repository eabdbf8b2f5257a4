"""Bollinger bands: the simple moving average, and ``width`` population standard deviations to each side of it.

Invariant: the deviation is taken around the mean over the whole window at each step, as TA-Lib does since 0.8. Running
sums of squares would be quicker and lose half the digits where the price is large against its movement.
"""

from dataclasses import dataclass, field
from math import nan, sqrt
from typing import NamedTuple

from algotrendy_core.kernels import ring


class Bands(NamedTuple):
    upper: float
    middle: float
    lower: float


@dataclass(slots=True)
class BollingerState:
    period: int
    width: float
    index: int = 0
    count: int = 0
    total: float = 0.0
    window: list[float] = field(default_factory=list)


def bollinger_state(period: int, width: float = 2.0) -> BollingerState:
    """``period`` at least 2, ``width`` in standard deviations."""
    return BollingerState(period, float(width), window=ring(period))


def bollinger(state: BollingerState, value: float) -> Bands:
    """Warm after ``period`` values."""
    state.total += value
    state.window[state.index] = value
    state.index += 1
    if state.index == state.period:
        state.index = 0
    state.count += 1
    if state.count < state.period:
        return Bands(nan, nan, nan)
    middle = state.total / state.period
    squares = 0.0
    for k in range(state.period):
        squares += (state.window[k] - middle) * (state.window[k] - middle)
    deviation = sqrt(squares / state.period)
    state.total -= state.window[state.index]
    return Bands(middle + state.width * deviation, middle, middle - state.width * deviation)
