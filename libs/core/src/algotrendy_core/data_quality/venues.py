"""Venues beside each other: the same instrument costs the same, within what moving money between them costs.

Invariant: only prices of the same moment are compared; a venue that says nothing disagrees with nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import combinations

LIMIT = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Price:
    middle: Decimal
    """Between best bid and ask."""
    time: datetime
    """The venue's."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    one: str
    other: str
    apart: Decimal
    """Of the lower price: 0.002 is 0.2 %."""


def disagreements(
    prices: Mapping[str, Price], *, limit: Decimal = LIMIT, within: timedelta = timedelta(seconds=2)
) -> tuple[Disagreement, ...]:
    """Pairs of venues, by name, whose prices of one moment are further apart than ``limit``."""
    found = []
    for one, other in combinations(sorted(prices), 2):
        here, there = prices[one], prices[other]
        if abs(here.time - there.time) > within:
            continue
        apart = abs(here.middle - there.middle) / min(here.middle, there.middle)
        if apart > limit:
            found.append(Disagreement(one, other, apart))
    return tuple(found)
