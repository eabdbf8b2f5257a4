"""The highest or the lowest of the last ``period`` values.

Invariant: exact, as nothing is added up. The window is searched only when the extreme leaves it, so a step costs one
comparison as a rule and ``period`` at worst.
"""

from dataclasses import dataclass, field
from math import inf, nan

from algotrendy_core.kernels import ring


@dataclass(slots=True)
class ExtremeState:
    period: int
    index: int = 0
    count: int = 0
    best: float = -inf
    best_at: int = -1
    window: list[float] = field(default_factory=list)


def extreme_state(period: int) -> ExtremeState:
    """``period`` at least 1. A state serves either ``highest`` or ``lowest``."""
    return ExtremeState(period, window=ring(period))


def highest(state: ExtremeState, value: float) -> float:
    """Warm after ``period`` values."""
    at = state.index
    state.window[at] = value
    state.index += 1
    if state.index == state.period:
        state.index = 0
    if state.count < state.period:
        state.count += 1
    if value >= state.best:
        state.best = value
        state.best_at = at
    elif at == state.best_at:
        state.best = value
        for k in range(state.count):
            if state.window[k] > state.best:
                state.best = state.window[k]
                state.best_at = k
    if state.count < state.period:
        return nan
    return state.best


def lowest(state: ExtremeState, value: float) -> float:
    """Warm after ``period`` values."""
    best = highest(state, -value)
    return -best if best == best else nan  # not -NaN: its sign bit differs between Python and compiled code
