"""Average true range, Wilder's.

Invariant: the true range needs the close before it, so the first bar has none; the first average is the plain mean of
``period`` true ranges, as in TA-Lib.
"""

from dataclasses import dataclass
from math import nan

from algotrendy_core.indicators.prices import true_range


@dataclass(slots=True)
class AtrState:
    period: int
    count: int = 0
    """Bars seen."""
    previous_close: float = nan
    value: float = 0.0
    """While cold the sum so far, then the average."""


def atr_state(period: int) -> AtrState:
    """``period`` at least 1."""
    return AtrState(period)


def atr(state: AtrState, high: float, low: float, close: float) -> float:
    """In units of price; warm after ``period`` + 1 bars."""
    before = state.previous_close
    state.previous_close = close
    state.count += 1
    if state.count == 1:
        return nan
    moved = true_range(before, high, low)
    if state.count <= state.period + 1:
        state.value += moved
        if state.count <= state.period:
            return nan
        state.value /= state.period
    else:
        state.value = (state.value * (state.period - 1) + moved) / state.period
    return state.value
