"""On-balance volume: the volume of rising closes minus that of falling ones, summed.

Invariant: TA-Lib's convention: it starts with the first bar's volume. Only its changes mean something.
"""

from dataclasses import dataclass
from math import nan


@dataclass(slots=True)
class ObvState:
    previous: float = nan
    value: float = 0.0


def obv_state() -> ObvState:
    """Has no period."""
    return ObvState()


def obv(state: ObvState, close: float, volume: float) -> float:
    """In units of volume; warm from the first bar on."""
    if close < state.previous:
        state.value -= volume
    elif close != state.previous:  # a rise, or the first bar: nothing equals NaN
        state.value += volume
    state.previous = close
    return state.value
