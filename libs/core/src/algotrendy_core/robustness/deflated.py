"""How sure a Sharpe ratio is, given its sample and given how many were tried before it was found.

Ratios here are per period, not annualised; skewness and kurtosis are of the returns (kurtosis 3 is the normal one).
Sources: Bailey and López de Prado, "The Sharpe Ratio Efficient Frontier" (2012) and "The Deflated Sharpe Ratio" (2014).
Invariant: a probability is None where the sample does not define it, never 0 or 1 by default.
"""

from dataclasses import dataclass
from math import e, sqrt
from statistics import NormalDist

import numpy as np

from algotrendy_core.kernels import Floats

_NORMAL = NormalDist()
_EULER_MASCHERONI = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class Moments:
    """Of a sample of returns."""

    count: int
    sharpe: float
    skewness: float
    kurtosis: float


@dataclass(frozen=True, slots=True)
class Deflated:
    probability: float
    """That the true ratio is above what the best of so many worthless trials would have shown."""
    hurdle: float
    """That ratio."""
    trials: int


def moments(returns: Floats) -> Moments | None:
    """None for fewer than three returns or where nothing moved."""
    if len(returns) < 3:
        return None
    deviation = float(returns.std(ddof=1))
    if deviation == 0.0 or not np.isfinite(deviation):
        return None
    centred = returns - returns.mean()
    spread = float(np.sqrt(np.mean(centred**2)))
    return Moments(
        count=len(returns),
        sharpe=float(returns.mean()) / deviation,
        skewness=float(np.mean(centred**3)) / spread**3,
        kurtosis=float(np.mean(centred**4)) / spread**4,
    )


def probabilistic_sharpe(returns: Floats, hurdle: float = 0.0) -> float | None:
    """The probability that the true ratio is above ``hurdle``, both per period."""
    found = moments(returns)
    return None if found is None else _above(found, hurdle)


def expected_best(trials: int, spread: float) -> float:
    """The ratio that the best of ``trials`` independent worthless strategies is expected to show.

    ``spread`` is the standard deviation of the trials' ratios. One trial has no choice to make: 0.
    """
    if trials < 1:
        raise ValueError(f"{trials} trials are none")
    if trials == 1:
        return 0.0
    rare = _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    rarer = _NORMAL.inv_cdf(1.0 - 1.0 / (trials * e))
    return spread * ((1.0 - _EULER_MASCHERONI) * rare + _EULER_MASCHERONI * rarer)


def deflated_sharpe(returns: Floats, ratios_tried: Floats) -> Deflated | None:
    """``ratios_tried`` are the ratios per period of all trials, the chosen one among them."""
    found = moments(returns)
    tried = ratios_tried[np.isfinite(ratios_tried)]
    if found is None or not len(tried):
        return None
    spread = float(tried.std(ddof=1)) if len(tried) > 1 else 0.0
    hurdle = expected_best(len(tried), spread)
    probability = _above(found, hurdle)
    return None if probability is None else Deflated(probability, hurdle, len(tried))


def minimum_track_record(returns: Floats, hurdle: float = 0.0, confidence: float = 0.95) -> float | None:
    """Periods needed until the ratio is above ``hurdle`` with ``confidence``; None where it is not above it."""
    found = moments(returns)
    if found is None or found.sharpe <= hurdle:
        return None
    return 1.0 + _variance(found) * (_NORMAL.inv_cdf(confidence) / (found.sharpe - hurdle)) ** 2


def _above(found: Moments, hurdle: float) -> float | None:
    variance = _variance(found)
    if variance <= 0.0:
        return None
    return _NORMAL.cdf((found.sharpe - hurdle) * sqrt(found.count - 1) / sqrt(variance))


def _variance(found: Moments) -> float:
    """Of the estimated ratio, times the number of periods."""
    return 1.0 - found.skewness * found.sharpe + (found.kurtosis - 1.0) / 4.0 * found.sharpe**2
