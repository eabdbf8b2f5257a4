"""Money flow index: of the money that flowed with moves of the typical price, the share that flowed with rises.

Invariant: TA-Lib's convention: a typical price that moved by no more than rounding has no flow, and a window without
any flow gives 0.
"""

from dataclasses import dataclass, field
from math import nan

from algotrendy_core.indicators.prices import NEGLIGIBLE, typical_price
from algotrendy_core.kernels import ring


@dataclass(slots=True)
class MfiState:
    period: int
    index: int = 0
    count: int = 0
    """Bars seen."""
    without_flow: int = 0
    """Bars in a row."""
    previous: float = nan
    up: float = 0.0
    down: float = 0.0
    window: list[float] = field(default_factory=list)
    """Flows, those of falls below zero."""


def mfi_state(period: int) -> MfiState:
    """``period`` at least 2."""
    return MfiState(period, window=ring(period))


def mfi(state: MfiState, high: float, low: float, close: float, volume: float) -> float:
    """Between 0 and 100; warm after ``period`` + 1 bars."""
    price = typical_price(high, low, close)
    before = state.previous
    state.previous = price
    state.count += 1
    if state.count == 1:
        return nan
    leaving = state.window[state.index]
    if leaving > 0.0:
        state.up -= leaving
    else:
        state.down += leaving
    flow = 0.0
    move = price - before
    if abs(move) > NEGLIGIBLE * (abs(price) + abs(before)):
        flow = price * volume
    state.without_flow = state.without_flow + 1 if flow == 0.0 else 0
    if move < 0.0:
        state.down += flow
        flow = -flow
    else:
        state.up += flow
    state.window[state.index] = flow
    state.index += 1
    if state.index == state.period:
        state.index = 0
    if state.without_flow >= state.period:  # what is left in the sums is rounding
        state.up = 0.0
        state.down = 0.0
    if state.count <= state.period:
        return nan
    total = state.up + state.down
    if total <= 0.0:
        return 0.0
    return 100.0 * (min(max(state.up, 0.0), total) / total)
