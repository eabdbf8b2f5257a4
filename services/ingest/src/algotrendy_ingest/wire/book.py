"""An order book as a venue's messages build it.

Invariant: best first on both sides; a level without quantity is not there. Prices and quantities are kept as the venue
wrote them, because a checksum is over those very digits. Floats only find a level's place: two prices that one float
cannot tell apart are refused.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from decimal import Decimal
from math import inf

type Level = tuple[str, str]
"""Price and quantity as written."""


class Side:
    """One side: ``sign`` is -1 for bids, so that the best is always first."""

    __slots__ = ("_keys", "_levels", "_sign")

    def __init__(self, sign: int) -> None:
        self._sign = float(sign)
        self._keys: list[float] = []
        self._levels: dict[float, Level] = {}

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def top(self) -> float | None:
        """The best price, as near as a float comes to it."""
        return self._keys[0] * self._sign if self._keys else None

    def set(self, price: str, quantity: str) -> None:
        """Put a level; a quantity of zero takes it away. Raises ValueError for what is no price or quantity."""
        self.apply(((price, quantity),))

    def apply(self, rows: Iterable[Sequence[str]]) -> None:
        """Set a level for each row, of which price and quantity are the first two."""
        keys, levels, sign = self._keys, self._levels, self._sign
        for row in rows:
            price, quantity = row[0], row[1]
            value, amount = float(price), float(quantity)
            if not (0.0 < value < inf and 0.0 <= amount < inf):
                raise ValueError(f"{price!r}, {quantity!r} is no level")
            key = value * sign
            known = levels.get(key)
            if known is not None and known[0] != price and Decimal(known[0]) != Decimal(price):
                raise ValueError(f"{price} and {known[0]} cannot be told apart")
            if amount:
                if known is None:
                    insort(keys, key)
                levels[key] = (price, quantity)
            elif known is not None:
                del levels[key]
                del keys[bisect_left(keys, key)]

    def reset(self, rows: Iterable[Sequence[str]]) -> None:
        """Have these levels and no others."""
        self._keys.clear()
        self._levels.clear()
        self.apply(rows)

    def best(self, count: int | None = None) -> list[Level]:
        """The first ``count`` levels as written, best first."""
        levels = self._levels
        return [levels[key] for key in self._keys[:count]]

    def cut(self, depth: int) -> None:
        """Drop what is beyond the depth that was subscribed to."""
        if len(self._keys) > depth:
            for key in self._keys[depth:]:
                del self._levels[key]
            del self._keys[depth:]


class Book:
    __slots__ = ("asks", "bids", "event_time_ms", "ready", "sequence")

    def __init__(self) -> None:
        self.bids, self.asks = Side(-1), Side(1)
        self.sequence = 0
        self.event_time_ms = 0
        self.ready = False
        """True from a snapshot on, until the book is lost."""

    @property
    def crossed(self) -> bool:
        bid, ask = self.bids.top, self.asks.top
        return bid is not None and ask is not None and bid >= ask

    def lose(self) -> None:
        self.bids.reset(())
        self.asks.reset(())
        self.sequence, self.ready = 0, False
