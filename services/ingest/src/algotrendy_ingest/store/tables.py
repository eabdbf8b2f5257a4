"""What is kept in QuestDB, in which shape and for how long.

Invariant: every table has keys that make a repeated row one row, so a write that may have happened can be repeated;
numbers are kept as DECIMAL, exactly as the venue wrote them. ``ts`` is the venue's time (a candle's its opening), and
only of ``feed_health`` ours. Every statement here can be repeated.
"""

from collections.abc import Iterator
from datetime import timedelta

from algotrendy_common.enums import Timeframe

_NUMBER = "DECIMAL(38, 18)"
_BAR = f"open {_NUMBER}, high {_NUMBER}, low {_NUMBER}, close {_NUMBER}, volume {_NUMBER}, trade_count LONG"

TABLES: dict[str, tuple[str, str]] = {
    "trade": (
        "ts TIMESTAMP, venue SYMBOL, symbol SYMBOL, trade_id VARCHAR, side SYMBOL,"
        f" price {_NUMBER}, quantity {_NUMBER}, received TIMESTAMP",
        "ts, venue, symbol, trade_id",
    ),
    "quote": (
        "ts TIMESTAMP, venue SYMBOL, symbol SYMBOL, event_id UUID,"
        f" bid {_NUMBER}, bid_quantity {_NUMBER}, ask {_NUMBER}, ask_quantity {_NUMBER}, received TIMESTAMP",
        "ts, venue, symbol, event_id",
    ),
    "bar": (
        f"ts TIMESTAMP, venue SYMBOL, symbol SYMBOL, timeframe SYMBOL, {_BAR}",
        "ts, venue, symbol, timeframe",
    ),
    # Levels as JSON text: an array of QuestDB's holds floats, and a price must come back as it was.
    "book": (
        "ts TIMESTAMP, venue SYMBOL, symbol SYMBOL, sequence LONG, bids VARCHAR, asks VARCHAR, received TIMESTAMP",
        "ts, venue, symbol, sequence",
    ),
    "signal": (
        "ts TIMESTAMP, strategy SYMBOL, venue SYMBOL, symbol SYMBOL, timeframe SYMBOL, account SYMBOL, event_id UUID,"
        f" target {_NUMBER}, price {_NUMBER}, reason VARCHAR, received TIMESTAMP",
        "ts, strategy, event_id",
    ),
    "feed_health": (
        "ts TIMESTAMP, venue SYMBOL, state SYMBOL, latency_ms DOUBLE, last_message TIMESTAMP, stale VARCHAR,"
        " gaps LONG, reconnects LONG, replay BOOLEAN, lag_ms DOUBLE, watermark TIMESTAMP, missing_trades LONG",
        "ts, venue",
    ),
    # Stretches of which a venue was asked and has no candles: it need not be asked again.
    "absent": (
        "ts TIMESTAMP, venue SYMBOL, symbol SYMBOL, timeframe SYMBOL, until TIMESTAMP",
        "ts, venue, symbol, timeframe",
    ),
}
"""Columns and keys. A column that is added later needs a statement of its own in ``CHANGES``."""

CHANGES: tuple[str, ...] = ()
"""Run after the tables are there, in order, each repeatable: ``ALTER TABLE … ADD COLUMN IF NOT EXISTS …``."""

DERIVED = (Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.H4, Timeframe.D1)
"""Timeframes that QuestDB itself puts together out of the minutes it has."""

_CANDLES = frozenset({"bar", "absent"})


def view(timeframe: Timeframe) -> str:
    """The materialised view of a timeframe, whatever minutes it was made of: ``parts`` says how many."""
    return f"bar_{timeframe.value}"


def is_candles(name: str) -> bool:
    """Kept as long as candles are, not as long as ticks."""
    return name in _CANDLES or name.startswith("bar_")


def statements(retention: timedelta, candle_retention: timedelta) -> Iterator[str]:
    for name in TABLES:
        yield statement(name, retention, candle_retention)
    yield from CHANGES


def statement(name: str, retention: timedelta, candle_retention: timedelta, *, called: str | None = None) -> str:
    """Makes a table, under another name where ``called`` says so."""
    columns, keys = TABLES[name]
    days = (candle_retention if is_candles(name) else retention).days
    return (
        f"CREATE TABLE IF NOT EXISTS {called or name} ({columns})"
        f" TIMESTAMP(ts) PARTITION BY DAY TTL {days} DAYS WAL DEDUP UPSERT KEYS({keys})"
    )


def view_statement(timeframe: Timeframe, candle_retention: timedelta) -> str:
    # By a clock, not by each commit: brought up to date after every minute of every symbol, the five views took a
    # fifth of a core while a recorded day was played at sixty times its pace.
    return (
        f"CREATE MATERIALIZED VIEW IF NOT EXISTS {view(timeframe)} REFRESH EVERY 1m AS ("
        "SELECT ts, venue, symbol, first(open) open, max(high) high, min(low) low, last(close) close,"
        " sum(volume) volume, sum(trade_count) trade_count, count() parts"
        f" FROM bar WHERE timeframe = '{Timeframe.M1.value}' SAMPLE BY {timeframe.value}"
        f") PARTITION BY DAY TTL {candle_retention.days} DAYS"
    )


def days_of(value: int, unit: str) -> float | None:
    """A TTL as ``tables()`` tells it, in days; None where its unit has no fixed length or there is none."""
    each = {"HOUR": 1 / 24, "DAY": 1, "WEEK": 7}.get(unit)
    return value * each if each is not None and value else None
