"""Is the tape whole? Trades are numbered, so that a missing or repeated one shows.

Invariant: of each number at most one trade passes, and a number that was jumped over is reported exactly once.
"""

from dataclasses import dataclass
from enum import Enum


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


class Tape:
    """One instrument's numbering, from the first trade it is shown or from ``last`` on."""

    def __init__(self, last: int | None = None) -> None:
        self.last = last
        self.repeated = 0

    def place(self, sequence: int | None, count: int = 1) -> Place | Gap:
        """Judge a trade, and take its number as the newest where it is new. Unnumbered trades always follow.

        ``count`` is how many of the venue's trades it puts together; ``sequence`` numbers the last of them.
        """
        if sequence is None:
            return Place.NEXT
        previous = self.last
        if previous is not None and sequence <= previous:
            self.repeated += 1
            return Place.REPEATED
        self.last = sequence
        if previous is not None and sequence - count > previous:
            return Gap(previous + 1, sequence - count)
        return Place.NEXT
