"""A strategy's step over arrays: the decision of every bar, compiled where numba can and as plain Python where not.

Invariant: a decision depends on its bar and those before it, because the step is shown nothing else; compiled and
uncompiled decisions are the same to the last bit.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algotrendy_core import kernels
from algotrendy_core.backtest.compilation import NotCompilable, bound_loop, given
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.backtest.target_loop import decide_bars
from algotrendy_core.kernels import Floats
from algotrendy_core.strategies.interface import AnyStrategy, Parameters

__all__ = ["Decider", "NotCompilable", "as_record"]


class Decider:
    """A strategy's state and the loop that moves it over bars, several calls in a row making one run."""

    def __init__(self, strategy: AnyStrategy, parameters: Parameters, *, compiled: bool) -> None:
        """Raises NotCompilable where ``compiled`` is asked for and cannot be had."""
        state = strategy.initial_state(parameters)
        self._compiled = compiled
        self._given = given(parameters)
        self._loop = bound_loop(decide_bars, strategy, compiled=compiled)
        self._state = as_record(state) if compiled else state
        if compiled:
            self._prove()

    def _prove(self) -> None:
        """Compile now, on no bars, so that failing is known before the run."""
        from numba.core.errors import NumbaError

        nothing, none = np.empty(0), np.empty(0, dtype=np.int64)
        try:
            self._loop(self._given, self._state, none, *[nothing] * 5, nothing, none)
        except NumbaError as error:
            raise NotCompilable(str(error)) from error

    def decide(self, bars: BarSeries, target: Floats, reason: NDArray[np.int64]) -> None:
        """Write the decision of each bar into ``target`` and ``reason``."""
        columns: list[Any] = list(bars.columns)
        if not self._compiled:
            # Python's own floats: numpy's scalars are slower and do not raise on a division by zero.
            columns = [column.tolist() for column in columns]
        self._loop(self._given, self._state, *columns, target, reason)


def as_record(state: Any) -> Any:
    """The state as compiled code has it; raises NotCompilable where it has no such form."""
    try:
        return kernels.to_record(state)
    except TypeError as error:
        raise NotCompilable(str(error)) from error
