"""Volume-weighted average of the typical price: since the session began, or over the last ``period`` bars.

Invariant: where nothing was traded there is no average: NaN, not the last one. A session is a UTC day by default, found
from the bar's own time. The rolling sums are taken anew at each step: a quiet hour after a wild one loses no digit.
"""

from dataclasses import dataclass, field
from math import nan

from algotrendy_core.indicators.prices import typical_price
from algotrendy_core.kernels import ring

_HOUR_MS = 3_600_000


@dataclass(slots=True)
class SessionVwapState:
    length_ms: int
    session: int = -1
    value: float = 0.0
    """Typical price × volume, summed."""
    volume: float = 0.0


def session_vwap_state(hours: int = 24) -> SessionVwapState:
    """Sessions of ``hours``, counted from midnight of 1970-01-01 UTC."""
    return SessionVwapState(hours * _HOUR_MS)


def session_vwap(state: SessionVwapState, time: int, high: float, low: float, close: float, volume: float) -> float:
    """``time`` is the bar's open in milliseconds since the epoch; warm from the session's first trade on."""
    session = time // state.length_ms
    if session != state.session:
        state.session = session
        state.value = 0.0
        state.volume = 0.0
    state.value += typical_price(high, low, close) * volume
    state.volume += volume
    if state.volume > 0.0:
        return state.value / state.volume
    return nan


@dataclass(slots=True)
class RollingVwapState:
    period: int
    index: int = 0
    count: int = 0
    values: list[float] = field(default_factory=list)
    volumes: list[float] = field(default_factory=list)


def rolling_vwap_state(period: int) -> RollingVwapState:
    """``period`` at least 1."""
    return RollingVwapState(period, values=ring(period), volumes=ring(period))


def rolling_vwap(state: RollingVwapState, high: float, low: float, close: float, volume: float) -> float:
    """Warm after ``period`` bars."""
    state.values[state.index] = typical_price(high, low, close) * volume
    state.volumes[state.index] = volume
    state.index += 1
    if state.index == state.period:
        state.index = 0
    if state.count < state.period:
        state.count += 1
    if state.count < state.period:
        return nan
    value = 0.0
    traded = 0.0
    for k in range(state.period):
        value += state.values[k]
        traded += state.volumes[k]
    if traded > 0.0:
        return value / traded
    return nan
