"""Donchian channel: the highest high and the lowest low of the last ``period`` bars, and the middle between them.

Invariant: the newest bar belongs to the window, as in TA-Lib; a strategy that trades breakouts compares a close with
the channel of the bar before.
"""

from dataclasses import dataclass

from algotrendy_core.indicators.bollinger import Bands
from algotrendy_core.indicators.extremes import ExtremeState, extreme_state, highest, lowest


@dataclass(slots=True)
class DonchianState:
    highest: ExtremeState
    lowest: ExtremeState


def donchian_state(period: int) -> DonchianState:
    """``period`` at least 1."""
    return DonchianState(extreme_state(period), extreme_state(period))


def donchian(state: DonchianState, high: float, low: float) -> Bands:
    """Warm after ``period`` bars."""
    upper = highest(state.highest, high)
    lower = lowest(state.lowest, low)
    return Bands(upper, (upper + lower) / 2.0, lower)
