"""What an adapter hears from a venue, in the platform's own words.

Invariant: numbers are exact, as the venue wrote them; every message carries the venue's time and ours.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from algotrendy_common.enums import Side
from algotrendy_core.bars import Bar


class Stream(StrEnum):
    """Kinds of subscription; each may have a socket of its own."""

    TRADES = "trades"
    QUOTES = "quotes"
    BOOKS = "books"
    CANDLES = "candles"
    MARKS = "marks"
    """Mark price, index and funding of perpetuals."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a message was read: our wall clock, and a clock that only differences of mean anything (seconds)."""

    time: datetime
    monotonic_s: float
    wall_ns: int


@dataclass(frozen=True, slots=True)
class TradeTick:
    symbol: str
    trade_id: str
    sequence: int | None
    """Place on the venue's tape, rising by one; None where the venue does not number its trades."""
    price: Decimal
    quantity: Decimal
    side: Side
    """Of the taker."""
    event_time: datetime
    received: Stamp
    count: int = 1
    """Trades of one taker at one price that the venue tells as one; ``sequence`` is the last one's."""


@dataclass(frozen=True, slots=True)
class QuoteTick:
    symbol: str
    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal
    event_time: datetime
    received: Stamp


@dataclass(frozen=True, slots=True)
class BookTick:
    symbol: str
    sequence: int
    bids: tuple[tuple[Decimal, Decimal], ...]
    """Price and quantity, best first."""
    asks: tuple[tuple[Decimal, Decimal], ...]
    event_time: datetime
    received: Stamp


@dataclass(frozen=True, slots=True)
class MarkTick:
    """What a perpetual's positions are valued at."""

    symbol: str
    mark: Decimal
    index: Decimal | None
    event_time: datetime
    received: Stamp


@dataclass(frozen=True, slots=True)
class FundingTick:
    symbol: str
    rate: Decimal
    """Of the next payment, as it stands: a ratio, positive where longs pay."""
    pays_at: datetime
    event_time: datetime
    received: Stamp


@dataclass(frozen=True, slots=True)
class BarTick:
    """The venue's own candle; ``bar.complete`` where it is final."""

    symbol: str
    bar: Bar
    received: Stamp


class Cause(StrEnum):
    """What proved a book wrong."""

    SEQUENCE = "sequence"
    CHECKSUM = "checksum"
    CROSSED = "crossed"
    REFUSED = "refused"
    """The venue said that it ended the stream, or would not begin it."""


@dataclass(frozen=True, slots=True)
class BookLost:
    """The book cannot be relied on: it was emptied, and is being built anew."""

    symbol: str
    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True)
class StreamLost:
    """A subscription ended; it is being taken up again."""

    stream: Stream
    reason: str
    symbols: frozenset[str] = frozenset()
    """Those of the socket that is gone; none named means all."""


type Message = TradeTick | QuoteTick | BookTick | MarkTick | FundingTick | BarTick | BookLost | StreamLost
"""What a feed delivers."""
