"""A tearsheet's numbers, from the kernels' output alone.

Ratios of the sheet's charts are of returns sampled at whole days (or hours, or minutes, where the history is short), so
that they compare with other programs'; the statistics are the backtest's own, bar by bar.
Invariant: curves are thinned for drawing only; every number is of the whole.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from algotrendy_core.backtest.engine import BacktestResult
from algotrendy_core.kernels import Floats
from algotrendy_core.performance import YEAR_S, Statistics, returns_of, sampled, sampling_ms
from algotrendy_core.tearsheet.episodes import Episode, below_high, episodes
from algotrendy_core.tearsheet.periods import Month, monthly, rolling_sharpe
from algotrendy_core.tearsheet.relative import Relative, relative

POINTS = 1000
_WINDOWS = {86_400_000: 30, 3_600_000: 24 * 7, 60_000: 60 * 4}
"""Of the rolling ratio, by the sampling: 30 days, a week, four hours."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """``times`` in milliseconds, ascending."""

    times: NDArray[np.int64]
    values: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Tearsheet:
    statistics: Statistics
    relative: Relative
    """Against buying at the first bar's close and holding."""
    equity: Curve
    benchmark: Curve
    """What the same cash would have become."""
    drawdown: Curve
    """Negative fractions."""
    rolling_sharpe: Curve
    rolling_window: int
    sampling_ms: int
    exposure: Curve
    """The position's worth over equity."""
    episodes: tuple[tuple[Episode, int, int, int | None], ...]
    """Each with the times of its peak, trough and recovery."""
    months: tuple[Month, ...]


def tearsheet(result: BacktestResult) -> Tearsheet:
    bars, initial = result.bars, float(result.config.initial_cash)
    times = bars.time + bars.timeframe.seconds * 1000
    equity, held = result.equity, initial * bars.close / bars.close[0]
    every = sampling_ms(times)
    per_year = YEAR_S * 1000 / every
    own, market = (sampled(curve, times, every) for curve in (equity, held))
    own_returns, market_returns = (returns_of(curve[1:], float(curve[0])) for curve in (own, market))
    window = min(_WINDOWS[every], max(len(own_returns) // 4, 2))
    # Samples end with the last whole day; the totals do not.
    market_total = float(held[-1]) / initial - 1.0
    rolling = rolling_sharpe(own_returns, window, per_year)
    rolling_times = times[0] + every * np.arange(1, len(own), dtype=np.int64)
    known = np.isfinite(rolling)
    with_start = np.concatenate(([initial], equity))
    start_and_times = np.concatenate(([bars.time[0]], times))
    return Tearsheet(
        statistics=result.statistics,
        relative=replace(
            relative(own_returns, market_returns, per_year),
            benchmark_return=market_total,
            excess_return=result.statistics.total_return - market_total,
        ),
        equity=_thinned(times, equity),
        benchmark=_thinned(times, held),
        drawdown=_deepest(times, -below_high(with_start)[1:]),
        rolling_sharpe=_thinned(rolling_times[known], rolling[known]),
        rolling_window=window,
        sampling_ms=every,
        exposure=_thinned(times, _exposure(result)),
        episodes=tuple(
            (
                episode,
                int(start_and_times[episode.peak]),
                int(start_and_times[episode.trough]),
                None if episode.recovered is None else int(start_and_times[episode.recovered]),
            )
            for episode in episodes(with_start)
        ),
        months=monthly(equity, times - 1, initial),
    )


def _exposure(result: BacktestResult) -> Floats:
    """The position after each bar, at its close, over equity."""
    position = np.zeros(len(result.bars))
    fills = result.fills
    if len(fills):
        last = np.searchsorted(fills["bar"], np.arange(len(position)), side="right") - 1
        position = np.where(last >= 0, fills["position"][np.maximum(last, 0)], 0.0)
    worth = position * result.bars.close
    return np.divide(worth, result.equity, out=np.zeros_like(worth), where=result.equity > 0)


def _thinned(times: NDArray[np.int64], values: Floats) -> Curve:
    """Evenly, first and last included."""
    kept = np.unique(np.linspace(0, len(values) - 1, min(POINTS, len(values))).astype(np.int64))
    return Curve(times[kept], values[kept])


def _deepest(times: NDArray[np.int64], values: Floats) -> Curve:
    """The lowest of each stretch, so that thinning hides no drawdown."""
    if len(values) <= POINTS:
        return Curve(times, values)
    starts = np.linspace(0, len(values), POINTS + 1).astype(np.int64)[:-1]
    return Curve(times[starts], np.minimum.reduceat(values, starts))
