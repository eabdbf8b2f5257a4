"""Kaufman's adaptive moving average: as quick as the ``fast`` EMA in a straight move, as slow as ``slow`` in noise.

Invariant: TA-Lib's convention: the first result starts from the value before it. A window in which nothing moved counts
as a straight move.
"""

from dataclasses import dataclass, field
from math import nan

from algotrendy_core.kernels import ring


@dataclass(slots=True)
class KamaState:
    period: int
    slowest: float
    """Smoothing at an efficiency of 0."""
    quickening: float
    """What an efficiency of 1 adds to it."""
    index: int = 0
    count: int = 0
    still: int = 0
    """Values in a row that did not move."""
    previous: float = nan
    left: float = nan
    """The value that has last left the window."""
    path: float = 0.0
    """The way gone within the window, there and back."""
    value: float = nan
    window: list[float] = field(default_factory=list)


def kama_state(period: int, fast: int = 2, slow: int = 30) -> KamaState:
    """``period`` at least 2, ``fast`` < ``slow``; raises ValueError otherwise."""
    if not 1 <= fast < slow or period < 2:
        raise ValueError(f"kama needs period >= 2 and 1 <= fast < slow, not {period}, {fast}, {slow}")
    slowest = 2.0 / (slow + 1.0)
    return KamaState(period, slowest, 2.0 / (fast + 1.0) - slowest, window=ring(period))


def kama(state: KamaState, value: float) -> float:
    """Warm after ``period`` + 1 values."""
    oldest = state.window[state.index]
    move = abs(value - state.previous)
    state.window[state.index] = value
    state.index += 1
    if state.index == state.period:
        state.index = 0
    state.count += 1
    if state.count == 1:
        state.previous = value
        return nan
    state.still = state.still + 1 if move == 0.0 else 0
    if state.count > state.period + 1:
        state.path -= abs(state.left - oldest)
    state.path += move
    if state.still >= state.period:
        state.path = 0.0
    if state.count <= state.period:
        state.previous = value
        return nan
    if state.count == state.period + 1:
        state.value = state.previous
    change = value - oldest
    efficiency = 1.0
    if state.path > change and state.path > 0.0:
        efficiency = abs(change / state.path)
    smoothing = efficiency * state.quickening + state.slowest
    state.value = (value - state.value) * (smoothing * smoothing) + state.value
    state.left = oldest
    state.previous = value
    return state.value
