"""Volume profile of the last ``period`` bars: at which price most was traded, and within which prices the most part.

Each bar's volume counts at its typical price, in one of ``levels`` equal steps between the window's lowest low and
highest high. The value area grows from the fullest level to the side where the next level holds more, upwards where
both hold the same, until it holds ``share`` of the volume.

Invariant: the profile is added up anew at each step from the window alone, so nothing of what left it is in it, not
even rounding; without any volume there is none (NaN).
"""

from dataclasses import dataclass, field
from math import nan
from typing import NamedTuple

from algotrendy_core.indicators.extremes import ExtremeState, extreme_state, highest, lowest
from algotrendy_core.indicators.prices import typical_price
from algotrendy_core.kernels import ring

_PARTS = 4
"""Neighbouring bars mostly count at one level: in one sum each addition would wait for the one before."""

_NARROWEST = 1e-290
"""Prices nearer to one another than this all count at the lowest level: what divides by it is infinite."""


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
    top: float = nan
    bottom: float = nan
    """Between which the window's prices were placed last."""
    prices: list[float] = field(default_factory=list)
    volumes: list[float] = field(default_factory=list)
    places: list[float] = field(default_factory=list)
    """Where in ``profile`` each price of the window counts."""
    profile: list[float] = field(default_factory=list)
    """Volume by level, of the newest window: ``_PARTS`` sums a level, side by side."""


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
        places=ring(period),
        profile=ring(levels * _PARTS),
    )


def volume_profile(state: VolumeProfileState, high: float, low: float, close: float, volume: float) -> VolumeProfile:
    """Warm after ``period`` bars."""
    top = highest(state.highest, high)
    bottom = lowest(state.lowest, low)
    newest = state.index
    state.prices[newest] = typical_price(high, low, close)
    state.volumes[newest] = volume
    state.index += 1
    if state.index == state.period:
        state.index = 0
    if top != top:  # NaN: not warm yet
        return VolumeProfile(nan, nan, nan)
    scale = state.levels / (top - bottom) if top - bottom > _NARROWEST else 0.0
    first = newest
    last = newest
    if top != state.top or bottom != state.bottom:
        first = 0
        last = state.period - 1
        state.top = top
        state.bottom = bottom
    for k in range(first, last + 1):
        level = min(max(int((state.prices[k] - bottom) * scale), 0), state.levels - 1)
        state.places[k] = float(level * _PARTS + k % _PARTS)
    fullest, total = add_up(state)
    if total <= 0.0:
        return VolumeProfile(nan, nan, nan)
    step = (top - bottom) / state.levels
    first, last = around(state, fullest, state.share * total)
    return VolumeProfile(bottom + (fullest + 0.5) * step, bottom + first * step, bottom + (last + 1) * step)


def add_up(state: VolumeProfileState) -> tuple[int, float]:
    """The window's volume by level, into ``profile`` behind its first place, with -1 before and after them.

    Returns the fullest level, and the sum of all.
    """
    profile = state.profile
    levels = state.levels
    for part in range(levels * _PARTS):
        profile[part] = 0.0
    places = state.places
    volumes = state.volumes
    for k in range(state.period):
        profile[int(places[k])] += volumes[k]
    total = 0.0
    fullest = 0
    most = -1.0
    for level in range(levels):
        part = level * _PARTS
        held = (profile[part] + profile[part + 1]) + (profile[part + 2] + profile[part + 3])
        profile[level + 1] = held
        total += held
        fullest = level if held > most else fullest
        most = max(most, held)
    profile[0] = -1.0
    profile[levels + 1] = -1.0
    return fullest, total


def around(state: VolumeProfileState, fullest: int, wanted: float) -> tuple[int, int]:
    """The first and the last of the levels that hold ``wanted``, grown from the fullest."""
    # Without a branch that nobody can foresee: which side is fuller is as good as random.
    profile = state.profile
    last = fullest + 1
    first = fullest + 1
    held = profile[last]
    above = profile[last + 1]
    below = profile[first - 1]
    while held < wanted and max(above, below) >= 0.0:
        up = 1 if above >= below else 0
        held += max(above, below)
        last += up
        first -= 1 - up
        above = profile[last + 1]
        below = profile[first - 1]
    return first - 1, last - 1
