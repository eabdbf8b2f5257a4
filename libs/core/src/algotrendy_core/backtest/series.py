"""Bars as arrays, checked before anything runs on them.

Invariant: a series is in order, without repeats, and every bar of it is possible; its hash names its content exactly.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from numpy.typing import NDArray

from algotrendy_core.bars import Bar, Candle, as_floats
from algotrendy_core.kernels import Floats


@dataclass(frozen=True, eq=False)
class BarSeries:
    """Arrays of shape (n,). ``time`` is the open time in milliseconds since the epoch, prices are quote per base."""

    timeframe: Timeframe
    time: NDArray[np.int64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return len(self.time)

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        return (self.time, self.open, self.high, self.low, self.close, self.volume)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of timeframe and content, the same on every machine."""
        whole = SeriesHash(self.timeframe)
        whole.add(self)
        return whole.hexdigest()

    def slice(self, start: int, stop: int) -> "BarSeries":
        return BarSeries(self.timeframe, *(column[start:stop] for column in self.columns))


class SeriesHash:
    """The hash of a series that comes in pieces: the same, however it is cut."""

    def __init__(self, timeframe: Timeframe) -> None:
        self._timeframe = timeframe
        self._columns = [hashlib.sha256() for _ in Candle._fields]

    def add(self, bars: BarSeries) -> None:
        for digest, column in zip(self._columns, bars.columns, strict=True):
            digest.update(np.ascontiguousarray(column.astype(column.dtype.newbyteorder("<"), copy=False)).data)

    def hexdigest(self) -> str:
        whole = hashlib.sha256(self._timeframe.value.encode())
        for digest in self._columns:
            whole.update(digest.digest())
        return whole.hexdigest()


def series_of(timeframe: Timeframe, candles: Iterable[Candle]) -> BarSeries:
    """A checked series; raises Refused with the first bar that is wrong and why."""
    rows = list(candles)
    columns = list(zip(*rows, strict=True)) or [()] * len(Candle._fields)
    time = np.array(columns[0], dtype=np.int64)
    series = BarSeries(timeframe, time, *(np.array(column, dtype=np.float64) for column in columns[1:]))
    check(series)
    return series


def series_of_bars(timeframe: Timeframe, bars: Iterable[Bar]) -> BarSeries:
    """The same from exact bars."""
    return series_of(timeframe, map(as_floats, bars))


def check(series: BarSeries) -> None:
    """Raises Refused where a bar is impossible: a price of zero, a range that does not hold, time going back."""
    prices = np.stack([series.open, series.high, series.low, series.close])
    faults = {
        "a price is not a positive number": ~(np.isfinite(prices) & (prices > 0)).all(axis=0),
        "the volume is not a number of zero or more": ~(np.isfinite(series.volume) & (series.volume >= 0)),
        "high and low do not contain open and close": (series.high < prices.max(axis=0))
        | (series.low > prices.min(axis=0)),
        "the time is not later than that of the bar before": np.concatenate(
            (np.zeros(min(len(series), 1), dtype=bool), np.diff(series.time) <= 0)
        ),
        "the time is not the start of an interval": series.time % (series.timeframe.seconds * 1000) != 0,
    }
    for fault, where in faults.items():
        if where.any():
            first = int(where.argmax())
            raise Refused(
                "bars_invalid", fault, bar=first, time_ms=int(series.time[first]), bars_affected=int(where.sum())
            )
