"""Volume profile of the last ``period`` bars: at which price most was traded, and within which prices the most part.

Each bar's volume counts at its typical price, in one of ``levels`` equal steps between the window's lowest low and
highest high. The value area grows from the fullest level to the side where the next level holds more, upwards where
both hold the same, until it holds ``share`` of the volume.

Invariant: the profile is taken anew at each step from the window alone; without any volume there is none (NaN).
"""

from dataclasses import dataclass, field
from math import nan
from typing import NamedTuple

from algotrendy_core.indicators.extremes import ExtremeState, extreme_state, highest, lowest
from algotrendy_core.indicators.prices import typical_price
from algotrendy_core.kernels import ring


class VolumeProfile(NamedTuple):
    point_of_control: float
    """The middle of the fullest level, the lowest of several."""
    value_area_low: float
    value_area_high: float


@dataclass(slots=True)
class VolumeProfileState:
    period: int
    levels: int
    share: float
    highest: ExtremeState
    lowest: ExtremeState
    index: int = 0
    prices: list[float] = field(default_factory=list)
    volumes: list[float] = field(default_factory=list)
    profile: list[float] = field(default_factory=list)
    """Volume by level, of the newest window."""


def volume_profile_state(period: int, levels: int = 24, share: float = 0.7) -> VolumeProfileState:
    """``period`` and ``levels`` at least 1, ``share`` above 0 and at most 1."""
    return VolumeProfileState(
        period,
        levels,
        float(share),
        extreme_state(period),
        extreme_state(period),
        prices=ring(period),
        volumes=ring(period),
        profile=ring(levels),
    )


def volume_profile(state: VolumeProfileState, high: float, low: float, close: float, volume: float) -> VolumeProfile:
    """Warm after ``period`` bars."""
    top = highest(state.highest, high)
    bottom = lowest(state.lowest, low)
    state.prices[state.index] = typical_price(high, low, close)
    state.volumes[state.index] = volume
    state.index += 1
    if state.index == state.period:
        state.index = 0
    if top != top:  # NaN: not warm yet
        return VolumeProfile(nan, nan, nan)
    for level in range(state.levels):
        state.profile[level] = 0.0
    step = (top - bottom) / state.levels
    total = 0.0
    for k in range(state.period):
        level = 0
        if step > 0.0:
            level = min(max(int((state.prices[k] - bottom) / step), 0), state.levels - 1)
        state.profile[level] += state.volumes[k]
        total += state.volumes[k]
    if total <= 0.0:
        return VolumeProfile(nan, nan, nan)
    fullest = 0
    for level in range(state.levels):
        if state.profile[level] > state.profile[fullest]:
            fullest = level
    first = fullest
    last = fullest
    held = state.profile[fullest]
    while held < state.share * total and (first > 0 or last < state.levels - 1):
        above = state.profile[last + 1] if last < state.levels - 1 else -1.0
        below = state.profile[first - 1] if first > 0 else -1.0
        if above >= below:
            last += 1
            held += above
        else:
            first -= 1
            held += below
    return VolumeProfile(bottom + (fullest + 0.5) * step, bottom + first * step, bottom + (last + 1) * step)
