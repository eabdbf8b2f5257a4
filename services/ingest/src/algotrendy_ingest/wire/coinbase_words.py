"""What single rows of Coinbase's public channels say, in the platform's words.

Source: docs.cdp.coinbase.com, "Advanced Trade WebSocket channels" and, for the layout before it, "Exchange WebSocket
channels". Invariant: pure; what is not exactly such a row raises ValueError, KeyError or TypeError.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from algotrendy_common.enums import Side, Timeframe
from algotrendy_common.money import ZERO
from algotrendy_core.bars import Bar

from algotrendy_ingest.adapters.numbers import number, positive
from algotrendy_ingest.domain.ticks import QuoteTick, Stamp, TradeTick
from algotrendy_ingest.wire.book import Level
from algotrendy_ingest.wire.protocol import WireMarket

VENUE = "coinbase"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TAKER = {"buy": Side.SELL, "sell": Side.BUY}
"""By the side that is told, which is the maker's."""


def market_of(name: str) -> WireMarket:
    """Ours and Coinbase's names are one. Raises ValueError for what is no spot product: those have three parts."""
    match name.split("-"):
        case [base, quote] if base and quote:
            return WireMarket(name, name)
    raise ValueError(f"{name!r} is no spot product of Coinbase's")


def instant(text: str) -> datetime:
    """RFC 3339, up to nanoseconds, of which microseconds are kept."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} does not say its time zone")
    return time


def trade_of(row: dict[str, Any], symbol: str, received: Stamp) -> TradeTick:
    """A row of ``market_trades`` or of REST's, or an older ``match``; a product's trades are numbered one by one."""
    sequence = int(row["trade_id"])
    return TradeTick(
        symbol=symbol,
        trade_id=str(sequence),
        sequence=sequence,
        price=positive(row["price"]),
        quantity=positive(row["size"]),
        side=_TAKER[row["side"].lower()],
        event_time=instant(row["time"]),
        received=received,
    )


def quote_of(symbol: str, bid: Level, ask: Level, event_time: datetime, received: Stamp) -> QuoteTick | None:
    """None while a side of the book is empty."""
    if not number(bid[0]) or not number(ask[0]):
        return None
    return QuoteTick(symbol, positive(bid[0]), number(bid[1]), positive(ask[0]), number(ask[1]), event_time, received)


def bar_of(row: dict[str, Any], timeframe: Timeframe, *, complete: bool) -> Bar:
    """Coinbase tells neither a candle's turnover nor the number of its trades: both are 0."""
    return Bar(
        timeframe,
        _EPOCH + timedelta(seconds=int(row["start"])),
        positive(row["open"]),
        positive(row["high"]),
        positive(row["low"]),
        positive(row["close"]),
        volume=number(row["volume"]),
        quote_volume=ZERO,
        trade_count=0,
        complete=complete,
    )
