"""The out-of-sample half of a walk-forward: one account through all windows, each with the parameters found before it.

Invariant: a window trades with parameters found on bars before it, and begins with the equity that the one before it
ended with. It begins flat: what the one before still held is taken at its last close and not traded.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
from algotrendy_common.clock import from_ms
from algotrendy_common.errors import Refused
from algotrendy_common.events.backtest import BacktestSpec
from algotrendy_common.money import from_float
from algotrendy_core.backtest import manifest as manifests
from algotrendy_core.backtest.engine import BacktestResult
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.kernels import Floats
from algotrendy_core.performance import statistics

from algotrendy_backtest.computing.tasks import Values, WalkOut
from algotrendy_backtest.domain import Outcome, equity_points, outcome_of

_CASH_STEP = Decimal("0.00000001")
OutOfSample = Callable[[Values, int, int, Decimal], tuple[BacktestResult, int]]


def walk_out(
    task: WalkOut, spec: BacktestSpec, bars: BarSeries, run: OutOfSample, progress: Callable[[int, int], None]
) -> tuple[Outcome, Floats, BarSeries]:
    """The stitched outcome, its equity and the bars of it; the manifest holds the windows and what came of each."""
    start, stop = task.windows[0].test_start, task.windows[-1].test_stop
    cash, equity = spec.initial_cash, np.empty(stop - start)
    results: list[BacktestResult] = []
    told: list[dict[str, Any]] = []
    for number, (window, values) in enumerate(zip(task.windows, task.parameters, strict=True)):
        here = equity[window.test_start - start : window.test_stop - start]
        if cash <= 0:
            raise Refused("no_cash_left", f"window {number} would begin without cash")
        said: dict[str, Any] = {
            "window": number,
            "train": [_time(bars, window.train_start), _time(bars, window.train_stop)],
            "test": [_time(bars, window.test_start), _time(bars, window.test_stop)],
            "parameters": None,
        }
        if values is None:
            here[:] = float(cash)
        else:
            result, warm = run(values, window.test_start, window.test_stop, cash)
            results.append(result)
            here[:] = result.equity[warm:]
            tried_on = bars.slice(window.test_start, window.test_stop)
            said |= {
                "parameters": dict(values),
                "out_of_sample": _figures(here, tried_on, float(cash), [result]),
                "result_hash": result.result_hash,
            }
            cash = from_float(float(result.equity[-1]), _CASH_STEP)
        told.append(said)
        progress(number + 1, len(task.windows))
    tried_on = bars.slice(start, stop)
    outcomes = [outcome_of(result, spec) for result in results]
    outcome = Outcome(
        statistics=_figures(equity, tried_on, float(spec.initial_cash), results),
        fills=tuple(fill for part in outcomes for fill in part.fills),
        equity=equity_points(equity, tried_on),
        manifest=(outcomes[0].manifest if outcomes else {}) | {"parameters": "by window", "windows": told},
        result_hash=manifests.content_hash(
            equity, *(result.fills for result in results), *(result.trades for result in results)
        ),
        round_trips=tuple(trip for part in outcomes for trip in part.round_trips),
    )
    return outcome, equity, tried_on


def _figures(equity: Floats, bars: BarSeries, initial: float, results: list[BacktestResult]) -> dict[str, Any]:
    return statistics(
        equity,
        bars.time,
        initial=initial,
        bar_seconds=bars.timeframe.seconds,
        profits=np.concatenate([result.trades["profit"] for result in results] or [np.empty(0)]),
        traded_value=sum(result.book.traded_value for result in results),
        fees=sum(result.book.fees for result in results),
        bars_with_position=sum(result.book.bars_with_position for result in results),
    ).as_dict()


def _time(bars: BarSeries, index: int) -> str:
    """When a bar opened; of the one after the last, when the last closed."""
    last = min(index, len(bars) - 1)
    time_ms = int(bars.time[last]) + (index - last) * bars.timeframe.seconds * 1000
    return from_ms(time_ms).isoformat().replace("+00:00", "Z")
