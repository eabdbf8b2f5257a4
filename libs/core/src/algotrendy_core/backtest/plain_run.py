"""The plain gear: market orders at the next open and nothing else, decided and executed in two tight loops.

Invariant: several calls of ``advance`` in a row make one run, wherever the bars are cut.
"""

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


class PlainRun:
    """A run's whole state: the strategy's, the account's, and the buffers that are used again for each piece."""

    def __init__(
        self,
        strategy: AnyStrategy,
        parameters: Parameters,
        instrument: Instrument,
        config: BacktestConfig,
        most_bars: int,
        *,
        compiled: bool,
    ) -> None:
        """``most_bars``: the longest piece. Raises NotCompilable where ``compiled`` is asked for and cannot be had."""
        self._decider = Decider(strategy, parameters, compiled=compiled)
        self._compiled = compiled
        self._book = Book(cash=float(config.initial_cash))
        self._live = kernels.to_record(self._book) if compiled else self._book
        self._rules = rules_of(instrument, config)
        self._execute: kernels.Step = kernels.compiled(execute, on_disk=True) if compiled else execute
        self._target, self._reason = np.empty(most_bars), np.empty(most_bars, dtype=np.int64)
        self._fills, self._trades = np.empty(most_bars + 1, dtype=FILL), np.empty(2 * most_bars + 2, dtype=TRADE)

    @property
    def book(self) -> Book:
        if self._compiled:
            kernels.from_record(self._live, self._book)
        return self._book

    def advance(self, bars: BarSeries, first: int, equity: Floats) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Take the run over ``bars``, of which the first has index ``first``; the pieces of fills and trades."""
        count = len(bars)
        self._decider.decide(bars, self._target[:count], self._reason[:count])
        columns: list[Any] = [bars.time, bars.open, bars.close, self._target[:count], self._reason[:count]]
        if not self._compiled:
            columns = [column.tolist() for column in columns]
        filled, closed = self._execute(self._live, self._rules, first, *columns, equity, self._fills, self._trades)
        return [self._fills[:filled].copy()], [self._trades[:closed].copy()]
