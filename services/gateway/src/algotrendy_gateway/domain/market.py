"""Market data as the page sees it."""

from decimal import Decimal
from typing import Literal, Self

from algotrendy_common.clock import Instant
from algotrendy_common.enums import FeedState, Side, Timeframe
from algotrendy_common.events.market import BarUpdated, FeedHealthChanged, QuoteChanged, TradePrinted
from algotrendy_common.ids import Symbol, Venue
from algotrendy_common.money import Amount, Price, Quantity
from algotrendy_common.rpc.ingest import Candle as CandleAnswer
from algotrendy_common.rpc.ingest import InstrumentInfo

from algotrendy_gateway.domain.shape import Shape


class Quote(Shape):
    venue: Venue
    symbol: Symbol
    bid: Price
    bid_quantity: Amount
    ask: Price
    ask_quantity: Amount
    last: Price | None
    """Price of the newest trade; None before the first."""
    event_time: Instant
    received_time: Instant

    @classmethod
    def of(cls, event: QuoteChanged, last: Decimal | None) -> Self:
        return cls(
            venue=event.venue,
            symbol=event.symbol,
            bid=event.bid,
            bid_quantity=event.bid_quantity,
            ask=event.ask,
            ask_quantity=event.ask_quantity,
            last=last,
            event_time=event.event_time,
            received_time=event.received_time,
        )


class Trade(Shape):
    venue: Venue
    symbol: Symbol
    price: Price
    quantity: Quantity
    side: Side
    event_time: Instant

    @classmethod
    def of(cls, event: TradePrinted) -> Self:
        return cls(
            venue=event.venue,
            symbol=event.symbol,
            price=event.price,
            quantity=event.quantity,
            side=event.side,
            event_time=event.event_time,
        )


class Candle(Shape):
    time: Instant
    """When it opened."""
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Amount
    closed: bool

    @classmethod
    def of(cls, candle: CandleAnswer) -> Self:
        return cls(time=candle.open_time, **candle.model_dump(exclude={"open_time"}))


class Bar(Candle):
    venue: Venue
    symbol: Symbol
    timeframe: Timeframe

    @classmethod
    def of_event(cls, event: BarUpdated) -> Self:
        return cls(
            venue=event.venue,
            symbol=event.symbol,
            timeframe=event.timeframe,
            time=event.open_time,
            open=event.open,
            high=event.high,
            low=event.low,
            close=event.close,
            volume=event.volume,
            closed=event.closed,
        )


class Instrument(Shape):
    venue: Venue
    symbol: Symbol
    base: str
    quote: str
    price_step: Price
    quantity_step: Quantity
    min_quantity: Quantity
    min_notional: Amount
    maker_fee: Amount
    """A ratio: 0.001 is 0.1 %."""
    taker_fee: Amount
    kind: Literal["spot", "perpetual"] = "spot"
    max_leverage: Amount = Decimal(1)
    """Above one: it can be traded on margin."""

    @classmethod
    def of(cls, info: InstrumentInfo) -> Self:
        return cls(**info.model_dump(include=set(cls.model_fields)))


class Feed(Shape):
    venue: Venue
    state: FeedState
    latency_ms: float | None
    last_message_at: Instant | None
    stale_symbols: tuple[Symbol, ...]
    gaps: int
    reconnects: int

    @classmethod
    def of(cls, event: FeedHealthChanged, *, heard: bool) -> Self:
        """``heard`` False: nobody has spoken for the feed of late, so whatever it last said no longer holds."""
        return cls(
            venue=event.venue,
            state=event.state if heard else FeedState.DOWN,
            latency_ms=event.latency_ms if heard else None,
            last_message_at=event.last_message_at,
            stale_symbols=event.stale_symbols,
            gaps=event.gaps,
            reconnects=event.reconnects,
        )
