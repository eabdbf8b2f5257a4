"""Events and candles as rows, values as SQL, and rows as what is told of them."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import questdb
from algotrendy_common.enums import Timeframe
from algotrendy_common.events.market import (
    BookLevel,
    BookSnapshotTaken,
    FeedHealthChanged,
    QuoteChanged,
    TradePrinted,
)
from algotrendy_common.events.signal import SignalRaised
from algotrendy_common.rpc.ingest import Candle

from algotrendy_ingest.domain.ticks import TradeTick
from algotrendy_ingest.ports import Candlestick
from algotrendy_ingest.store.connection import Row

type CandleRow = tuple[str, str, str, str, str, str]
"""Opening, open, high, low, close and volume."""

_micros: Callable[[datetime], Any] = questdb.TimestampMicros.from_datetime


def trade_row(trade: TradePrinted) -> Row:
    return (
        {"venue": trade.venue, "symbol": trade.symbol, "side": trade.side._value_},
        {
            "trade_id": trade.trade_id,
            "price": trade.price,
            "quantity": trade.quantity,
            "received": _micros(trade.received_time),
        },
        trade.event_time,
    )


def tick_row(venue: str, trade: TradeTick) -> Row:
    return (
        {"venue": venue, "symbol": trade.symbol, "side": trade.side.value},
        {
            "trade_id": trade.trade_id,
            "price": trade.price,
            "quantity": trade.quantity,
            "received": _micros(trade.received.time),
        },
        trade.event_time,
    )


def quote_row(quote: QuoteChanged) -> Row:
    return (
        {"venue": quote.venue, "symbol": quote.symbol},
        {
            "event_id": _uuid(quote.event_id),
            "bid": quote.bid,
            "bid_quantity": quote.bid_quantity,
            "ask": quote.ask,
            "ask_quantity": quote.ask_quantity,
            "received": _micros(quote.received_time),
        },
        quote.event_time,
    )


def bar_row(venue: str, symbol: str, bar: Candlestick) -> Row:
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


def book_row(book: BookSnapshotTaken) -> Row:
    return (
        {"venue": book.venue, "symbol": book.symbol},
        {
            "sequence": book.sequence,
            "bids": _levels(book.bids),
            "asks": _levels(book.asks),
            "received": _micros(book.received_time),
        },
        book.event_time,
    )


def signal_row(signal: SignalRaised) -> Row:
    return (
        {
            "strategy": signal.strategy,
            "venue": signal.venue,
            "symbol": signal.symbol,
            "timeframe": signal.timeframe.value,
            "account": signal.account,
        },
        {
            "event_id": _uuid(signal.event_id),
            "target": signal.target,
            "price": signal.price,
            "reason": signal.reason,
            "received": _micros(signal.received_time),
        },
        signal.event_time,
    )


def health_row(health: FeedHealthChanged) -> Row:
    columns: dict[str, Any] = {
        "stale": ",".join(health.stale_symbols),
        "gaps": health.gaps,
        "reconnects": health.reconnects,
        "replay": health.replay,
        "missing_trades": health.missing_trades,
    }
    if health.latency_ms is not None:
        columns["latency_ms"] = float(health.latency_ms)
    if health.last_message_at is not None:
        columns["last_message"] = _micros(health.last_message_at)
    if health.lag_ms is not None:
        columns["lag_ms"] = float(health.lag_ms)
    if health.watermark is not None:
        columns["watermark"] = _micros(health.watermark)
    return {"venue": health.venue, "state": health.state.value}, columns, health.event_time


def absent_row(venue: str, symbol: str, timeframe: Timeframe, start: datetime, until: datetime) -> Row:
    return {"venue": venue, "symbol": symbol, "timeframe": timeframe.value}, {"until": _micros(until)}, start


def candle_row(venue: str, symbol: str, timeframe: Timeframe, kept: Mapping[str, Any]) -> Row:
    """A candle as the table's own columns have it."""
    columns = {name: kept[name] for name in ("open", "high", "low", "close", "volume", "trade_count")}
    return {"venue": venue, "symbol": symbol, "timeframe": timeframe.value}, columns, kept["ts"]


def taken_trade_row(venue: str, symbol: str, kept: Mapping[str, Any]) -> Row:
    """A trade as the table's own columns have it."""
    columns = {name: kept[name] for name in ("trade_id", "price", "quantity")}
    columns["received"] = _micros(kept["received"])
    return {"venue": venue, "symbol": symbol, "side": kept["side"]}, columns, kept["ts"]


# -- what comes back -----------------------------------------------------------------------------------------


def candle_of(row: Sequence[Any]) -> Candle:
    """Of six texts, as the store keeps them: checked when they were written, and to check a day of minutes again takes
    longer than to ask for it."""
    time, open_, high, low, close, volume = row
    return Candle.model_construct(
        open_time=datetime.fromisoformat(time),
        open=Decimal(open_),
        high=Decimal(high),
        low=Decimal(low),
        close=Decimal(close),
        volume=Decimal(volume),
        closed=True,
    )


def row_of(candle: Candle) -> CandleRow:
    prices = (candle.open, candle.high, candle.low, candle.close, candle.volume)
    return candle.open_time.isoformat(), *(str(price) for price in prices)  # type: ignore[return-value]


def levels_of(text: str) -> tuple[BookLevel, ...]:
    return tuple(BookLevel(price=price, quantity=quantity) for price, quantity in json.loads(text))


# -- values in SQL -------------------------------------------------------------------------------------------


def text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def instant(value: datetime) -> str:
    return f"'{value:%Y-%m-%dT%H:%M:%S.%f}Z'"


def between(start: datetime | None, end: datetime | None) -> str:
    """``AND`` conditions on ``ts`` for [start, end)."""
    condition = "" if start is None else f" AND ts >= {instant(start)}"
    return condition if end is None else f"{condition} AND ts < {instant(end)}"


def whose(venue: str, symbol: str) -> str:
    return f"venue = {text(venue)} AND symbol = {text(symbol)}"


def which(venue: str, symbol: str, timeframe: Timeframe, start: datetime | None, end: datetime | None) -> str:
    """A timeframe's candles that open in [start, end)."""
    return f"{whose(venue, symbol)} AND timeframe = {text(timeframe)}{between(start, end)}"


def _levels(levels: Sequence[BookLevel]) -> str:
    return json.dumps([[str(level.price), str(level.quantity)] for level in levels], separators=(",", ":"))


def _uuid(event_id: str) -> str:
    return "-".join((event_id[:8], event_id[8:12], event_id[12:16], event_id[16:20], event_id[20:]))
