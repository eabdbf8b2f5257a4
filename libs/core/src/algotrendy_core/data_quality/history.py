"""Recorded prices as columns, with the rows of the file they came from.

Invariant: all columns have one length; an absent one (no dividends known, say) is None, never zeros.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algotrendy_core.kernels import Floats

PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class PriceHistory:
    """Shapes (n,). Prices in the quote currency; ``splits`` new shares for one old where there was one, else 0."""

    time: NDArray[np.int64]
    """Opening of the interval, in milliseconds since the epoch."""
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    rows: NDArray[np.int64]
    """Rows of the file, the header being 1."""
    adjusted: Floats | None = None
    """Close less what later dividends were worth."""
    dividends: Floats | None = None
    splits: Floats | None = None

    def __len__(self) -> int:
        return len(self.time)

    @property
    def prices(self) -> Floats:
        """Shape (n, 4)."""
        return np.column_stack((self.open, self.high, self.low, self.close))

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "PriceHistory":
        changes: dict[str, Any] = {
            each.name: column[chosen] for each in fields(self) if (column := getattr(self, each.name)) is not None
        }
        return replace(self, **changes)

    def with_prices(self, prices: Floats) -> "PriceHistory":
        open_, high, low, close = np.ascontiguousarray(prices.T)
        return replace(self, open=open_, high=high, low=low, close=close)


def history_of(time: Sequence[int], prices: Sequence[Sequence[float]], volume: Sequence[float]) -> PriceHistory:
    """From rows of (open, high, low, close), numbered from 2 as in a file with a header."""
    open_, high, low, close = np.ascontiguousarray(np.asarray(prices, dtype=np.float64).reshape(-1, 4).T)
    rows = np.arange(2, len(time) + 2, dtype=np.int64)
    return PriceHistory(
        np.asarray(time, dtype=np.int64), open_, high, low, close, np.asarray(volume, dtype=np.float64), rows
    )
