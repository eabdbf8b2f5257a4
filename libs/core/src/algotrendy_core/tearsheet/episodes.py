"""The stretches below an earlier high, deepest first.

Invariant: episodes do not overlap; together they hold every point that lies below the highest before it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algotrendy_core.kernels import Floats


@dataclass(frozen=True, slots=True)
class Episode:
    """Indices into the curve; ``recovered`` is None while it lasts."""

    depth: float
    peak: int
    trough: int
    recovered: int | None


def below_high(equity: Floats) -> Floats:
    """The loss from the highest so far, as a fraction, shape (n,): 0 at a high."""
    highest = np.maximum.accumulate(equity)
    return np.asarray(1.0 - equity / highest, dtype=np.float64)


def episodes(equity: Floats, most: int = 5) -> tuple[Episode, ...]:
    """At most so many."""
    if not len(equity):
        return ()
    fall = below_high(equity)
    edges: NDArray[np.int64] = np.flatnonzero(np.diff(np.concatenate(([0], (fall > 0).view(np.int8), [0]))))
    found = []
    for start, stop in edges.reshape(-1, 2).tolist():
        trough = start + int(fall[start:stop].argmax())
        found.append(Episode(float(fall[trough]), start - 1, trough, stop if stop < len(equity) else None))
    return tuple(sorted(found, key=lambda episode: -episode.depth)[:most])
