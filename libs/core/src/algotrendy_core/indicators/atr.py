"""Average true range, Wilder's.

Invariant: the true range needs the close before it, so the first bar has none; the first average is the plain mean of
``period`` true ranges, as in TA-Lib.
"""

from dataclasses import dataclass
from math import nan

import numpy as np

from algotrendy_core.kernels import Floats, apply_to_bars


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
    true_range = max(high - low, abs(high - before), abs(low - before))
    if state.count <= state.period + 1:
        state.value += true_range
        if state.count <= state.period:
            return nan
        state.value /= state.period
    else:
        state.value = (state.value * (state.period - 1) + true_range) / state.period
    return state.value


def atr_array(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    """Three arrays of shape (n,) in, one out."""
    bars = [np.asarray(column, dtype=np.float64) for column in (high, low, close)]
    return apply_to_bars(atr, atr_state(period), bars[0], bars[1], bars[2])
