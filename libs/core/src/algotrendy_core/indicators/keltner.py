"""Keltner channel: the EMA of the typical price, and ``width`` average true ranges to each side of it.

Invariant: TA-Lib's alignment. The average that needs fewer bars begins late, so that both are seeded on the same bar.
"""

from dataclasses import dataclass
from math import nan

from algotrendy_core.indicators.atr import AtrState, atr, atr_state
from algotrendy_core.indicators.bollinger import Bands
from algotrendy_core.indicators.ema import EmaState, ema, ema_state
from algotrendy_core.indicators.prices import typical_price


@dataclass(slots=True)
class KeltnerState:
    width: float
    skip_mean: int
    """Bars that the mean lets pass before it begins, as ``skip_range`` for the range."""
    skip_range: int
    mean: EmaState
    range: AtrState
    count: int = 0


def keltner_state(period: int, atr_period: int = 10, width: float = 2.0) -> KeltnerState:
    """Periods at least 1, ``width`` in average true ranges."""
    ahead = period - (atr_period + 1)
    return KeltnerState(float(width), max(-ahead, 0), max(ahead, 0), ema_state(period), atr_state(atr_period))


def keltner(state: KeltnerState, high: float, low: float, close: float) -> Bands:
    """Warm after ``period`` or ``atr_period`` + 1 bars, whichever is later."""
    state.count += 1
    middle = nan
    distance = nan
    if state.count > state.skip_mean:
        middle = ema(state.mean, typical_price(high, low, close))
    if state.count > state.skip_range:
        distance = atr(state.range, high, low, close) * state.width
    if middle != middle:  # NaN: not warm yet
        return Bands(nan, nan, nan)
    return Bands(middle + distance, middle, middle - distance)
