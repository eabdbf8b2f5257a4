"""Runs over more bars than fit into memory: what is kept of each piece, and in how much room.

The equity curve is thinned: every bar is kept until 65,536 are, then every second, every fourth and so on; the last
bar always. Fills and trades go to an unnamed temporary file. Statistics and hashes are of every bar, not of the kept
ones. Invariant: memory does not grow with the bars, and the hashes are those of the same run in one piece.
"""

import tempfile
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from algotrendy_common.errors import Refused
from numpy.typing import NDArray

from algotrendy_core.backtest.manifest import ContentHash
from algotrendy_core.backtest.series import BarSeries, SeriesHash, check
from algotrendy_core.kernels import Floats
from algotrendy_core.performance import YEAR_S, Statistics, profit_factor, win_rate

_POINTS = 65_536


@dataclass(frozen=True, slots=True)
class Streamed:
    """What a streamed run says of the bars that it did not keep."""

    bars: int
    every: int
    """One bar in so many is in the result's bars and equity, and the last."""
    data_hash: str
    equity: ContentHash
    curve: "RunningCurve"


class Kept:
    """Bars and equity, thinned as they come."""

    def __init__(self) -> None:
        self.every = 1
        self._columns: list[list[NDArray[Any]]] = []
        self._last: list[NDArray[Any]] = []
        self._seen = 0
        self._count = 0

    def add(self, bars: BarSeries, equity: Floats) -> None:
        columns = [*bars.columns, equity]
        begin = -self._seen % self.every
        self._keep([column[begin :: self.every].copy() for column in columns])
        self._seen += len(bars)
        self._last = [column[-1:].copy() for column in columns]
        while self._count > _POINTS:
            whole = self._whole()
            self.every *= 2
            self._columns, self._count = [], 0
            self._keep([column[::2].copy() for column in whole])

    def _keep(self, columns: list[NDArray[Any]]) -> None:
        self._columns.append(columns)
        self._count += len(columns[0])

    def _whole(self) -> list[NDArray[Any]]:
        return [np.concatenate(column) for column in zip(*self._columns, strict=True)]

    def columns(self) -> list[NDArray[Any]]:
        """The bars' columns and the equity, with the last bar."""
        whole = self._whole()
        if (self._seen - 1) % self.every:
            return [np.append(column, last) for column, last in zip(whole, self._last, strict=True)]
        return whole


class Spool:
    """Rows of one type in an unnamed file that goes with the last who reads it."""

    def __init__(self, kind: np.dtype[Any]) -> None:
        self._kind = kind
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the array that reads it
        self._count = 0

    def add(self, pieces: list[NDArray[Any]]) -> None:
        for piece in pieces:
            self._file.write(piece.tobytes())
            self._count += len(piece)

    def rows(self) -> NDArray[Any]:
        self._file.flush()
        if not self._count:
            return np.empty(0, dtype=self._kind)
        return np.memmap(self._file, dtype=self._kind, mode="r", shape=(self._count,))


