"""Simple moving average: the mean of the last ``period`` values, by a running sum as TA-Lib keeps it.

Invariant: the sum holds exactly the values in the window; the oldest leaves it right after each result.
"""

from dataclasses import dataclass, field
from math import nan

from algotrendy_core.kernels import ring


@dataclass(slots=True)
class SmaState:
    period: int
    index: int = 0
    count: int = 0
    total: float = 0.0
    window: list[float] = field(default_factory=list)


def sma_state(period: int) -> SmaState:
    """``period`` at least 1."""
    return SmaState(period, window=ring(period))


def sma(state: SmaState, value: float) -> float:
    """Warm after ``period`` values."""
    state.total += value
    state.window[state.index] = value
    state.index += 1
    if state.index == state.period:
        state.index = 0
    state.count += 1
    if state.count < state.period:
        return nan
    mean = state.total / state.period
    state.total -= state.window[state.index]
    return mean
