"""Fee tiers: what a venue asks of an account that has traded so much in the last thirty days.

Invariant: a day's tier follows from the thirty days (UTC) before it, so it never changes within a day; amounts traded
before the run began are unknown and count as nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

DAYS = 30
_MOST = 16
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class FeeTier:
    """Rates are fractions of the traded value, from ``traded_30d`` (quote) on."""

    traded_30d: Decimal
    maker: Decimal
    taker: Decimal


@dataclass(slots=True)
class Tiers:
    """The tiers and the account's place in them; part of a run's state."""

    count: int = 0
    day: int = -1
    maker: float = 0.0
    taker: float = 0.0
    seen_value: float = 0.0
    """The account's traded value when the present day began."""
    floors: list[float] = field(default_factory=lambda: [0.0] * _MOST)
    makers: list[float] = field(default_factory=lambda: [0.0] * _MOST)
    takers: list[float] = field(default_factory=lambda: [0.0] * _MOST)
    traded: list[float] = field(default_factory=lambda: [0.0] * DAYS)


def tiers_of(maker: Decimal, taker: Decimal, tiers: Sequence[FeeTier]) -> Tiers:
    """Ascending; the plain rates hold below the first tier. Raises ValueError for tiers out of order or too many."""
    floors = [tier.traded_30d for tier in tiers]
    if floors != sorted(set(floors)) or len(tiers) > _MOST:
        raise ValueError(f"at most {_MOST} fee tiers, each from a greater amount than the one before")
    made = Tiers(count=len(tiers), maker=float(maker), taker=float(taker))
    for index, tier in enumerate(tiers):
        made.floors[index] = float(tier.traded_30d)
        made.makers[index] = float(tier.maker)
        made.takers[index] = float(tier.taker)
    enter_tier(made, 0.0)
    return made


def at_time(tiers: Any, time: int, traded_value: float) -> None:
    """It is ``time`` (ms); the account has traded ``traded_value`` in all. A new day may be one of another tier."""
    day = time // _DAY_MS
    if tiers.count == 0 or day == tiers.day:
        return
    if tiers.day >= 0:
        for passed in range(tiers.day, min(day, tiers.day + DAYS)):
            tiers.traded[passed % DAYS] = traded_value - tiers.seen_value if passed == tiers.day else 0.0
    tiers.day = day
    tiers.seen_value = traded_value
    total = 0.0
    for index in range(DAYS):
        total += tiers.traded[index]
    enter_tier(tiers, total)


def enter_tier(tiers: Any, traded: float) -> None:
    for index in range(tiers.count):
        if traded >= tiers.floors[index]:
            tiers.maker = tiers.makers[index]
            tiers.taker = tiers.takers[index]
