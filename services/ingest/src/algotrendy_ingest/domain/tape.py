"""Is the tape whole? Where trades are numbered, a missing or repeated one shows; where not, only a repeated one does.

Invariant: of each number at most one trade passes, and a number that was jumped over is reported exactly once.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum

NUMBERED_ONE_BY_ONE = frozenset({"binance", "coinbase", "kraken"})
"""Venues each of whose trades has a number of its own and the one after the last, on the socket and over REST alike."""


def forgotten(recorded: Collection[int], told: Iterable[int]) -> set[int]:
    """Numbers that a venue tells and the record has not, of those between its first and its last."""
    if not recorded:
        return set()
    first, last = min(recorded), max(recorded)
    return {number for number in told if first < number < last} - set(recorded)


class Place(Enum):
    """Where a trade stands on the tape."""

    NEXT = "next"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Gap:
    """Trades numbered ``first`` to ``last``, both included, were not heard; the trade judged is new."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


_REMEMBERED = 5000
"""Names of unnumbered trades: more than any venue gives again."""


class Tape:
    """One instrument's numbering, from the first trade it is shown or from ``last`` on."""

    def __init__(self, last: int | None = None) -> None:
        self.last = last
        self.repeated = 0
        self._names: OrderedDict[str, None] = OrderedDict()

    def place(self, sequence: int | None, count: int = 1, name: str | None = None) -> Place | Gap:
        """Judge a trade, and take its number as the newest where it is new. An unnumbered one follows, unless its name
        was heard before.

        ``count`` is how many of the venue's trades it puts together; ``sequence`` numbers the last of them.
        """
        if sequence is None:
            return self._place_named(name)
        previous = self.last
        if previous is not None and sequence <= previous:
            self.repeated += 1
            return Place.REPEATED
        self.last = sequence
        if previous is not None and sequence - count > previous:
            return Gap(previous + 1, sequence - count)
        return Place.NEXT

    def _place_named(self, name: str | None) -> Place:
        if name is not None:
            if name in self._names:
                self.repeated += 1
                return Place.REPEATED
            self._names[name] = None
            if len(self._names) > _REMEMBERED:
                self._names.popitem(last=False)
        return Place.NEXT
