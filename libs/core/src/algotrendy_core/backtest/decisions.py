"""A strategy's step over arrays: the decision of every bar, compiled where numba can and as plain Python where not.

Invariant: a decision depends on its bar and those before it, because the step is shown nothing else; compiled and
uncompiled decisions are the same to the last bit.
"""

from collections import namedtuple
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algotrendy_core import kernels
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.bars import Candle
from algotrendy_core.kernels import Floats, Step
from algotrendy_core.strategies.interface import AnyStrategy, Parameters


class NotCompilable(Exception):
    """numba cannot compile the strategy's step; the run goes on uncompiled. The text is numba's reason."""


class Decider:
    """A strategy's state and the loop that moves it over bars, several calls in a row making one run."""

    def __init__(self, strategy: AnyStrategy, parameters: Parameters, *, compiled: bool) -> None:
        """Raises NotCompilable where ``compiled`` is asked for and cannot be had."""
        state = strategy.initial_state(parameters)
        self._parameters = _as_tuple(type(parameters), parameters)
        self._loop: Callable[..., None]
        if compiled:
            self._loop = _compiled_loop(strategy.step)
            self._state = _record(state)
            self._prove(strategy, parameters)
        else:
            self._loop = _plain_loop(strategy.step)
            self._state = state

    def _prove(self, strategy: AnyStrategy, parameters: Parameters) -> None:
        """Compile now, on no bars, so that failing is known before the run."""
        from numba.core.errors import NumbaError

        nothing = np.empty(0)
        try:
            self._loop(
                self._parameters, self._state, np.empty(0, dtype=np.int64), *[nothing] * 5, nothing,
                np.empty(0, dtype=np.int64),
            )  # fmt: skip
        except NumbaError as error:
            raise NotCompilable(str(error)) from error

    def decide(self, bars: BarSeries, target: Floats, reason: NDArray[np.int64]) -> None:
        """Write the decision of each bar into ``target`` and ``reason``."""
        self._loop(self._parameters, self._state, *bars.columns, target, reason)


def _record(state: Any) -> Any:
    try:
        return kernels.to_record(state)
    except TypeError as error:
        raise NotCompilable(str(error)) from error


@cache
def _tuple_type(model: type[Parameters]) -> Any:
    """One type a model: numba compiles anew for each type that it sees."""
    return namedtuple(model.__name__, model.model_fields)


def _as_tuple(model: type[Parameters], parameters: Parameters) -> Any:
    return _tuple_type(model)(*(getattr(parameters, name) for name in model.model_fields))


@cache
def _compiled_loop(step: Step) -> Callable[..., None]:
    return kernels.compiled(_loop_over(kernels.compiled(step)))


@cache
def _plain_loop(step: Step) -> Callable[..., None]:
    def loop(parameters: Any, state: Any, *columns: Any) -> None:
        *bars, target, reason = columns
        # Python's own floats: numpy's scalars are slower and do not raise on a division by zero.
        _loop_over(step)(parameters, state, *(column.tolist() for column in bars), target, reason)

    return loop


def _loop_over(step: Step) -> Callable[..., None]:
    def loop(
        parameters: Any, state: Any, time: Any, open_: Any, high: Any, low: Any, close: Any, volume: Any,
        target: Any, reason: Any,
    ) -> None:  # fmt: skip
        for i in range(len(close)):
            decision = step(parameters, state, Candle(time[i], open_[i], high[i], low[i], close[i], volume[i]))
            target[i] = decision.target
            reason[i] = decision.reason

    return loop
