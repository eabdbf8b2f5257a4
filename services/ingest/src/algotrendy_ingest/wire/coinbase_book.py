"""Coinbase's order books, and the best prices that are read off them.

``ticker`` speaks only when there was a trade, so of a product that nobody trades it would be told nothing; its best
prices come of the book instead. Invariant: after ``take`` the book is not crossed, or it is empty and not ready.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from algotrendy_common.clock import to_ms

from algotrendy_ingest.domain.ticks import Cause, Stamp
from algotrendy_ingest.wire.book import Level
from algotrendy_ingest.wire.coinbase_words import quote_of
from algotrendy_ingest.wire.protocol import BookMoved, Heard, Market


@dataclass(frozen=True, slots=True)
class Change:
    bids: Sequence[Sequence[str]]
    asks: Sequence[Sequence[str]]
    time: datetime
    snapshot: bool
    sequence: int | None
    """None where messages are not numbered."""


class Books:
    def __init__(self) -> None:
        self._tops: dict[str, tuple[Level, Level]] = {}

    def take(self, market: Market, change: Change, received: Stamp) -> list[Heard]:
        """What comes before a snapshot is passed over, for it belongs to a book that was given up."""
        book, symbol = market.book, market.names.symbol
        if not change.snapshot and not book.ready:
            return []
        try:
            if change.snapshot:
                book.bids.reset(change.bids)
                book.asks.reset(change.asks)
            else:
                book.bids.apply(change.bids)
                book.asks.apply(change.asks)
        except (ValueError, TypeError, IndexError) as error:
            return [market.lose(Cause.SEQUENCE, f"a change cannot be read: {error}")]
        bids, asks = book.bids.best(1), book.asks.best(1)
        if book.crossed:
            return [market.lose(Cause.CROSSED, f"bid {bids[0][0]}, ask {asks[0][0]}")]
        book.sequence = book.sequence + 1 if change.sequence is None else change.sequence
        book.event_time_ms = to_ms(change.time)
        book.ready = True
        heard: list[Heard] = [BookMoved(symbol, received)]
        if bids and asks and self._tops.get(symbol) != (bids[0], asks[0]):
            self._tops[symbol] = bids[0], asks[0]
            quote = quote_of(symbol, bids[0], asks[0], change.time, received)
            if quote is not None:
                heard.append(quote)
        return heard

    def forget(self, symbol: str) -> None:
        self._tops.pop(symbol, None)
