"""A change of a Kraken book, and what proves the book wrong after it.

Invariant: after ``take`` the book is no deeper than was subscribed to, not crossed, and its ten best levels have the
checksum that came with the change; or it is empty and not ready.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from algotrendy_ingest.domain.ticks import BookLost, Cause
from algotrendy_ingest.wire.book import Level
from algotrendy_ingest.wire.kraken_words import CHECKED, Digits
from algotrendy_ingest.wire.protocol import Market

DEPTHS = (10, 25, 100, 500, 1000)


@dataclass(frozen=True, slots=True)
class Change:
    bids: Sequence[Level]
    asks: Sequence[Level]
    checksum: int | None
    """None where none came, as with v1's snapshots."""
    time_ms: int
    snapshot: bool


def take(market: Market, change: Change, depth: int, digits: Digits) -> BookLost | None:
    """Apply a change; what comes before a snapshot is passed over, for it belongs to a book that was given up."""
    book = market.book
    if not change.snapshot and not book.ready:
        return None
    try:
        if change.snapshot:
            book.bids.reset(change.bids)
            book.asks.reset(change.asks)
        else:
            book.bids.apply(change.bids)
            book.asks.apply(change.asks)
    except (ValueError, TypeError) as error:
        return market.lose(Cause.SEQUENCE, f"a change cannot be read: {error}")
    # Kraken does not say that a level has left the depth, and one that stayed would come back as a false one.
    book.bids.cut(depth)
    book.asks.cut(depth)
    if change.checksum is not None:
        held = digits.checksum(book.asks.best(CHECKED), book.bids.best(CHECKED))
        if held != change.checksum:
            return market.lose(Cause.CHECKSUM, f"{change.checksum} was sent, {held} is held")
        market.checks.checksum_right += 1
    if book.crossed:
        return market.lose(Cause.CROSSED, f"bid {book.bids.best(1)[0][0]}, ask {book.asks.best(1)[0][0]}")
    book.sequence += 1  # Kraken numbers nothing: how many messages made this book
    book.event_time_ms = change.time_ms
    book.ready = True
    return None


def least_depth(levels: int) -> int:
    """That a snapshot can be of where nothing has said which it is."""
    return next((depth for depth in DEPTHS if depth >= levels), DEPTHS[-1])
