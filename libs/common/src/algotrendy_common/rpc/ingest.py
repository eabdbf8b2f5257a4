"""Questions about market data."""

from decimal import Decimal

from algotrendy_common.clock import Instant
from algotrendy_common.enums import Timeframe
from algotrendy_common.events.event import Record
from algotrendy_common.events.market import FeedHealthChanged, QuoteChanged
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


CANDLES = Call("ingest", "candles", CandlesAsked, Candles, ("agent", "backtest", "gateway"))
INSTRUMENTS = Call(
    "ingest", "instruments", Nothing, Instruments, ("agent", "risk", "backtest", "gateway", "broker_gateway")
)
QUOTES = Call("ingest", "quotes", Nothing, Quotes, ("gateway", "risk", "agent"))
QUOTE_BEFORE = Call("ingest", "quote_before", QuoteBeforeAsked, QuoteBefore, ("gateway",))
FEEDS = Call("ingest", "feeds", Nothing, Feeds, ("gateway",))
