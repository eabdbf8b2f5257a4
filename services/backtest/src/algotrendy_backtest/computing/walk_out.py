"""The out-of-sample half of a walk-forward: one account through all windows, each with the parameters found before it.

Invariant: a window trades with parameters found on bars before it, and begins with the equity that the one before it
ended with. It begins flat: what the one before still held is taken at its last close and not traded.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
from algotrendy_common.clock import from_ms
from algotrendy_common.errors import Refused
from algotrendy_common.events.backtest import BacktestSpec
from algotrendy_common.money import from_float
from algotrendy_core.backtest.engine import BacktestResult
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.kernels import Floats

from algotrendy_backtest.computing.tasks import Values, WalkOut
from algotrendy_backtest.domain import Outcome, outcome_of

_CASH_STEP = Decimal("0.00000001")
OutOfSample = Callable[[Values, int, int, Decimal], tuple[BacktestResult, int]]


def walk_out(
    task: WalkOut, spec: BacktestSpec, bars: BarSeries, run: OutOfSample, progress: Callable[[int, int], None]
) -> tuple[Outcome, BacktestResult]:
    """The windows as one run, whose parameters are the last window's; the outcome's manifest tells of each."""
    start, stop = task.windows[0].test_start, task.windows[-1].test_stop
    cash, equity = spec.initial_cash, np.empty(stop - start)
    parts: list[BacktestResult] = []
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
            tried_on = bars.slice(window.test_start, window.test_stop)
            alone = _one_run([_without_warm_up(result, warm, 0)], tried_on, result.equity[warm:], cash)
            parts.append(_without_warm_up(result, warm, window.test_start - start))
            here[:] = alone.equity
            said |= {
                "parameters": dict(values),
                "out_of_sample": alone.statistics.as_dict(),
                "result_hash": alone.result_hash,
            }
            cash = from_float(float(here[-1]), _CASH_STEP)
        told.append(said)
        progress(number + 1, len(task.windows))
    whole = _one_run(parts, bars.slice(start, stop), equity, spec.initial_cash)
    outcome = outcome_of(whole, spec)
    return replace(outcome, manifest=outcome.manifest | {"parameters": "by window", "windows": told}), whole


def _without_warm_up(result: BacktestResult, warm: int, bars_before: int) -> BacktestResult:
    """With its bars counted from where the windows begin, not from where it was warmed up."""
    fills, trades = result.fills.copy(), result.trades.copy()
    fills["bar"] += bars_before - warm
    for column in ("entry_bar", "exit_bar"):
        trades[column] += bars_before - warm
    return replace(result, fills=fills, trades=trades)


def _one_run(parts: list[BacktestResult], bars: BarSeries, equity: Floats, cash: Decimal) -> BacktestResult:
    last = parts[-1]
    sums: dict[str, Any] = {
        name: sum(getattr(part.book, name) for part in parts)
        for name in ("fees", "traded_value", "bars_with_position", "short_of_cash", "below_minimum")
    }
    return replace(
        last,
        bars=bars,
        config=replace(last.config, initial_cash=cash),
        equity=equity,
        fills=np.concatenate([part.fills for part in parts]),
        trades=np.concatenate([part.trades for part in parts]),
        book=replace(last.book, **sums),
    )


def _time(bars: BarSeries, index: int) -> str:
    """When a bar opened; of the one after the last, when the last closed."""
    last = min(index, len(bars) - 1)
    time_ms = int(bars.time[last]) + (index - last) * bars.timeframe.seconds * 1000
    return from_ms(time_ms).isoformat().replace("+00:00", "Z")
