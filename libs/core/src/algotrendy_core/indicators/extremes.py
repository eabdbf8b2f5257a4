"""The highest or the lowest of the last ``period`` values.

The values come in blocks of ``period``. When a block is full, each of its places is given the best from there to the
block's end; a window is then such an end of the block before, and the present block so far. Invariant: exact, as
nothing is added up; a step costs two comparisons, and at the end of a block ``period`` of them.
"""

from dataclasses import dataclass, field
from math import inf, nan

from algotrendy_core.kernels import ring


@dataclass(slots=True)
class ExtremeState:
    period: int
    index: int = 0
    """Within the present block."""
    count: int = 0
    best: float = -inf
    """Of the present block."""
    window: list[float] = field(default_factory=list)
    """The present block's values, and behind ``index`` the ends of the block before."""


def extreme_state(period: int) -> ExtremeState:
    """``period`` at least 1. A state serves either ``highest`` or ``lowest``."""
    return ExtremeState(period, window=ring(period))


def highest(state: ExtremeState, value: float) -> float:
    """Warm after ``period`` values."""
    at = state.index
    state.window[at] = value
    best = state.best
    if value > best:
        best = value
    at += 1
    if state.count < state.period:
        state.count += 1
    if at < state.period:
        state.index = at
        state.best = best
        if state.count < state.period:
            return nan
        end = state.window[at]
        return end if end > best else best
    state.index = 0
    state.best = -inf
    end = -inf
    for k in range(state.period - 1, -1, -1):
        if state.window[k] > end:
            end = state.window[k]
        state.window[k] = end
    return best


def lowest(state: ExtremeState, value: float) -> float:
    """Warm after ``period`` values."""
    best = highest(state, -value)
    return -best if best == best else nan  # not -NaN: its sign bit differs between Python and compiled code
