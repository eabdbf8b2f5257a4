"""An order book as a venue's messages build it.

Invariant: best first on both sides; a level without quantity is not there. Prices and quantities are kept as the venue
wrote them, because a checksum is over those very digits.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from decimal import Decimal

type Level = tuple[str, str]
"""Price and quantity as written."""


class Side:
    """One side: ``sign`` is -1 for bids, so that the best is always first."""

    __slots__ = ("_keys", "_levels", "_sign")

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._keys: list[Decimal] = []
        self._levels: dict[Decimal, Level] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def set(self, price: str, quantity: str) -> None:
        """Put a level; a quantity of zero takes it away. Raises ``decimal.InvalidOperation`` for what is no number."""
        key = Decimal(price) * self._sign
        if not Decimal(quantity):
            if self._levels.pop(key, None) is not None:
                del self._keys[bisect_left(self._keys, key)]
            return
        if key not in self._levels:
            insort(self._keys, key)
        self._levels[key] = (price, quantity)

    def reset(self, levels: Iterable[Level]) -> None:
        self._levels = {Decimal(price) * self._sign: (price, quantity) for price, quantity in levels}
        self._keys = sorted(self._levels)

    def best(self, count: int | None = None) -> list[Level]:
        """The first ``count`` levels as written, best first."""
        return [self._levels[key] for key in self._keys[:count]]

    def cut(self, depth: int) -> None:
        """Drop what is beyond the depth that was subscribed to."""
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
        bids, asks = self.bids.best(1), self.asks.best(1)
        return bool(bids and asks) and Decimal(bids[0][0]) >= Decimal(asks[0][0])

    def lose(self) -> None:
        self.bids.reset(())
        self.asks.reset(())
        self.sequence, self.ready = 0, False
