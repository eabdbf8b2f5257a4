"""What single rows of Kraken's public channels say, in the platform's words: the newer layout (v2) and the one before.

Source: docs.kraken.com, "Spot WebSocket" v2 and v1. Invariant: pure; v2 writes numbers as JSON numbers, and they are
handed over here as their very digits (text). What is not exactly such a row raises ValueError, KeyError or TypeError.
"""

import zlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from algotrendy_common.enums import Side, Timeframe
from algotrendy_core.bars import Bar

from algotrendy_ingest.adapters.numbers import number, positive
from algotrendy_ingest.domain.ticks import QuoteTick, Stamp, TradeTick
from algotrendy_ingest.wire.book import Level

VENUE = "kraken"
CHECKED = 10
"""Levels of a side that a checksum is over."""
TIMEFRAMES = {
    1: Timeframe.M1, 5: Timeframe.M5, 15: Timeframe.M15, 60: Timeframe.H1, 240: Timeframe.H4, 1440: Timeframe.D1,
}  # fmt: skip
"""By Kraken's interval, in minutes."""

_OURS = {"XBT": "BTC", "XDG": "DOGE"}
"""Assets that REST and the older socket call otherwise; the newer socket has the common names."""
_KNOWN = 1 << 14
"""Levels of a pair whose digits are kept: those of a change are its checksum's for a while."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

type Precision = tuple[int, int]
"""Decimals of a pair's prices and of its quantities."""
type Best = tuple[Any, Any]
"""Price and quantity as they came."""


def asset_of(name: str) -> str:
    return _OURS.get(name, name)


def symbol_of(pair: str) -> str:
    """``XBT/USDT`` and ``BTC/USDT`` are both ``BTC-USDT``. Raises ValueError for what is no pair."""
    match pair.split("/"):
        case [base, quote] if base and quote:
            return f"{asset_of(base)}-{asset_of(quote)}"
    raise ValueError(f"{pair!r} is not a pair of Kraken's")


def pair_of(symbol: str) -> str:
    """The newer socket's name. Raises ValueError for a perpetual: those are another venue's, Kraken Futures."""
    match symbol.split("-"):
        case [base, quote] if base and quote:
            return f"{base}/{quote}"
    raise ValueError(f"Kraken's spot market has no {symbol}")


def instant(text: str) -> datetime:
    """RFC 3339, up to nanoseconds, of which microseconds are kept."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} does not say its time zone")
    return time


def unix_instant(text: str) -> datetime:
    """Seconds since the epoch with up to six decimals; no float rounds them."""
    seconds, _, fraction = text.partition(".")
    return _EPOCH + timedelta(seconds=int(seconds), microseconds=int(fraction[:6].ljust(6, "0")))


def unix_ms(text: str) -> int:
    """The same as whole milliseconds, rounded down."""
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 1000 + int(fraction[:3].ljust(3, "0"))


def trade_of(row: dict[str, Any], symbol: str, received: Stamp) -> TradeTick:
    """A row of ``trade``: a pair's trades are numbered one by one."""
    sequence = int(row["trade_id"])
    return TradeTick(
        symbol=symbol,
        trade_id=str(sequence),
        sequence=sequence,
        price=positive(row["price"]),
        quantity=positive(row["qty"]),
        side=Side(row["side"]),
        event_time=instant(row["timestamp"]),
        received=received,
    )


def old_trade_of(row: list[Any], trade_id: str, symbol: str, received: Stamp) -> TradeTick:
    """A row of v1's ``trade``: price, volume, time, side, kind of order. v1 does not number trades."""
    price, volume, time, side, *_ = row
    return TradeTick(
        symbol=symbol,
        trade_id=trade_id,
        sequence=None,
        price=positive(price),
        quantity=positive(volume),
        side={"b": Side.BUY, "s": Side.SELL}[side],
        event_time=unix_instant(time),
        received=received,
    )


def quote_of(symbol: str, bid: Best, ask: Best, event_time: datetime, received: Stamp) -> QuoteTick | None:
    """None while a side of the book is empty."""
    if bid[0] is None or ask[0] is None:
        return None
    bid_price, ask_price = number(bid[0]), number(ask[0])
    if not bid_price or not ask_price:
        return None
    return QuoteTick(symbol, bid_price, number(bid[1]), ask_price, number(ask[1]), event_time, received)


def bar_of(
    timeframe: Timeframe, begin: datetime, prices: Iterable[Any], vwap: Any, volume: Any, trades: Any, *, complete: bool
) -> Bar:
    """Kraken tells an average price (vwap) instead of a turnover: ``quote_volume`` is as exact as that is."""
    opened, high, low, close = (positive(price) for price in prices)
    traded = number(volume)
    return Bar(
        timeframe, begin, opened, high, low, close,
        volume=traded, quote_volume=traded * number(vwap), trade_count=int(trades), complete=complete,
    )  # fmt: skip


def levels_of(rows: Iterable[dict[str, Any]]) -> list[Level]:
    return [(row["price"], row["qty"]) for row in rows]


class Digits:
    """What of a level goes into a checksum: the digits of price and quantity, without their leading noughts.

    With a precision, as many decimals as the pair has; without, as many as were sent.
    """

    def __init__(self, precision: Precision | None) -> None:
        self._precision = precision
        self._known: dict[Level, str] = {}

    def checksum(self, asks: Iterable[Level], bids: Iterable[Level]) -> int:
        """CRC32, asks first; hand over no more than ``CHECKED`` of each side."""
        known = self._known
        return zlib.crc32(
            "".join([known.get(level) or self._of(level) for side in (asks, bids) for level in side]).encode()
        )

    def _of(self, level: Level) -> str:
        price, quantity = level
        if self._precision is not None:
            price, quantity = (
                f"{Decimal(text):.{decimals}f}" for text, decimals in zip(level, self._precision, strict=True)
            )
        digits = price.replace(".", "").lstrip("0") + quantity.replace(".", "").lstrip("0")
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[level] = digits
        return digits
