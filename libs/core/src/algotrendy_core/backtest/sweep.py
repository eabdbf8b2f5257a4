"""Many parameter sets over one series: the bars are shared, the buffers are used again, statistics are all that stays.

Invariant: each row is what a run of that set alone gives, whatever the number of threads; memory grows by one row of
statistics a set and by nothing else. Threads run side by side, because compiled loops let go of Python's lock.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from math import nan, sqrt
from threading import Lock
from typing import Any

import numpy as np
from algotrendy_common.errors import Refused
from numpy.typing import NDArray

from algotrendy_core import kernels
from algotrendy_core.backtest.compilation import NotCompilable
from algotrendy_core.backtest.config import BacktestConfig, checked
from algotrendy_core.backtest.engine import run_backtest
from algotrendy_core.backtest.plain_run import Buffers, PlainRun
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.instruments import Instrument
from algotrendy_core.performance import YEAR_S
from algotrendy_core.strategies.interface import AnyStrategy, Parameters

ROW = np.dtype(
    [
        ("final_equity", np.float64),
        ("total_return", np.float64),
        ("sharpe", np.float64),
        ("max_drawdown", np.float64),
        ("trades", np.int64),
        ("win_rate", np.float64),
        ("profit_factor", np.float64),
        ("exposure", np.float64),
        ("fees", np.float64),
        ("fills", np.int64),
    ]
)
"""Statistics of one set, by the conventions of ``performance``; NaN is what it calls None."""

_CHUNK = 65_536
"""Bars at a time: what a loop writes stays in the processor's caches, and calling it costs little beside running it."""


def sweep(
    strategy: AnyStrategy,
    parameter_sets: Iterable[Parameters],
    bars: BarSeries,
    instrument: Instrument,
    config: BacktestConfig,
    *,
    threads: int = 1,
    compiled: bool = True,
) -> NDArray[Any]:
    """One ``ROW`` for each set, in their order; a strategy or model that needs the general gear goes through it.

    Raises Refused as ``run_backtest`` does.
    """
    checked(config)
    if not len(bars):
        raise Refused("no_bars", "there are no bars to run on")
    sets = _Numbered(parameter_sets)
    found: list[tuple[int, NDArray[Any]]] = []

    def work() -> None:
        one = _Runner(strategy, bars, instrument, config, compiled=compiled)
        for index, parameters in sets:
            found.append((index, one.row(parameters)))

    if threads == 1:
        work()
    else:
        with ThreadPoolExecutor(threads, "sweep") as pool:
            for done in [pool.submit(work) for _ in range(threads)]:
                done.result()
    rows = np.empty(len(found), dtype=ROW)
    for index, row in found:
        rows[index] = row
    return rows


class _Numbered:
    """The sets with their places, given out one at a time to whoever asks next."""

    def __init__(self, sets: Iterable[Parameters]) -> None:
        self._sets = enumerate(sets)
        self._lock = Lock()

    def __iter__(self) -> Iterator[tuple[int, Parameters]]:
        while True:
            with self._lock:
                item = next(self._sets, None)
            if item is None:
                return
            yield item


class _Runner:
    """One thread's: runs a set at a time over the shared bars."""

    def __init__(
        self,
        strategy: AnyStrategy,
        bars: BarSeries,
        instrument: Instrument,
        config: BacktestConfig,
        *,
        compiled: bool,
    ) -> None:
        self._strategy, self._bars, self._instrument, self._config = strategy, bars, instrument, config
        self._compiled = compiled
        self._plainly = strategy.rungs is None and config.fills_at_opens_only
        self._parts = [bars.slice(start, start + _CHUNK) for start in range(0, len(bars), _CHUNK)]
        self._buffers = Buffers(_CHUNK)
        self._equity = np.empty(_CHUNK)
        self._sums = np.empty(5)

    def row(self, parameters: Parameters) -> NDArray[Any]:
        if not self._plainly:
            return self._through_engine(parameters)
        try:
            run = PlainRun(
                self._strategy, parameters, self._instrument, self._config, self._buffers, compiled=self._compiled
            )
        except NotCompilable:
            self._compiled = False
            return self.row(parameters)
        take = kernels.compiled(take_in, on_disk=True) if self._compiled else take_in
        initial = float(self._config.initial_cash)
        self._sums[:] = (initial, initial, 0.0, 0.0, 0.0)
        profits, fills = [], 0
        for index, part in enumerate(self._parts):
            equity = self._equity[: len(part)]
            new_fills, new_trades = run.advance(part, index * _CHUNK, equity)
            take(self._sums, equity)
            fills += sum(map(len, new_fills))
            profits += [piece["profit"] for piece in new_trades]
        book, count = run.book, len(self._bars)
        return _row(
            self._sums, count, YEAR_S / self._bars.timeframe.seconds, initial, np.concatenate(profits),
            book.bars_with_position / count, book.fees, fills,
        )  # fmt: skip

    def _through_engine(self, parameters: Parameters) -> NDArray[Any]:
        result = run_backtest(
            self._strategy, parameters, self._bars, self._instrument, self._config, compiled=self._compiled
        )
        initial = float(self._config.initial_cash)
        self._sums[:] = (initial, initial, 0.0, 0.0, 0.0)
        take_in(self._sums, result.equity.tolist())
        return _row(
            self._sums, len(self._bars), YEAR_S / self._bars.timeframe.seconds, initial, result.trades["profit"],
            result.book.bars_with_position / len(self._bars), result.book.fees, len(result.fills),
        )  # fmt: skip


def take_in(sums: Any, equity: Any) -> None:
    """Last and highest equity, deepest fall, and the sums of returns and of their squares, moved on by a piece."""
    last, highest, deepest, total, squares = sums[0], sums[1], sums[2], sums[3], sums[4]
    for i in range(len(equity)):
        worth = equity[i]
        if worth == last:
            continue  # flat: a return of zero, which adds nothing
        change = worth / last - 1.0 if last != 0.0 else 0.0
        last = worth
        total += change
        squares += change * change
        if worth > highest:
            highest = worth
        elif highest - worth > deepest * highest:
            deepest = 1.0 - worth / highest
    sums[0], sums[1], sums[2], sums[3], sums[4] = last, highest, deepest, total, squares


def _row(
    sums: Any, count: int, per_year: float, initial: float, profits: Any, exposure: float, fees: float, fills: int
) -> NDArray[Any]:
    last, _, deepest, total, squares = (float(value) for value in sums)
    mean = total / count
    variance = (squares - count * mean * mean) / (count - 1) if count > 1 else 0.0
    lost = float(-profits[profits < 0].sum())
    row = np.zeros(1, dtype=ROW)
    row[0] = (
        last,
        last / initial - 1.0,
        mean / sqrt(variance) * sqrt(per_year) if variance > 0.0 else nan,
        deepest,
        len(profits),
        float((profits > 0).mean()) if len(profits) else nan,
        float(profits[profits > 0].sum()) / lost if lost else nan,
        exposure,
        fees,
        fills,
    )
    return row[0:1]
