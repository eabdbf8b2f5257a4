"""Statistics of an equity curve and its trades.

Conventions: returns are simple, from one bar to the next, bars without trades included; the risk-free rate is 0;
a year has 365 days and a ratio is annualised by the square root of the bars in it; deviations divide by n - 1; the
Sortino ratio's downside deviation is the root mean square of the returns below zero over all returns; drawdown is the
loss from the highest equity so far as a fraction of it. A trade runs from flat to flat and its profit is net of fees.
Invariant: what is not defined (no trades, no movement, no time) is None, never zero, NaN or infinity.
"""

from dataclasses import asdict, dataclass
from math import isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from algotrendy_core.kernels import Floats

YEAR_S = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest one. Indices are into the equity curve; ``recovered`` is None while it lasts."""

    ratio: float
    """Positive: 0.2 is a fifth lost."""
    peak: int
    trough: int
    recovered: int | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """Amounts in the quote currency, ratios and returns as fractions."""

    bars: int
    initial_equity: float
    final_equity: float
    total_return: float
    annual_return: float | None
    volatility: float | None
    """Annualised standard deviation of returns."""
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    max_drawdown: float
    max_drawdown_peak: int | None
    """Milliseconds since the epoch, as are the next two."""
    max_drawdown_trough: int | None
    max_drawdown_recovered: int | None
    trades: int
    """Closed ones."""
    win_rate: float | None
    profit_factor: float | None
    average_trade: float | None
    best_trade: float | None
    worst_trade: float | None
    exposure: float | None
    """Share of bars that ended with a position."""
    turnover: float | None
    """Value traded over the average equity."""
    fees: float

    def as_dict(self) -> dict[str, float | int | None]:
        return asdict(self)


def returns_of(equity: Floats, initial: float) -> Floats:
    """Simple returns, shape (n,); the first is against ``initial``."""
    before = np.concatenate(([initial], equity[:-1]))
    return np.asarray(equity / before - 1.0, dtype=np.float64)


def volatility(returns: Floats, periods_per_year: float) -> float | None:
    deviation = _deviation(returns)
    return None if deviation is None else deviation * sqrt(periods_per_year)


def sharpe(returns: Floats, periods_per_year: float) -> float | None:
    """None for fewer than two returns or where nothing moved."""
    deviation = _deviation(returns)
    return _finite(float(returns.mean()) / deviation * sqrt(periods_per_year)) if deviation else None


def sortino(returns: Floats, periods_per_year: float) -> float | None:
    """None where no return is below zero."""
    if len(returns) < 2:
        return None
    downside = float(np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2)))
    return _finite(float(returns.mean()) / downside * sqrt(periods_per_year)) if downside else None


def max_drawdown(equity: Floats) -> Drawdown | None:
    """None where equity never fell."""
    if not len(equity):
        return None
    highest = np.maximum.accumulate(equity)
    fall = 1.0 - equity / highest
    trough = int(fall.argmax())
    if fall[trough] <= 0.0:
        return None
    peak = int(equity[: trough + 1].argmax())
    after = np.flatnonzero(equity[trough:] >= equity[peak])
    return Drawdown(float(fall[trough]), peak, trough, trough + int(after[0]) if len(after) else None)


def win_rate(profits: Floats) -> float | None:
    return float((profits > 0).mean()) if len(profits) else None


def profit_factor(profits: Floats) -> float | None:
    """Gross profit over gross loss; None where nothing was lost."""
    lost = float(-profits[profits < 0].sum())
    return float(profits[profits > 0].sum()) / lost if lost else None


def statistics(
    equity: Floats,
    times: NDArray[np.int64],
    *,
    initial: float,
    bar_seconds: int,
    profits: Floats,
    traded_value: float,
    fees: float,
    bars_with_position: int,
) -> Statistics:
    """All of it. ``times`` are the bars' open times in milliseconds, ``profits`` one number a closed trade.

    Raises ValueError on an empty curve.
    """
    if not len(equity):
        raise ValueError("an empty equity curve has no statistics")
    per_year = YEAR_S / bar_seconds
    returns = returns_of(equity, initial)
    final = float(equity[-1])
    annual = _annual_return(initial, final, len(equity) / per_year)
    worst = max_drawdown(np.concatenate(([initial], equity)))
    average_equity = float(equity.mean())
    return Statistics(
        bars=len(equity),
        initial_equity=initial,
        final_equity=final,
        total_return=final / initial - 1.0,
        annual_return=annual,
        volatility=volatility(returns, per_year),
        sharpe=sharpe(returns, per_year),
        sortino=sortino(returns, per_year),
        calmar=_finite(annual / worst.ratio) if worst and annual is not None else None,
        max_drawdown=worst.ratio if worst else 0.0,
        max_drawdown_peak=_time(times, worst.peak) if worst else None,
        max_drawdown_trough=_time(times, worst.trough) if worst else None,
        max_drawdown_recovered=_time(times, worst.recovered) if worst and worst.recovered is not None else None,
        trades=len(profits),
        win_rate=win_rate(profits),
        profit_factor=profit_factor(profits),
        average_trade=float(profits.mean()) if len(profits) else None,
        best_trade=float(profits.max()) if len(profits) else None,
        worst_trade=float(profits.min()) if len(profits) else None,
        exposure=bars_with_position / len(equity),
        turnover=traded_value / average_equity if average_equity > 0 else None,
        fees=fees,
    )


def _time(times: NDArray[np.int64], index: int) -> int:
    # The curve begins with the initial equity, which has the first bar's time.
    return int(times[max(index - 1, 0)])


def _annual_return(initial: float, final: float, years: float) -> float | None:
    if final <= 0:
        return None
    try:
        return _finite((final / initial) ** (1.0 / years) - 1.0)
    except OverflowError:
        return None  # a good hour, extrapolated to a year, is not a number anybody needs


def _deviation(returns: Floats) -> float | None:
    return float(returns.std(ddof=1)) if len(returns) >= 2 else None


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


@dataclass(frozen=True, slots=True)
class CurveStatistics:
    """Of a curve whose points lie unevenly in time; None where nothing defines it."""

    sharpe: float | None
    sortino: float | None
    max_drawdown: float | None
    """Over all points, not only those that the ratios are sampled at."""
    total_return: float | None
    win_rate: float | None
    profit_factor: float | None


def sampled(equity: Floats, times: NDArray[np.int64], every_ms: int) -> Floats:
    """The newest value at the end of each interval, from the first point's to the last's; nothing is interpolated."""
    if not len(equity):
        return equity
    ends = np.arange(times[0], times[-1] + 1, every_ms, dtype=np.int64)
    return np.asarray(equity[np.searchsorted(times, ends, side="right") - 1], dtype=np.float64)


def sampling_ms(times: NDArray[np.int64]) -> int:
    """A day over a month or more, an hour over two days or more, else a minute."""
    span = int(times[-1] - times[0]) if len(times) else 0
    day = 86_400_000
    return day if span >= 30 * day else 3_600_000 if span >= 2 * day else 60_000


def irregular(equity: Floats, times: NDArray[np.int64], profits: Floats) -> CurveStatistics:
    """``times`` ascending, in milliseconds. An equity that was not positive once has no returns."""
    ratios = len(equity) > 1 and float(equity.min()) > 0
    every = sampling_ms(times)
    curve = sampled(equity, times, every) if ratios else np.empty(0)
    returns = returns_of(curve[1:], float(curve[0])) if len(curve) > 2 else np.empty(0)
    per_year = YEAR_S * 1000 / every
    worst = max_drawdown(equity) if ratios else None
    return CurveStatistics(
        sharpe=sharpe(returns, per_year),
        sortino=sortino(returns, per_year),
        max_drawdown=(worst.ratio if worst else 0.0) if ratios else None,
        total_return=float(equity[-1] / equity[0]) - 1.0 if ratios else None,
        win_rate=win_rate(profits),
        profit_factor=profit_factor(profits),
    )