class RunningCurve:
    """Statistics of an equity curve that passes by: the same sums as ``performance`` takes of a whole one."""

    def __init__(self, initial: float) -> None:
        self.initial = initial
        self.last = initial
        self.count = 0
        self._mean = 0.0
        self._squares = 0.0
        self._downside = 0.0
        self._total = 0.0
        self._peak, self._peak_time = initial, 0
        self.worst = 0.0
        self._worst_peak = 0.0
        self.times: tuple[int, int, int | None] | None = None
        """Of the worst drawdown: peak, trough and recovery."""

    def add(self, time: NDArray[np.int64], equity: Floats) -> None:
        if not self.count:
            self._peak_time = int(time[0])
        returns = equity / np.concatenate(([self.last], equity[:-1])) - 1.0
        # Chan's way to join the deviations of two parts.
        mean, size, both = float(returns.mean()), len(returns), self.count + len(returns)
        self._squares += float(((returns - mean) ** 2).sum()) + (mean - self._mean) ** 2 * self.count * size / both
        self._mean += (mean - self._mean) * size / both
        self._downside += float((np.minimum(returns, 0.0) ** 2).sum())
        self._total += float(equity.sum())
        self.count, self.last = both, float(equity[-1])
        self._fall(time, equity)

    def _fall(self, time: NDArray[np.int64], equity: Floats) -> None:
        if self.times is not None and self.times[2] is None:
            back = np.flatnonzero(equity >= self._worst_peak)
            if len(back):
                self.times = (self.times[0], self.times[1], int(time[back[0]]))
        highest = np.maximum.accumulate(np.concatenate(([self._peak], equity)))[1:]
        fall = 1.0 - equity / highest
        trough = int(fall.argmax())
        if fall[trough] > self.worst:
            self.worst, self._worst_peak = float(fall[trough]), float(highest[trough])
            at = int(equity[: trough + 1].argmax())
            peak = int(time[at]) if equity[at] >= highest[trough] and highest[trough] > self._peak else self._peak_time
            back = np.flatnonzero(equity[trough:] >= self._worst_peak)
            self.times = (peak, int(time[trough]), int(time[trough + back[0]]) if len(back) else None)
        if highest[-1] > self._peak:
            self._peak, self._peak_time = float(highest[-1]), int(time[int(equity.argmax())])

    def statistics(
        self, bar_seconds: int, profits: Floats, traded_value: float, fees: float, bars_with_position: int
    ) -> Statistics:
        per_year = YEAR_S / bar_seconds
        yearly = sqrt(per_year)
        deviation = sqrt(self._squares / (self.count - 1)) if self.count > 1 else None
        downside = sqrt(self._downside / self.count)
        average = self._total / self.count
        annual = annual_return(self.initial, self.last, self.count / per_year)
        peak, trough, recovered = self.times or (None, None, None)
        return Statistics(
            bars=self.count,
            initial_equity=self.initial,
            final_equity=self.last,
            total_return=self.last / self.initial - 1.0,
            annual_return=annual,
            volatility=None if deviation is None else deviation * yearly,
            sharpe=self._mean / deviation * yearly if deviation else None,
            sortino=self._mean / downside * yearly if downside and self.count > 1 else None,
            calmar=annual / self.worst if self.worst and annual is not None else None,
            max_drawdown=self.worst,
            max_drawdown_peak=peak,
            max_drawdown_trough=trough,
            max_drawdown_recovered=recovered,
            trades=len(profits),
            win_rate=win_rate(profits),
            profit_factor=profit_factor(profits),
            average_trade=float(profits.mean()) if len(profits) else None,
            best_trade=float(profits.max()) if len(profits) else None,
            worst_trade=float(profits.min()) if len(profits) else None,
            exposure=bars_with_position / self.count,
            turnover=traded_value / average if average > 0 else None,
            fees=fees,
        )


def annual_return(initial: float, final: float, years: float) -> float | None:
    """None where it is not a number anybody needs."""
    try:
        return (final / initial) ** (1.0 / years) - 1.0 if final > 0 else None
    except OverflowError:
        return None


class Joints:
    """Checks that pieces belong together, and hashes them as the whole that they are."""

    def __init__(self) -> None:
        self.hash: SeriesHash | None = None
        self.first: BarSeries | None = None
        self.last_ms = 0
        self.bars = 0

    def add(self, bars: BarSeries) -> None:
        """Raises Refused for a piece of another timeframe, one that is not later, and one that is not possible."""
        check(bars)
        if self.first is None or self.hash is None:
            self.first, self.hash = bars.slice(0, 1), SeriesHash(bars.timeframe)
        elif bars.timeframe is not self.first.timeframe or int(bars.time[0]) <= self.last_ms:
            raise Refused(
                "bars_invalid", "a piece of the stream does not follow the one before", time_ms=int(bars.time[0])
            )
        self.hash.add(bars)
        self.last_ms = int(bars.time[-1])
        self.bars += len(bars)
