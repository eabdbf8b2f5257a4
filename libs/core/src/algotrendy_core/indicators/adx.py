"""Average directional index with its two directional indicators, Wilder's.

Invariant: TA-Lib's convention: the sums start with ``period`` − 1 bars' movements and are smoothed from the next on;
the first index is the mean of ``period`` directional movements; a bar without direction leaves the index as it was.
"""

from dataclasses import dataclass
from math import nan
from typing import NamedTuple

from algotrendy_core.indicators.prices import true_range


class Adx(NamedTuple):
    adx: float
    plus_di: float
    minus_di: float


@dataclass(slots=True)
class AdxState:
    period: int
    count: int = 0
    """Bars seen."""
    high: float = nan
    low: float = nan
    close: float = nan
    plus: float = 0.0
    minus: float = 0.0
    range: float = 0.0
    value: float = 0.0
    """While cold the sum so far, then the index."""


def adx_state(period: int) -> AdxState:
    """``period`` at least 2."""
    return AdxState(period)


def adx(state: AdxState, high: float, low: float, close: float) -> Adx:
    """Each between 0 and 100. The indicators are warm after ``period`` + 1 bars, the index after 2 × ``period``."""
    up = high - state.high
    down = state.low - low
    moved = true_range(state.close, high, low)
    state.high = high
    state.low = low
    state.close = close
    state.count += 1
    if state.count == 1:
        return Adx(nan, nan, nan)
    if state.count > state.period:
        state.plus -= state.plus / state.period
        state.minus -= state.minus / state.period
        state.range -= state.range / state.period
    if down > 0.0 and up < down:
        state.minus += down
    elif up > 0.0 and up > down:
        state.plus += up
    state.range += moved
    if state.count <= state.period:
        return Adx(nan, nan, nan)
    plus_di = 0.0
    minus_di = 0.0
    if state.range > 0.0:
        plus_di = 100.0 * (state.plus / state.range)
        minus_di = 100.0 * (state.minus / state.range)
    both = plus_di + minus_di
    directed = both > 0.0
    movement = 100.0 * (abs(minus_di - plus_di) / both) if directed else 0.0
    if state.count <= 2 * state.period:
        state.value += movement
        if state.count < 2 * state.period:
            return Adx(nan, plus_di, minus_di)
        state.value /= state.period
    elif directed:
        state.value = (state.value * (state.period - 1) + movement) / state.period
    return Adx(state.value, plus_di, minus_di)
