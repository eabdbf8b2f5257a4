"""What the feed writes into QuestDB and reads back. QuestDB is never the authority on orders or money."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from algotrendy_common.enums import Timeframe
from algotrendy_common.events.market import BookSnapshotTaken, FeedHealthChanged, QuoteChanged, TradePrinted
from algotrendy_common.events.signal import SignalRaised
from algotrendy_common.rpc.ingest import Candle, RecordedQuote

from algotrendy_ingest.domain.history import Span
from algotrendy_ingest.domain.ticks import TradeTick
from algotrendy_ingest.errors import StoreAway
from algotrendy_ingest.ports import Candlestick
from algotrendy_ingest.store import rows, tables
from algotrendy_ingest.store.connection import YEAR, Quest

_QUOTE_SPAN = timedelta(days=1)
_CANDLE = "ts, open, high, low, close, volume"


class QuestStore:
    """A ``History``."""

    def __init__(self, url: str, *, retention: timedelta = YEAR, candle_retention: timedelta = YEAR) -> None:
        self.quest = Quest(url, retention=retention, candle_retention=candle_retention)

    async def close(self) -> None:
        await self.quest.close()

    async def migrate(self) -> None:
        """Make what is not there yet."""
        await self.quest.migrate()

    async def problem(self) -> str | None:
        """What keeps history from being written or read; for readiness."""
        try:
            suspended = await self.quest.command("SELECT name FROM wal_tables() WHERE suspended")
        except StoreAway as error:
            return str(error)
        return f"suspended tables: {', '.join(row[0] for row in suspended)}" if suspended else None

    # -- writing ---------------------------------------------------------------------------------------------

    async def write_trades(self, trades: Sequence[TradePrinted]) -> None:
        await self.quest.write("trade", map(rows.trade_row, trades))

    async def write_ticks(self, venue: str, trades: Sequence[TradeTick]) -> None:
        await self.quest.write("trade", (rows.tick_row(venue, trade) for trade in trades))

    async def write_quotes(self, quotes: Sequence[QuoteChanged]) -> None:
        await self.quest.write("quote", map(rows.quote_row, quotes))

    async def write_bars(self, venue: str, symbol: str, bars: Sequence[Candlestick]) -> None:
        await self.quest.write("bar", (rows.bar_row(venue, symbol, bar) for bar in bars))

    async def write_books(self, books: Sequence[BookSnapshotTaken]) -> None:
        await self.quest.write("book", map(rows.book_row, books))

    async def write_signals(self, signals: Sequence[SignalRaised]) -> None:
        await self.quest.write("signal", map(rows.signal_row, signals))

    async def write_health(self, readings: Sequence[FeedHealthChanged]) -> None:
        await self.quest.write("feed_health", map(rows.health_row, readings))

    async def note_absent(self, venue: str, symbol: str, timeframe: Timeframe, spans: Sequence[Span]) -> None:
        """The venue was asked for these stretches and has no candle of them."""
        made = (rows.absent_row(venue, symbol, timeframe, span.start, span.end) for span in spans)
        await self.quest.write("absent", made)

    # -- reading ---------------------------------------------------------------------------------------------

    async def candles(
        self, venue: str, symbol: str, timeframe: Timeframe, start: datetime | None, end: datetime | None, limit: int
    ) -> list[Candle]:
        # A negative limit takes the last rows and leaves them in order.
        last = f"ORDER BY ts LIMIT {limit if start is not None else -limit}"
        found = await self.quest.ask(
            f"SELECT {_CANDLE} FROM bar WHERE {rows.which(venue, symbol, timeframe, start, end)} {last}"
        )
        kept = [rows.candle_of(row) for row in found]
        if timeframe not in tables.DERIVED:
            return kept
        minutes = timeframe.seconds // Timeframe.M1.seconds
        derived = await self.quest.ask(
            f"SELECT {_CANDLE} FROM {tables.view(timeframe)} WHERE {rows.whose(venue, symbol)}"
            f"{rows.between(start, end)} AND parts = {minutes} {last}"
        )
        # Where a candle was kept it counts: the venue may have told it where minutes are missing.
        by_time = {row.open_time: row for row in map(rows.candle_of, derived)} | {row.open_time: row for row in kept}
        ordered = [by_time[time] for time in sorted(by_time)]
        return ordered[:limit] if start is not None else ordered[-limit:]

    async def has_candles(self, venue: str, symbol: str) -> bool:
        return bool(await self.quest.ask(f"SELECT 1 FROM bar WHERE {rows.whose(venue, symbol)} LIMIT 1"))

    async def newest_candle(self) -> datetime | None:
        """The newest row of all candles: by it QuestDB tells what is too old."""
        for [newest] in await self.quest.ask("SELECT max(ts) FROM bar"):
            return datetime.fromisoformat(newest) if newest else None
        return None

    async def open_times(
        self, venue: str, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> set[datetime]:
        found = await self.quest.ask(f"SELECT ts FROM bar WHERE {rows.which(venue, symbol, timeframe, start, end)}")
        return {datetime.fromisoformat(row[0]) for row in found}

    async def absent(self, venue: str, symbol: str, timeframe: Timeframe, start: datetime, end: datetime) -> list[Span]:
        """Stretches that touch [start, end) of which the venue has no candle, oldest first."""
        found = await self.quest.ask(
            f"SELECT ts, until FROM absent WHERE {rows.whose(venue, symbol)} AND timeframe = {rows.text(timeframe)}"
            f" AND ts < {rows.instant(end)} AND until > {rows.instant(start)} ORDER BY ts"
        )
        return [Span(datetime.fromisoformat(row[0]), datetime.fromisoformat(row[1])) for row in found]

    async def quote_before(
        self, venue: str, symbol: str, since: datetime, received_before: datetime
    ) -> RecordedQuote | None:
        found = await self.quest.ask(
            f"SELECT ts, received, bid, ask FROM quote WHERE {rows.whose(venue, symbol)}"
            f"{rows.between(since, since + _QUOTE_SPAN)} AND received < {rows.instant(received_before)}"
            " ORDER BY received LIMIT -1"
        )
        for time, received, bid, ask in found:
            return RecordedQuote(event_time=time, received_time=received, bid=bid, ask=ask)
        return None

    async def newest_trade_numbers(self, venue: str, symbol: str, limit: int) -> set[int]:
        found = await self.quest.ask(
            f"SELECT trade_id FROM trade WHERE {rows.whose(venue, symbol)} ORDER BY ts LIMIT {-limit}"
        )
        return {int(row[0]) for row in found if row[0].isdigit()}

    async def newest_trade_ids(self, venue: str) -> dict[str, str]:
        found = await self.quest.ask(
            f"SELECT symbol, trade_id FROM trade WHERE venue = {rows.text(venue)} LATEST ON ts PARTITION BY symbol"
        )
        return {row[0]: row[1] for row in found}
