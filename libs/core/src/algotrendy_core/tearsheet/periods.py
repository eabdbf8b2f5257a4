"""Equity cut at the calendar's months and years, and ratios over a window that moves.

Invariant: every table multiplies up to the whole: the months' returns compound to the total.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from algotrendy_core.kernels import Floats


@dataclass(frozen=True, slots=True)
class Month:
    year: int
    month: int
    """From 1."""
    change: float


def monthly(equity: Floats, times: NDArray[np.int64], initial: float) -> tuple[Month, ...]:
    """``times`` of the equity's points, ascending, milliseconds; a month without a point has no row."""
    if not len(equity):
        return ()
    months = times.astype("datetime64[ms]").astype("datetime64[M]").astype(np.int64)
    last = np.append(np.flatnonzero(np.diff(months)), len(months) - 1)
    ends = equity[last]
    before = np.concatenate(([initial], ends[:-1]))
    return tuple(
        Month(1970 + int(month) // 12, int(month) % 12 + 1, float(end / start) - 1.0)
        for month, end, start in zip(months[last], ends, before, strict=True)
    )


def rolling_sharpe(returns: Floats, window: int, periods_per_year: float) -> Floats:
    """Of the last ``window`` returns at each point, shape (n,); NaN before there are so many, and where none moved."""
    out = np.full(len(returns), np.nan)
    if window < 2 or len(returns) < window:
        return out
    parts = np.lib.stride_tricks.sliding_window_view(returns, window)
    deviation = parts.std(axis=1, ddof=1)
    moved = deviation > 1e-15
    out[window - 1 :][moved] = parts.mean(axis=1)[moved] / deviation[moved] * sqrt(periods_per_year)
    return out
