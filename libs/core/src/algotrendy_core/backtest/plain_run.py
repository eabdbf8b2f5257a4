"""The plain gear: market orders at the next open and nothing else, decided and executed in two tight loops.

Invariant: several calls of ``advance`` in a row make one run, wherever the bars are cut.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algotrendy_core import kernels
from algotrendy_core.backtest.config import BacktestConfig, rules_of
from algotrendy_core.backtest.decisions import Decider
from algotrendy_core.backtest.execution import FILL, TRADE, Book, execute
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.instruments import Instrument
from algotrendy_core.kernels import Floats
from algotrendy_core.strategies.interface import AnyStrategy, Parameters


@cache
def _blank_book() -> NDArray[Any]:
    """Made once: working out the record's type takes longer than a thousand bars."""
    return np.array([kernels.to_record(Book(cash=0.0))])


class Buffers:
    """What the loops write into, for pieces of at most ``most_bars``; used again by run after run."""

    def __init__(self, most_bars: int) -> None:
        self.target, self.reason = np.empty(most_bars), np.empty(most_bars, dtype=np.int64)
        self.fills, self.trades = np.empty(most_bars + 1, dtype=FILL), np.empty(2 * most_bars + 2, dtype=TRADE)


class PlainRun:
    """A run's whole state: the strategy's and the account's."""

    def __init__(
        self,
        strategy: AnyStrategy,
        parameters: Parameters,
        instrument: Instrument,
        config: BacktestConfig,
        buffers: Buffers,
        *,
        compiled: bool,
    ) -> None:
        """Raises NotCompilable where ``compiled`` is asked for and cannot be had."""
        self._decider = Decider(strategy, parameters, compiled=compiled)
        self._compiled = compiled
        cash = float(config.initial_cash)
        self._live: Any = Book(cash=cash)
        if compiled:
            self._live = _blank_book().copy()[0]
            self._live["cash"] = cash
        self._rules = rules_of(instrument, config)
        self._execute: kernels.Step = kernels.compiled(execute, on_disk=True) if compiled else execute
        self._buffers = buffers

    @property
    def book(self) -> Book:
        """The account as it stands."""
        if not self._compiled:
            book: Book = self._live
            return book
        # The plain gear knows no tiers; the other fields are in the order of the record.
        return Book(*self._live.tolist()[:-1])

    def advance(self, bars: BarSeries, first: int, equity: Floats) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Take the run over ``bars``, of which the first has index ``first``; the pieces of fills and trades."""
        buffers, count = self._buffers, len(bars)
        target, reason = buffers.target[:count], buffers.reason[:count]
        self._decider.decide(bars, target, reason)
        columns: list[Any] = [bars.time, bars.open, bars.close, target, reason]
        if not self._compiled:
            columns = [column.tolist() for column in columns]
        filled, closed = self._execute(self._live, self._rules, first, *columns, equity, buffers.fills, buffers.trades)
        return [buffers.fills[:filled].copy()], [buffers.trades[:closed].copy()]
