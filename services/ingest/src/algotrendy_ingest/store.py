"""QuestDB: the only file that speaks its SQL and its line protocol.

Invariant: every table has keys that make a repeated row one row, so a write that may have happened can be repeated;
numbers are kept as DECIMAL, exactly as the venue wrote them. QuestDB is never the authority on orders or money.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import questdb
from algotrendy_common.enums import Timeframe
from algotrendy_common.events.market import QuoteChanged, TradePrinted
from algotrendy_common.rpc.ingest import Candle, RecordedQuote

from algotrendy_ingest.errors import StoreAway
from algotrendy_ingest.metrics import ROWS_WRITTEN
from algotrendy_ingest.ports import Candlestick

MIGRATIONS = (
    """CREATE TABLE IF NOT EXISTS trade (
        ts TIMESTAMP, venue SYMBOL, symbol SYMBOL, trade_id VARCHAR, side SYMBOL,
        price DECIMAL(38, 18), quantity DECIMAL(38, 18), received TIMESTAMP
    ) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, venue, symbol, trade_id)""",
    """CREATE TABLE IF NOT EXISTS quote (
        ts TIMESTAMP, venue SYMBOL, symbol SYMBOL, event_id UUID,
        bid DECIMAL(38, 18), bid_quantity DECIMAL(38, 18), ask DECIMAL(38, 18), ask_quantity DECIMAL(38, 18),
        received TIMESTAMP
    ) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, venue, symbol, event_id)""",
    """CREATE TABLE IF NOT EXISTS bar (
        ts TIMESTAMP, venue SYMBOL, symbol SYMBOL, timeframe SYMBOL,
        open DECIMAL(38, 18), high DECIMAL(38, 18), low DECIMAL(38, 18), close DECIMAL(38, 18),
        volume DECIMAL(38, 18), trade_count LONG
    ) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, venue, symbol, timeframe)""",
)
"""In order, each repeatable; a change is a new entry at the end. ``ts`` is the venue's time, a candle's its opening."""

_TIMEOUT_S = 5.0
_QUOTE_SPAN = timedelta(days=1)

type Row = tuple[dict[str, str | None], dict[str, Any], datetime]
"""Symbols, columns and event time."""


class QuestStore:
    """A ``History``. Reads go over ``/exec``, writes over ``/write``; both on one address, with one login."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        login = (unquote(parts.username or ""), unquote(parts.password or ""))
        address = f"{parts.hostname}:{parts.port or 9000}"
        self._http = httpx.AsyncClient(
            base_url=f"{parts.scheme}://{address}", auth=login if parts.username else None, timeout=_TIMEOUT_S
        )
        secret = f"username={login[0]};password={login[1]};" if parts.username else ""
        # Version 3 is the one that carries decimals; asking the server for its versions would need it to be up.
        # Retrying is left to whoever brought the rows: they still have them.
        self._configuration = (
            f"{parts.scheme}::addr={address};{secret}protocol_version=3;auto_flush=off;"
            f"retry_timeout=0;request_timeout={int(_TIMEOUT_S * 1000)};"
        )
        self._sender: questdb.Sender | None = None
        self._writing = asyncio.Lock()
        self._migrated = False

    async def close(self) -> None:
        if self._sender is not None:
            self._sender.close(False)
        await self._http.aclose()

    async def migrate(self) -> None:
        """Make what is not there yet."""
        for statement in MIGRATIONS:
            await self._exec(statement)
        self._migrated = True

    async def problem(self) -> str | None:
        """What keeps history from being written or read; for readiness."""
        try:
            rows = await self._exec("SELECT name FROM wal_tables() WHERE suspended")
        except StoreAway as error:
            return str(error)
        return f"suspended tables: {', '.join(row[0] for row in rows)}" if rows else None

    # -- writing ---------------------------------------------------------------------------------------------

    async def write_trades(self, trades: Sequence[TradePrinted]) -> None:
        await self._write("trade", map(_trade_row, trades))

    async def write_quotes(self, quotes: Sequence[QuoteChanged]) -> None:
        await self._write("quote", map(_quote_row, quotes))

    async def write_bars(self, venue: str, symbol: str, bars: Sequence[Candlestick]) -> None:
        await self._write("bar", (_bar_row(venue, symbol, bar) for bar in bars))

    async def _write(self, table: str, rows: Iterable[Row]) -> None:
        async with self._writing:
            if not self._migrated:
                await self.migrate()  # a row for a table that is not there would make one without keys
            try:
                sender = await self._connected()
                buffer = sender.new_buffer()
                count = 0
                for symbols, columns, time in rows:
                    buffer.row(table, symbols=symbols, columns=columns, at=questdb.TimestampNanos.from_datetime(time))
                    count += 1
                await asyncio.to_thread(sender.flush, buffer, transactional=True)
            except questdb.QuestDBError as error:
                self._migrated = False  # what comes back may be another server, with nothing in it
                raise StoreAway(f"QuestDB does not write: {error}"[:300], table=table) from error
        ROWS_WRITTEN.labels(table).inc(count)

    async def _connected(self) -> questdb.Sender:
        if self._sender is None:
            sender = questdb.Sender.from_conf(self._configuration)
            await asyncio.to_thread(sender.establish)
            self._sender = sender
        return self._sender

    # -- reading ---------------------------------------------------------------------------------------------

    async def candles(
        self, venue: str, symbol: str, timeframe: Timeframe, start: datetime | None, end: datetime | None, limit: int
    ) -> list[Candle]:
        # A negative limit takes the last rows and leaves them in order.
        rows = await self._ask(
            "SELECT ts, open, high, low, close, volume FROM bar"
            f" WHERE {_which(venue, symbol, timeframe, start, end)}"
            f" ORDER BY ts LIMIT {limit if start is not None else -limit}"
        )
        return [_candle(row) for row in rows]

    async def open_times(
        self, venue: str, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> set[datetime]:
        rows = await self._ask(f"SELECT ts FROM bar WHERE {_which(venue, symbol, timeframe, start, end)}")
        return {datetime.fromisoformat(row[0]) for row in rows}

    async def quote_before(
        self, venue: str, symbol: str, since: datetime, received_before: datetime
    ) -> RecordedQuote | None:
        rows = await self._ask(
            f"SELECT ts, received, bid, ask FROM quote WHERE venue = {_text(venue)} AND symbol = {_text(symbol)}"
            f" AND ts >= {_time(since)} AND ts < {_time(since + _QUOTE_SPAN)} AND received < {_time(received_before)}"
            " ORDER BY received LIMIT -1"
        )
        for time, received, bid, ask in rows:
            return RecordedQuote(event_time=time, received_time=received, bid=bid, ask=ask)
        return None

    async def newest_trade_ids(self, venue: str) -> dict[str, str]:
        rows = await self._ask(
            f"SELECT symbol, trade_id FROM trade WHERE venue = {_text(venue)} LATEST ON ts PARTITION BY symbol"
        )
        return {row[0]: row[1] for row in rows}

    async def _ask(self, sql: str) -> list[Any]:
        if not self._migrated:
            await self.migrate()
        return await self._exec(sql)

    async def _exec(self, sql: str) -> list[Any]:
        try:
            answer = await self._http.get("/exec", params={"query": sql, "nm": "true"})
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise StoreAway(f"QuestDB does not answer: {error!r}") from error
        if answer.status_code != httpx.codes.OK:
            raise StoreAway(f"QuestDB refuses: {body.get('error', answer.status_code)}", sql=sql)
        rows: list[Any] = body.get("dataset", [])
        return rows


def _trade_row(trade: TradePrinted) -> Row:
    return (
        {"venue": trade.venue, "symbol": trade.symbol, "side": trade.side.value},
        {
            "trade_id": trade.trade_id,
            "price": trade.price,
            "quantity": trade.quantity,
            "received": _micros(trade.received_time),
        },
        trade.event_time,
    )


def _quote_row(quote: QuoteChanged) -> Row:
    event_id = quote.event_id
    return (
        {"venue": quote.venue, "symbol": quote.symbol},
        {
            "event_id": "-".join((event_id[:8], event_id[8:12], event_id[12:16], event_id[16:20], event_id[20:])),
            "bid": quote.bid,
            "bid_quantity": quote.bid_quantity,
            "ask": quote.ask,
            "ask_quantity": quote.ask_quantity,
            "received": _micros(quote.received_time),
        },
        quote.event_time,
    )


def _bar_row(venue: str, symbol: str, bar: Candlestick) -> Row:
    return (
        {"venue": venue, "symbol": symbol, "timeframe": bar.timeframe.value},
        {
            "open": bar.open,
            "high": bar.high,
            "low": bar.low,
            "close": bar.close,
            "volume": bar.volume,
            "trade_count": bar.trade_count,
        },
        bar.open_time,
    )


def _candle(row: Sequence[Any]) -> Candle:
    time, open_, high, low, close, volume = row
    return Candle(open_time=time, open=open_, high=high, low=low, close=close, volume=volume, closed=True)


_micros: Callable[[datetime], Any] = questdb.TimestampMicros.from_datetime


def _which(venue: str, symbol: str, timeframe: Timeframe, start: datetime | None, end: datetime | None) -> str:
    which = f"venue = {_text(venue)} AND symbol = {_text(symbol)} AND timeframe = {_text(timeframe)}"
    if start is not None:
        which += f" AND ts >= {_time(start)}"
    return which if end is None else f"{which} AND ts < {_time(end)}"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _time(instant: datetime) -> str:
    return f"'{instant:%Y-%m-%dT%H:%M:%S.%f}Z'"
