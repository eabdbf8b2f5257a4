"""The search for an order whose answer was lost: when to ask the venue again, and when to give up.

Invariant: ``lost`` takes at least ``checks`` answers "not found", all after the venue's settle time and spread over at
least ``span``; one empty answer, or many quick ones, are never enough.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Patience:
    settle_time: timedelta
    checks: int
    span: timedelta
    first_delay: timedelta
    longest_delay: timedelta


@dataclass(frozen=True, slots=True)
class Search:
    """Where the search stands; it is stored, so that a restart goes on with it."""

    since: datetime
    asked: int = 0
    not_found: int = 0
    first_not_found: datetime | None = None


def next_delay(search: Search, patience: Patience) -> timedelta:
    """Back-off: doubles with each question up to the longest."""
    grown: timedelta = patience.first_delay * (1 << min(search.asked, 20))
    return min(grown, patience.longest_delay)


def not_found(search: Search, now: datetime, patience: Patience) -> tuple[Search, bool]:
    """The search after an answer "not found", and whether it is over."""
    asked = replace(search, asked=search.asked + 1)
    if now < search.since + patience.settle_time:
        return asked, False
    first = search.first_not_found or now
    counted = replace(asked, not_found=search.not_found + 1, first_not_found=first)
    return counted, counted.not_found >= patience.checks and now - first >= patience.span


def unanswered(search: Search) -> Search:
    """The venue could not be asked: only the back-off grows."""
    return replace(search, asked=search.asked + 1)
