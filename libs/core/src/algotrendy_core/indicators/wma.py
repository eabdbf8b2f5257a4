"""Weighted moving average: weights fall from ``period`` for the newest value to 1 for the oldest.

Invariant: the running sums are taken anew from the window each time it has been written through, so that what floating
point loses never adds up over more than ``period`` steps.
"""

from dataclasses import dataclass, field
from math import nan

from algotrendy_core.kernels import ring


@dataclass(slots=True)
class WmaState:
    period: int
    index: int = 0
    count: int = 0
    total: float = 0.0
    weighted: float = 0.0
    window: list[float] = field(default_factory=list)


def wma_state(period: int) -> WmaState:
    """``period`` at least 1."""
    return WmaState(period, window=ring(period))


def wma(state: WmaState, value: float) -> float:
    """Warm after ``period`` values."""
    # Every value in the window becomes lighter by one weight; the oldest thereby leaves it.
    state.weighted += value * state.period - state.total
    state.total += value - state.window[state.index]
    state.window[state.index] = value
    state.index += 1
    if state.index == state.period:
        state.index = 0
        state.total = 0.0
        state.weighted = 0.0
        for k in range(state.period):
            state.total += state.window[k]
            state.weighted += state.window[k] * (k + 1)
    if state.count < state.period:
        state.count += 1
    if state.count < state.period:
        return nan
    return state.weighted / (state.period * (state.period + 1) // 2)
