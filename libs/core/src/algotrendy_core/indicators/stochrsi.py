"""Stochastic RSI: where the RSI stands between its lowest and highest of late, 0 to 100, and the mean of that.

Invariant: TA-Lib's convention: %K is not smoothed, nothing is given out before %D is warm, and an RSI that moved by no
more than rounding within the window gives 0.
"""

from dataclasses import dataclass
from math import nan
from typing import NamedTuple

from algotrendy_core.indicators.extremes import ExtremeState, extreme_state, highest, lowest
from algotrendy_core.indicators.prices import NEGLIGIBLE
from algotrendy_core.indicators.rsi import RsiState, rsi, rsi_state
from algotrendy_core.indicators.sma import SmaState, sma, sma_state


class StochRsi(NamedTuple):
    k: float
    d: float


@dataclass(slots=True)
class StochRsiState:
    rsi: RsiState
    highest: ExtremeState
    lowest: ExtremeState
    mean: SmaState


def stochrsi_state(period: int, k: int = 14, d: int = 3) -> StochRsiState:
    """``period`` of the RSI at least 2, ``k`` of the range and ``d`` of the mean at least 1."""
    return StochRsiState(rsi_state(period), extreme_state(k), extreme_state(k), sma_state(d))


def stochrsi(state: StochRsiState, value: float) -> StochRsi:
    """Warm after ``period`` + ``k`` + ``d`` − 1 values."""
    strength = rsi(state.rsi, value)
    if strength != strength:  # NaN: not warm yet
        return StochRsi(nan, nan)
    high = highest(state.highest, strength)
    low = lowest(state.lowest, strength)
    if high != high:
        return StochRsi(nan, nan)
    k = 0.0
    if high - low > NEGLIGIBLE * (high + low):
        k = (strength - low) / ((high - low) / 100.0)
    d = sma(state.mean, k)
    if d != d:
        return StochRsi(nan, nan)
    return StochRsi(k, d)
