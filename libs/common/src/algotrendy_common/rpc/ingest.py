"""Questions about market data."""

from decimal import Decimal

from pydantic import Field

from algotrendy_common.clock import Instant
from algotrendy_common.enums import Side, Timeframe
from algotrendy_common.events.event import Record
from algotrendy_common.events.market import BookLevel, FeedHealthChanged, QuoteChanged
from algotrendy_common.ids import Symbol, Venue
from algotrendy_common.money import Amount, Price, Quantity
from algotrendy_common.rpc.call import Call, Nothing


class CandlesAsked(Record):
    """Candles that open in [start, end), oldest first; without ``start``, the newest ``limit`` before ``end``."""

    venue: Venue
    symbol: Symbol
    timeframe: Timeframe
    start: Instant | None = None
    end: Instant | None = None
    limit: int = 500
    """At most 1,000 an answer; ask again from the last candle's open time for more."""


class Candle(Record):
    open_time: Instant
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Amount
    closed: bool


class Candles(Record):
    candles: tuple[Candle, ...]
    more: bool
    """True where the range holds candles after the last one given."""


class InstrumentInfo(Record):
    venue: Venue
    symbol: Symbol
    base: str
    quote: str
    price_step: Price
    quantity_step: Quantity
    min_quantity: Quantity
    max_quantity: Quantity
    min_notional: Amount
    maker_fee: Amount
    """A ratio: 0.001 is 0.1 %."""
    taker_fee: Amount
    kind: str = "spot"
    """``perpetual`` for a linear one, quoted and settled in ``quote``."""
    contract_size: Quantity = Decimal(1)
    """Base in one contract of a perpetual."""
    max_leverage: Amount = Decimal(1)


class Instruments(Record):
    instruments: tuple[InstrumentInfo, ...]


class QuoteRow(Record):
    quote: QuoteChanged
    last: Price | None


class Quotes(Record):
    quotes: tuple[QuoteRow, ...]


class QuoteBeforeAsked(Record):
    """The last recorded quote that was received before a time of our clock.

    ``since`` bounds the search by the venue's clock, which in a replay is another: a day from there on.
    """

    venue: Venue
    symbol: Symbol
    since: Instant
    received_before: Instant


class RecordedQuote(Record):
    event_time: Instant
    received_time: Instant
    bid: Price
    ask: Price


class QuoteBefore(Record):
    quote: RecordedQuote | None


class Feeds(Record):
    feeds: tuple[FeedHealthChanged, ...]


class TradesAsked(Record):
    """Recorded trades of [start, end), in the order of their time and number."""

    venue: Venue
    symbol: Symbol
    start: Instant
    end: Instant | None = None
    after: str | None = None
    """``next`` of the page before."""
    limit: int = 1000
    """At most 5,000 an answer."""


class RecordedTrade(Record):
    event_time: Instant
    trade_id: str
    price: Price
    quantity: Quantity
    side: Side


class Trades(Record):
    trades: tuple[RecordedTrade, ...]
    next: str | None
    """None on the last page."""


class BookAtAsked(Record):
    """The newest recorded book that is not after a time of the venue's clock, nor more than an hour before it."""

    venue: Venue
    symbol: Symbol
    at: Instant


class RecordedBook(Record):
    event_time: Instant
    received_time: Instant
    sequence: int
    bids: tuple[BookLevel, ...]
    asks: tuple[BookLevel, ...]


class BookAt(Record):
    book: RecordedBook | None


class SymbolsAsked(Record):
    """What there is recorded, of one venue or of all."""

    venue: Venue | None = None
    after: str | None = None
    """``next`` of the page before."""
    limit: int = 1000
    """At most 1,000 an answer."""


class Kept(Record):
    venue: Venue
    symbol: Symbol
    timeframe: Timeframe | None
    """Of candles; None for trades."""
    first: Instant
    last: Instant
    rows: int


class Symbols(Record):
    kept: tuple[Kept, ...]
    next: str | None
    """None on the last page."""


class CoverageAsked(Record):
    """Day by day, how much of [start, end) there is; at most 366 days an answer, from the first there is."""

    venue: Venue
    symbol: Symbol
    timeframe: Timeframe
    start: Instant | None = None
    end: Instant | None = None


class DayKept(Record):
    day: Instant
    candles: int
    expected: int
    """As many as fit between the first and the last of the answer."""
    volume: Amount
    trades: int
    """Recorded one by one."""
    traded: Amount
    """Sum of their quantities."""


class Missing(Record):
    """Candles that would open in [start, end)."""

    start: Instant
    end: Instant
    asked: bool
    """The venue was asked for them and has none."""


class Coverage(Record):
    first: Instant | None
    last: Instant | None
    candles: int
    expected: int
    days: tuple[DayKept, ...]
    missing: tuple[Missing, ...]
    """The first 500."""
    more: bool
    """There is more after the last day: ask again from the day after it."""


class MarketNamed(Record):
    venue: Venue
    symbol: Symbol


class Following(Record):
    """What a venue is followed for now; at the service's next start, it is what the settings say."""

    venue: Venue
    symbols: tuple[Symbol, ...]


class QuarantineAsked(Record):
    """Trades that were set aside, newest first, at most 1,000."""

    venue: Venue | None = None
    symbol: Symbol | None = None
    limit: int = Field(100, ge=1, le=1000)


class TradeSetAside(Record):
    """A trade of a price that was not believed."""

    venue: Venue
    symbol: Symbol
    trade_id: str
    time: Instant
    side: Side
    price: Price
    quantity: Quantity
    reason: str
    restored: bool
    """It was given back: because others confirmed it, or on a person's word."""


class Quarantined(Record):
    trades: tuple[TradeSetAside, ...]


class RestoreAsked(Record):
    """Give a trade back to its market, on the tape and in its candle."""

    venue: Venue
    symbol: Symbol
    trade_id: str


CANDLES = Call("ingest", "candles", CandlesAsked, Candles, ("agent", "backtest", "gateway"))
INSTRUMENTS = Call(
    "ingest", "instruments", Nothing, Instruments, ("agent", "risk", "backtest", "gateway", "broker_gateway")
)
QUOTES = Call("ingest", "quotes", Nothing, Quotes, ("gateway", "risk", "agent"))
QUOTE_BEFORE = Call("ingest", "quote_before", QuoteBeforeAsked, QuoteBefore, ("gateway",))
FEEDS = Call("ingest", "feeds", Nothing, Feeds, ("gateway",))
TRADES = Call("ingest", "trades", TradesAsked, Trades, ("gateway", "backtest", "agent"))
BOOK_AT = Call("ingest", "book_at", BookAtAsked, BookAt, ("gateway", "backtest"))
SYMBOLS = Call("ingest", "symbols", SymbolsAsked, Symbols, ("gateway", "backtest"))
COVERAGE = Call("ingest", "coverage", CoverageAsked, Coverage, ("gateway", "backtest"))
FOLLOW = Call("ingest", "follow", MarketNamed, Following, ("gateway",))
UNFOLLOW = Call("ingest", "unfollow", MarketNamed, Following, ("gateway",))
QUARANTINE = Call("ingest", "quarantine", QuarantineAsked, Quarantined, ("gateway",))
RESTORE = Call("ingest", "restore", RestoreAsked, TradeSetAside, ("gateway",))
