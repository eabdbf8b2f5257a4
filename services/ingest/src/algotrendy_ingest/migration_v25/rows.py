"""Rows of 2.5's ``candles`` and ``trades`` in the platform's words.

Invariant: numbers are exact; what is no candle or trade raises ``Unacceptable`` with the reason.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from algotrendy_common.enums import Side, Timeframe
from algotrendy_common.migration_v25 import (
    Unacceptable,
    choice_of,
    number_of,
    symbol_of,
    text_of,
    time_of,
    venue_of,
)
from algotrendy_common.money import ZERO
from algotrendy_core.bars import interval_start

CANDLES = ("time", "exchange", "symbol", "timeframe", "open", "high", "low", "close", "volume", "trade_count")
TRADES = ("time", "exchange", "symbol", "trade_id", "side", "price", "amount")


@dataclass(frozen=True, slots=True)
class OldCandle:
    """A ``Candlestick``."""

    venue: str
    symbol: str
    timeframe: Timeframe
    open_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trade_count: int

    @property
    def key(self) -> tuple[str, ...]:
        return self.venue, self.symbol, self.timeframe, self.open_time.isoformat()

    @property
    def values(self) -> tuple[str, ...]:
        prices = (self.open, self.high, self.low, self.close, self.volume)
        return (*map(text_of, prices), str(self.trade_count))

    @property
    def sums(self) -> dict[str, Decimal]:
        return {"close": self.close, "volume": self.volume}


@dataclass(frozen=True, slots=True)
class OldTrade:
    venue: str
    symbol: str
    time: datetime
    trade_id: str
    side: Side
    price: Decimal
    quantity: Decimal

    @property
    def key(self) -> tuple[str, ...]:
        return self.venue, self.symbol, self.time.isoformat(), self.trade_id

    @property
    def values(self) -> tuple[str, ...]:
        return self.side.value, text_of(self.price), text_of(self.quantity)

    @property
    def sums(self) -> dict[str, Decimal]:
        return {"quantity": self.quantity, "price × quantity": self.price * self.quantity}


def candle_of(cells: dict[str, str]) -> OldCandle:
    timeframe = Timeframe(choice_of(cells["timeframe"], "timeframe", tuple(Timeframe)))
    time = time_of(cells["time"])
    if interval_start(time, timeframe) != time:
        raise Unacceptable(f"time is not the start of a candle of {timeframe}: {cells['time']!r}")
    open_, high, low, close = (number_of(cells[name], name, above=ZERO) for name in ("open", "high", "low", "close"))
    if high < max(open_, close) or low > min(open_, close):
        raise Unacceptable(f"open {open_} and close {close} are not within {low} to {high}")
    count = number_of(cells["trade_count"] or "0", "trade_count", least=ZERO)
    if count != int(count):
        raise Unacceptable(f"trade_count is not whole: {count}")
    volume = number_of(cells["volume"], "volume", least=ZERO)
    venue, symbol = venue_of(cells["exchange"]), symbol_of(cells["symbol"])
    return OldCandle(venue, symbol, timeframe, time, open_, high, low, close, volume, int(count))


def trade_of(cells: dict[str, str]) -> OldTrade:
    if not cells["trade_id"]:
        raise Unacceptable("trade_id is missing: a repeated trade could not be told from another")
    return OldTrade(
        venue_of(cells["exchange"]), symbol_of(cells["symbol"]), time_of(cells["time"]), cells["trade_id"],
        Side(choice_of(cells["side"], "side", tuple(Side))),
        number_of(cells["price"], "price", above=ZERO), number_of(cells["amount"], "amount", above=ZERO),
    )  # fmt: skip


def utc(text: str) -> datetime:
    """A time as QuestDB tells it."""
    return datetime.fromisoformat(text).astimezone(UTC)
