"""What the handlers need of the world outside."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from algotrendy_common.enums import Severity, Timeframe
from algotrendy_common.events.event import Event
from algotrendy_common.events.market import BookSnapshotTaken, FeedHealthChanged, QuoteChanged, TradePrinted
from algotrendy_common.events.signal import SignalRaised
from algotrendy_common.rpc.ingest import Candle, InstrumentInfo, RecordedQuote
from algotrendy_core.bars import Bar

from algotrendy_ingest.domain.ticks import Message, TradeTick


class Publisher(Protocol):
    async def publish(self, event: Event) -> None:
        """Put an event on the bus without waiting for storage."""
        ...


class Alarm(Protocol):
    async def alert(self, severity: Severity, code: str, message: str, **context: object) -> None:
        """Tell people."""
        ...


class Feed(Protocol):
    """One venue's public data. Every method but ``run`` and ``venue_time`` raises ``VenueAway``."""

    @property
    def venue(self) -> str: ...

    @property
    def venue_time(self) -> datetime | None:
        """The newest time that any message of the venue bore."""
        ...

    async def run(self, deliver: Callable[[Message], None]) -> None:
        """Hand over every message as it is read, and stay connected; returns never."""
        ...

    async def close(self) -> None: ...

    async def instruments(self) -> tuple[InstrumentInfo, ...]: ...

    async def instrument(self, symbol: str) -> InstrumentInfo:
        """Of one more symbol. Raises Refused ``unknown_instrument``, too."""
        ...

    def listen(self, symbol: str) -> None:
        """Follow one more, whose instrument was asked for."""
        ...

    def leave(self, symbol: str) -> None: ...

    async def bars(
        self, symbol: str, timeframe: Timeframe, start: datetime | None = None, end: datetime | None = None
    ) -> list[Bar]:
        """Candles that open in [start, end), oldest first, at most 1,000; without ``start`` the newest, the last of
        which is still open."""
        ...

    async def recent_trades(self, symbol: str) -> list[TradeTick]:
        """The newest trades, oldest first, as many as the venue gives without a key."""
        ...


class Candlestick(Protocol):
    """What candles have in common: core's bars and the bus's events alike."""

    @property
    def timeframe(self) -> Timeframe: ...
    @property
    def open_time(self) -> datetime: ...
    @property
    def open(self) -> Decimal: ...
    @property
    def high(self) -> Decimal: ...
    @property
    def low(self) -> Decimal: ...
    @property
    def close(self) -> Decimal: ...
    @property
    def volume(self) -> Decimal: ...
    @property
    def trade_count(self) -> int: ...


class History(Protocol):
    """Where market data is kept. Every method raises ``StoreAway``; every write may be repeated."""

    async def write_trades(self, trades: Sequence[TradePrinted]) -> None: ...

    async def write_ticks(self, venue: str, trades: Sequence[TradeTick]) -> None:
        """Trades that the venue told over REST, and nobody else is told of."""
        ...

    async def write_quotes(self, quotes: Sequence[QuoteChanged]) -> None: ...

    async def write_bars(self, venue: str, symbol: str, bars: Sequence[Candlestick]) -> None: ...

    async def write_books(self, books: Sequence[BookSnapshotTaken]) -> None: ...

    async def write_signals(self, signals: Sequence[SignalRaised]) -> None: ...

    async def write_health(self, readings: Sequence[FeedHealthChanged]) -> None: ...

    async def candles(
        self, venue: str, symbol: str, timeframe: Timeframe, start: datetime | None, end: datetime | None, limit: int
    ) -> list[Candle]:
        """Closed candles that open in [start, end), oldest first: from ``start`` on, without it the newest."""
        ...

    async def has_candles(self, venue: str, symbol: str) -> bool: ...

    async def open_times(
        self, venue: str, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> set[datetime]:
        """When the candles open that are kept."""
        ...

    async def quote_before(
        self, venue: str, symbol: str, since: datetime, received_before: datetime
    ) -> RecordedQuote | None:
        """The last one received before a time of our clock, of the day from ``since`` on by the venue's."""
        ...

    async def newest_trade_numbers(self, venue: str, symbol: str, limit: int) -> set[int]:
        """Of the last trades that are recorded, where they are numbered."""
        ...

    async def newest_trade_ids(self, venue: str) -> dict[str, str]:
        """By symbol."""
        ...
