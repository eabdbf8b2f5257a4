"""The general gear: orders followed one by one, from the request to the last fill, with every model that is on.

Invariant: where all models are off, a strategy of targets has the fills that the plain gear gives it, to the last bit;
and compiled or not, cut anywhere or not, the outcome is the same.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algotrendy_core import kernels
from algotrendy_core.backtest.compilation import NotCompilable, bound_loop, given
from algotrendy_core.backtest.config import BacktestConfig, rules_of, tiers_for
from algotrendy_core.backtest.decisions import as_record
from algotrendy_core.backtest.events import NO_RATES, Rates, Trades, path_through
from algotrendy_core.backtest.execution import FILL, TRADE, Book
from algotrendy_core.backtest.ladder_loop import run_ladder, run_targets
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.backtest.working import Request, WorkingOrder, in_flight
from algotrendy_core.instruments import Instrument
from algotrendy_core.kernels import Floats
from algotrendy_core.strategies.interface import AnyStrategy, Parameters, Rung

_ROOM = 16_384
"""Fills written before they are carried off."""


class GeneralRun:
    """A run's whole state; ``advance`` takes it over bars, several calls in a row making one run."""

    def __init__(
        self,
        strategy: AnyStrategy,
        parameters: Parameters,
        instrument: Instrument,
        config: BacktestConfig,
        interval_ms: int,
        funding: Rates | None = None,
        *,
        compiled: bool,
    ) -> None:
        """Raises NotCompilable where ``compiled`` is asked for and cannot be had."""
        self._book = Book(cash=float(config.initial_cash), tiers=tiers_for(instrument, config))
        self._rules = rules_of(instrument, config)
        self._rungs = strategy.rungs(parameters) if strategy.rungs else 0
        self._given = given(parameters)
        self._compiled = compiled
        self._interval = interval_ms
        slots = self._rungs + 1
        state = strategy.initial_state(parameters)
        self._state = as_record(state) if compiled else state
        self._live = kernels.to_record(self._book) if compiled else self._book
        self._orders = rows(WorkingOrder, slots, compiled=compiled)
        self._requests = rows(Request, in_flight(slots, self._rules.latency, interval_ms), compiled=compiled)
        self._ladder = rows(Rung, max(self._rungs, 1), compiled=compiled)
        self._funding = columns((funding or NO_RATES).time, (funding or NO_RATES).rate, compiled=compiled)
        self._loop = bound_loop(run_ladder if strategy.rungs else run_targets, strategy, compiled=compiled)
        if compiled:
            self._prove()

    @property
    def book(self) -> Book:
        if self._compiled:
            kernels.from_record(self._live, self._book)
        return self._book

    def advance(
        self, bars: BarSeries, path: BarSeries | Trades | None, first: int, equity: Floats
    ) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Take the run over ``bars``, of which the first has index ``first``; the pieces of fills and trades."""
        events, offsets = path_through(bars, path)
        most = int(np.diff(offsets).max(initial=1)) * (self._rungs + 3)
        fills, trades = np.empty(max(_ROOM, most), dtype=FILL), np.empty(2 * max(_ROOM, most), dtype=TRADE)
        bar_columns = columns(*bars.columns, compiled=self._compiled)
        event_columns = columns(*events, compiled=self._compiled) if path is not None else bar_columns
        where: Any = offsets if self._compiled else offsets.tolist()
        all_fills, all_trades, start = [], [], 0
        while start < len(bars):
            start, filled, closed = self._call(first, start, bar_columns, event_columns, where, equity, fills, trades)
            all_fills.append(fills[:filled].copy())
            all_trades.append(trades[:closed].copy())
        return all_fills, all_trades

    def _call(self, first: int, start: int, bars: Any, path: Any, offsets: Any, equity: Any, *out: Any) -> Any:
        return self._loop(
            self._given, self._state, self._ladder, self._rungs, self._live, self._rules, self._orders,
            self._requests, first, start, self._interval, bars, path, offsets, self._funding, equity, *out,
        )  # fmt: skip

    def _prove(self) -> None:
        """Compile now, on no bars, so that failing is known before the run."""
        from numba.core.errors import NumbaError

        none = tuple(np.empty(0, dtype=np.int64 if index == 0 else np.float64) for index in range(6))
        try:
            self._call(0, 0, none, none, np.zeros(1, np.int64), none[1], np.empty(0, FILL), np.empty(0, TRADE))
        except NumbaError as error:
            raise NotCompilable(str(error)) from error


def rows(kind: Any, count: int, *, compiled: bool) -> Any:
    """``count`` fresh states of one kind, in the form that the loops take."""
    if compiled:
        made = np.zeros(count, kernels.record_type(kind()))
        made[:] = kernels.to_record(kind())
        return made
    return [kind() for _ in range(count)]


def columns(*arrays: NDArray[Any], compiled: bool) -> tuple[Any, ...]:
    """Arrays for compiled loops; lists of Python's own numbers, which are quicker there, for plain ones."""
    return arrays if compiled else tuple(array.tolist() for array in arrays)
