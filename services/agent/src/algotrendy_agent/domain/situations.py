"""A situation as a small vector: the shape of the last returns, whatever the price and the volatility were.

Invariant: the vector has length one, or there is none.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import log, sqrt

WINDOW = 32
"""Returns in a vector."""


def features(closes: Sequence[float]) -> list[float] | None:
    """From the last ``WINDOW`` + 1 closes, oldest first: their log returns, scaled to length one. None where there are
    too few, or nothing moved."""
    if len(closes) < WINDOW + 1:
        return None
    recent = closes[-WINDOW - 1 :]
    returns = [log(after / before) for before, after in pairwise(recent)]
    length = sqrt(sum(value * value for value in returns))
    if not length:
        return None
    return [value / length for value in returns]
