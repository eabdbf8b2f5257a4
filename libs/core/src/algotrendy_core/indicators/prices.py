"""What several indicators read off a bar."""

NEGLIGIBLE = 1e-14
"""Below this share of what was added and subtracted, a difference is floating point's error (TA-Lib's bound)."""


def typical_price(high: float, low: float, close: float) -> float:
    """The mean of high, low and close."""
    return (high + low + close) / 3.0


def true_range(before: float, high: float, low: float) -> float:
    """The range of a bar, drawn out to the close ``before`` it."""
    return max(high - low, abs(high - before), abs(low - before))
