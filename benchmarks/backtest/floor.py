"""The floor: a bare numba loop of the same crossover. Two running sums, cash and position, and nothing else.

No order, fee rounding, grid, trade record or reason: what one core can do with this arithmetic at most.
"""

from typing import Any

import numpy as np
from numba import njit


@njit
def bare_loop(open_: Any, close: Any, fast: int, slow: int, cash: float, fee: float) -> tuple[float, int]:
    """Final equity and number of closed trades."""
    fast_sum = 0.0
    slow_sum = 0.0
    position = 0.0
    wanted = False
    trades = 0
    equity = np.empty(len(close))
    for i in range(len(close)):
        if wanted and position == 0.0:
            position = cash / (open_[i] * (1.0 + fee))
            cash = 0.0
        elif not wanted and position > 0.0:
            cash = position * open_[i] * (1.0 - fee)
            position = 0.0
            trades += 1
        fast_sum += close[i]
        slow_sum += close[i]
        if i >= fast:
            fast_sum -= close[i - fast]
        if i >= slow:
            slow_sum -= close[i - slow]
        wanted = i >= slow - 1 and fast_sum / fast > slow_sum / slow
        equity[i] = cash + position * close[i]
    return equity[-1], trades
