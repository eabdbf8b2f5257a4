"""Exponential moving average with weight 2 / (period + 1), seeded by the mean of its first ``period`` values.

Invariant: TA-Lib's convention (its default, not Metastock's): the first result is the plain mean.
"""

from dataclasses import dataclass
from math import nan


@dataclass(slots=True)
class EmaState:
    period: int
    count: int = 0
    value: float = 0.0
    """While cold the sum so far, then the average."""


def ema_state(period: int) -> EmaState:
    """``period`` at least 1."""
    return EmaState(period)


def ema(state: EmaState, value: float) -> float:
    """Warm after ``period`` values."""
    if state.count < state.period:
        state.count += 1
        state.value += value
        if state.count < state.period:
            return nan
        state.value = state.value / state.period
        return state.value
    state.value = (value - state.value) * (2.0 / (state.period + 1)) + state.value
    return state.value
