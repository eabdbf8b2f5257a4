"""A lone price far from those before and after it, which agree with each other.

Invariant: a move that stays is a move, however large; a spike is one that is gone with the next row. How far is far is
measured in the history's own moves, so a wild market is not one long fault.
"""

import numpy as np

from algotrendy_core.data_quality.findings import Fault, Finding
from algotrendy_core.data_quality.history import PRICES, PriceHistory

_AROUND = 4
_SIGMAS = 12.0
_LEAST = 0.3
"""In logarithms, where moves are small: a third away."""
_AGREE = 0.25
"""Of the spike: so much may the price before and after it differ."""


def spikes(history: PriceHistory) -> tuple[Finding, ...]:
    """``history`` sifted and of one scale."""
    if len(history) < 2 * _AROUND + 1:
        return ()
    logs = np.log(history.prices)
    middle = np.median(logs[:, [0, 3]], axis=1)
    moves = np.abs(np.diff(logs[:, 3]))
    far = max(_LEAST, _SIGMAS * 1.4826 * float(np.median(moves[moves > 0])) if (moves > 0).any() else _LEAST)
    found = []
    for index in range(1, len(history) - 1):
        before = float(np.median(middle[max(index - _AROUND, 0) : index]))
        after = float(np.median(middle[index + 1 : index + 1 + _AROUND]))
        off = logs[index] - (before + after) / 2
        worst = int(np.abs(off).argmax())
        size = float(abs(off[worst]))
        if size <= far or abs(before - after) > _AGREE * size:
            continue
        column = getattr(history, PRICES[worst])
        found.append(
            Finding(
                Fault.SPIKE, int(history.rows[index]), int(history.time[index]),
                f"{PRICES[worst]} {column[index]:g} stands alone among prices of {np.exp((before + after) / 2):g}",
            )
        )  # fmt: skip
    return tuple(found)
