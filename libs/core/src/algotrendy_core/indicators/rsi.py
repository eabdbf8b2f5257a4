"""Relative strength index, Wilder's: 100 × smoothed gains / (smoothed gains + smoothed losses).

Invariant: the first averages are plain means of ``period`` changes, as in TA-Lib; no movement at all gives 0.
"""

from dataclasses import dataclass
from math import nan


@dataclass(slots=True)
class RsiState:
    period: int
    count: int = 0
    """Values seen."""
    previous: float = nan
    gain: float = 0.0
    loss: float = 0.0


def rsi_state(period: int) -> RsiState:
    """``period`` at least 2."""
    return RsiState(period)


def rsi(state: RsiState, value: float) -> float:
    """Between 0 and 100; warm after ``period`` + 1 values."""
    change = value - state.previous
    state.previous = value
    state.count += 1
    if state.count == 1:
        return nan
    rise = 0.0
    fall = 0.0
    if change < 0.0:
        fall = -change
    else:
        rise = change
    if state.count <= state.period + 1:
        state.gain += rise
        state.loss += fall
        if state.count <= state.period:
            return nan
        state.gain /= state.period
        state.loss /= state.period
    else:
        state.gain = (state.gain * (state.period - 1) + rise) / state.period
        state.loss = (state.loss * (state.period - 1) + fall) / state.period
    moved = state.gain + state.loss
    if moved == 0.0:
        return 0.0
    return 100.0 * (state.gain / moved)
