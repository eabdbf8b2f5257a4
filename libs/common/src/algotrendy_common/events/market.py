"""Market data. ``event_time`` is the venue's clock, ``received_time`` ours; both are always there."""

from algotrendy_common.clock import Instant
from algotrendy_common.enums import FeedState, Side, Timeframe
from algotrendy_common.events.event import Event, Record
from algotrendy_common.ids import Symbol, Venue
from algotrendy_common.money import Amount, Price, Quantity


class TradePrinted(Event):
    """A trade on the venue's tape."""

    venue: Venue
    symbol: Symbol
    trade_id: str
    price: Price
    quantity: Quantity
    side: Side
    """Of the taker."""


class QuoteChanged(Event):
    """Best bid and ask."""

    venue: Venue
    symbol: Symbol
    bid: Price
    bid_quantity: Amount
    ask: Price
    ask_quantity: Amount


class BookLevel(Record):
    price: Price
    quantity: Quantity


class BookSnapshotTaken(Event):
    """The best levels of both sides, best first."""

    venue: Venue
    symbol: Symbol
    sequence: int
    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]


class BarUpdated(Event):
    """A candle, once a change while it grows (``closed`` false) and once when it is over (``closed`` true).

    Where a trade of it comes later still, it is told once more (``corrected`` true): who has acted on it acts no more.
    """

    venue: Venue
    symbol: Symbol
    timeframe: Timeframe
    open_time: Instant
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Amount
    """In the base asset."""
    trade_count: int
    closed: bool
    corrected: bool = False
    """A closed candle told again, because a trade of it came late."""


class MarkPriceChanged(Event):
    """What a perpetual's positions are valued at."""

    venue: Venue
    symbol: Symbol
    mark: Price
    index: Price | None = None
    """The underlying's, over several venues, where this one tells it along."""


class FundingRateChanged(Event):
    """A perpetual's next funding payment, as it stands."""

    venue: Venue
    symbol: Symbol
    rate: Amount
    """Of a position's value; positive where longs pay."""
    pays_at: Instant


class FeedHealthChanged(Event):
    """How well a venue's feed is, published on change and at least every few seconds."""

    venue: Venue
    state: FeedState
    latency_ms: float | None
    """From our reading of the socket to the event on the bus; median of the last minute."""
    last_message_at: Instant | None
    stale_symbols: tuple[Symbol, ...]
    gaps: int
    """Times that trades were missed or a book was found wrong, since the service began."""
    reconnects: int
    replay: bool
    """True where the venue plays recorded data."""
    lag_ms: float | None = None
    """From a trade at the venue to our reading of it, by both clocks; median of the last minute. None in a replay."""
    watermark: Instant | None = None
    """By the venue's clock: up to here no trade is missing that could be had. None before the first message."""
    missing_trades: int = 0
    """Trades missed that the venue would not tell afterwards either."""
