"""How much of a stretch of time there is: by day, and what is missing between.

Invariant: a candle is expected for every interval of the stretch. Whether a venue has one for an interval without a
trade is its own affair: what it was asked for and has not given counts as missing, and is marked as asked.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from algotrendy_common.enums import Timeframe
from algotrendy_common.money import ZERO
from algotrendy_common.rpc.ingest import DayKept, Missing

from algotrendy_ingest.domain.history import Span

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Extent:
    first: datetime
    last: datetime
    rows: int


@dataclass(frozen=True, slots=True)
class Day:
    """Candles or trades of a day."""

    rows: int
    quantity: Decimal
    """In base: of candles their volume."""
    counted: int = 0
    """Trades, as candles count them."""


NOTHING = Day(0, ZERO)


def day_of(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def days(span: Span) -> Iterator[datetime]:
    """The days that a stretch touches."""
    day = day_of(span.start)
    while day < span.end:
        yield day
        day += DAY


def expected(span: Span, timeframe: Timeframe) -> int:
    """Candles that open in a stretch; it lies on the grid."""
    return max(0, (span.end - span.start) // timedelta(seconds=timeframe.seconds))


def expected_of_day(day: datetime, span: Span, timeframe: Timeframe) -> int:
    """The part of the stretch that falls on a day, in candles; a candle belongs to the day it opens on."""
    step = timedelta(seconds=timeframe.seconds)
    first, last = max(day, span.start), min(day + DAY, span.end)
    # Rounded up at both ends: a day of a week's candle has one opening or none.
    return max(0, -((span.start - last) // step) - -((span.start - first) // step))


def by_day(
    span: Span, timeframe: Timeframe, candles: Mapping[datetime, Day], trades: Mapping[datetime, Day]
) -> tuple[DayKept, ...]:
    return tuple(
        DayKept(
            day=day,
            candles=candles.get(day, NOTHING).rows,
            expected=expected_of_day(day, span, timeframe),
            volume=candles.get(day, NOTHING).quantity,
            trades=trades.get(day, NOTHING).rows,
            traded=trades.get(day, NOTHING).quantity,
        )
        for day in days(span)
    )


def missing_of(holes: Iterable[Span], asked: Sequence[Span]) -> tuple[Missing, ...]:
    return tuple(
        Missing(
            start=hole.start,
            end=hole.end,
            asked=any(span.start <= hole.start and hole.end <= span.end for span in asked),
        )
        for hole in holes
    )


def without(spans: Iterable[Span], done: Sequence[Span]) -> list[Span]:
    """What is left of some stretches when others are taken out of them; both oldest first."""
    left: list[Span] = []
    for span in spans:
        start = span.start
        for other in done:
            if other.end <= start or other.start >= span.end:
                continue
            if other.start > start:
                left.append(Span(start, other.start))
            start = max(start, other.end)
        if start < span.end:
            left.append(Span(start, span.end))
    return left
