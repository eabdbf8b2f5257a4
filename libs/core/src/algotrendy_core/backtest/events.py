"""Data finer than bars, and rates: what the general gear reads beside a series of bars.

Invariant: like a series of bars, each is in order and possible, and its hash names its content exactly.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from algotrendy_common.errors import Refused
from numpy.typing import NDArray

from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.kernels import Floats

Path = tuple[NDArray[Any], ...]
"""Columns of a path through bars: time, open, high, low, close, volume."""


@dataclass(frozen=True, eq=False)
class Trades:
    """Arrays of shape (n,): milliseconds since the epoch, quote per base, base."""

    time: NDArray[np.int64]
    price: Floats
    quantity: Floats

    def __len__(self) -> int:
        return len(self.time)

    @property
    def columns(self) -> Path:
        return (self.time, self.price, self.price, self.price, self.price, self.quantity)

    @cached_property
    def hash(self) -> str:
        return hash_of("trades", self.time, self.price, self.quantity)


@dataclass(frozen=True, eq=False)
class Rates:
    """Funding: at each time (ms) a long position pays ``rate`` of its value, and a short one receives it."""

    time: NDArray[np.int64]
    rate: Floats

    def __len__(self) -> int:
        return len(self.time)

    @cached_property
    def hash(self) -> str:
        return hash_of("rates", self.time, self.rate)


NO_RATES = Rates(np.empty(0, dtype=np.int64), np.empty(0))


def hash_of(kind: str, *columns: NDArray[Any]) -> str:
    """SHA-256 of content, the same on every machine."""
    digest = hashlib.sha256(kind.encode())
    for column in columns:
        digest.update(column.astype(column.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()


def check_events(events: Trades | Rates) -> None:
    """Raises Refused for time going back and for numbers that cannot be."""
    if (np.diff(events.time) < 0).any():
        raise Refused("events_invalid", "time goes back", event=int((np.diff(events.time) < 0).argmax()) + 1)
    columns = (events.price, events.quantity) if isinstance(events, Trades) else (events.rate,)
    for column in columns:
        wrong = ~np.isfinite(column) | ((column <= 0) if isinstance(events, Trades) else False)
        if wrong.any():
            raise Refused("events_invalid", "not a possible number", event=int(wrong.argmax()))


def path_through(bars: BarSeries, finer: BarSeries | Trades | None) -> tuple[Path, NDArray[np.int64]]:
    """The events that make up the bars, and where in them each bar begins (and the last ends).

    A bar without finer events is one itself. Raises Refused where the finer bars are not finer.
    """
    if finer is None:
        return bars.columns, np.arange(len(bars) + 1, dtype=np.int64)
    if isinstance(finer, BarSeries) and bars.timeframe.seconds % finer.timeframe.seconds:
        raise Refused("path_not_finer", f"{bars.timeframe.value} bars are not made of {finer.timeframe.value} bars")
    ends = np.append(bars.time, bars.time[-1:] + bars.timeframe.seconds * 1000)
    offsets = np.searchsorted(finer.time, ends, side="left").astype(np.int64)
    kept = [column[offsets[0] : offsets[-1]] for column in finer.columns] if len(bars) else list(finer.columns)
    offsets -= offsets[0]
    bare = np.flatnonzero(np.diff(offsets) == 0)
    if len(bare):
        kept = [np.insert(column, offsets[bare], own[bare]) for column, own in zip(kept, bars.columns, strict=True)]
        offsets[1:] += np.cumsum(np.diff(offsets) == 0)
    return tuple(kept), offsets
