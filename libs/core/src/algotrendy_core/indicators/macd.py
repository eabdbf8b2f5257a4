"""Moving average convergence divergence: fast EMA − slow EMA, its EMA (signal) and their difference (histogram).

Invariant: TA-Lib's alignment. The fast average begins late, so that both are seeded on the same bar, and nothing is
given out before the signal is warm.
"""

from dataclasses import dataclass
from math import nan
from typing import NamedTuple

from algotrendy_core.indicators.ema import EmaState, ema, ema_state


class Macd(NamedTuple):
    macd: float
    signal: float
    histogram: float


@dataclass(slots=True)
class MacdState:
    skip: int
    """Values that the fast average lets pass before it begins."""
    fast: EmaState
    slow: EmaState
    signal: EmaState
    count: int = 0


def macd_state(fast: int, slow: int, signal: int) -> MacdState:
    """``fast`` < ``slow``, all at least 1; raises ValueError otherwise."""
    if not 1 <= fast < slow or signal < 1:
        raise ValueError(f"macd needs 1 <= fast < slow and signal >= 1, not {fast}, {slow}, {signal}")
    return MacdState(slow - fast, ema_state(fast), ema_state(slow), ema_state(signal))


def macd(state: MacdState, value: float) -> Macd:
    """Warm after ``slow`` + ``signal`` − 1 values."""
    state.count += 1
    fast = nan
    if state.count > state.skip:
        fast = ema(state.fast, value)
    slow = ema(state.slow, value)
    if slow != slow:  # the only float that differs from itself is NaN
        return Macd(nan, nan, nan)
    line = fast - slow
    signal = ema(state.signal, line)
    if signal != signal:
        return Macd(nan, nan, nan)
    return Macd(line, signal, line - signal)
