"""Against a benchmark: how much of a return is the market's, and what is left.

Returns of both are simple, over the same periods. Alpha is the mean of what beta does not explain, compounded to a
year; the information ratio is the mean of the difference over its deviation, annualised by the square root of the
periods in a year. Risk-free rate 0, deviations divide by n - 1.
Invariant: what is not defined (too few periods, a benchmark that did not move) is None.
"""

from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np

from algotrendy_core.kernels import Floats


@dataclass(frozen=True, slots=True)
class Relative:
    alpha: float | None
    """A year, as a fraction."""
    beta: float | None
    correlation: float | None
    information_ratio: float | None
    tracking_error: float | None
    """Annualised deviation of the difference."""
    excess_return: float
    """Total return less the benchmark's."""
    benchmark_return: float


def relative(returns: Floats, benchmark: Floats, periods_per_year: float) -> Relative:
    """Raises ValueError where the two differ in length."""
    if len(returns) != len(benchmark):
        raise ValueError(f"{len(returns)} returns against {len(benchmark)} of the benchmark")
    total, market = (float(np.prod(1.0 + of)) - 1.0 for of in (returns, benchmark))
    if len(returns) < 2:
        return Relative(None, None, None, None, None, total - market, market)
    difference = returns - benchmark
    deviation = float(difference.std(ddof=1))
    beta = _beta(returns, benchmark)
    own_deviation, market_deviation = float(returns.std(ddof=1)), float(benchmark.std(ddof=1))
    moved = own_deviation > 0 and market_deviation > 0
    return Relative(
        alpha=None if beta is None else _compounded(float((returns - beta * benchmark).mean()), periods_per_year),
        beta=beta,
        correlation=float(np.corrcoef(returns, benchmark)[0, 1]) if moved else None,
        information_ratio=float(difference.mean()) / deviation * sqrt(periods_per_year) if deviation > 0 else None,
        tracking_error=deviation * sqrt(periods_per_year),
        excess_return=total - market,
        benchmark_return=market,
    )


def _beta(returns: Floats, benchmark: Floats) -> float | None:
    variance = float(benchmark.var(ddof=1))
    return float(np.cov(returns, benchmark, ddof=1)[0, 1]) / variance if variance > 0 else None


def _compounded(mean: float, periods_per_year: float) -> float | None:
    try:
        grown = (1.0 + mean) ** periods_per_year - 1.0
    except OverflowError:
        return None
    return grown if isfinite(grown) else None
