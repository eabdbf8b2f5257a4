"""Candles of the tape, from one minute up.

Invariant: a candle is the fold of the tape's trades in its span; a span without trades has a flat candle at the
price before it, as the venue itself serves it.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from algotrendy_common.enums import Side
from algotrendy_common.money import ZERO

from algotrendy_simulator.ticks import MINUTE_MS

KEPT_MINUTES = 10_000


@dataclass(frozen=True, slots=True)
class TapeCandle:
    open_time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    quote_volume: Decimal = ZERO
    trades: int = 0
    taker_buy_volume: Decimal = ZERO
    taker_buy_quote_volume: Decimal = ZERO

    @classmethod
    def flat(cls, open_time_ms: int, price: Decimal) -> "TapeCandle":
        return cls(open_time_ms, price, price, price, price)

    def with_trade(self, price: Decimal, quantity: Decimal, side: Side) -> "TapeCandle":
        bought = quantity if side is Side.BUY else ZERO
        empty = not self.trades
        return TapeCandle(
            self.open_time_ms,
            price if empty else self.open,
            price if empty else max(self.high, price),
            price if empty else min(self.low, price),
            price,
            self.volume + quantity,
            self.quote_volume + price * quantity,
            self.trades + 1,
            self.taker_buy_volume + bought,
            self.taker_buy_quote_volume + price * bought,
        )

    def followed_by(self, later: "TapeCandle") -> "TapeCandle":
        """This span and the next one as one candle."""
        if not later.trades:
            return self
        if not self.trades:
            return replace(later, open_time_ms=self.open_time_ms)
        return TapeCandle(
            self.open_time_ms,
            self.open,
            max(self.high, later.high),
            min(self.low, later.low),
            later.close,
            self.volume + later.volume,
            self.quote_volume + later.quote_volume,
            self.trades + later.trades,
            self.taker_buy_volume + later.taker_buy_volume,
            self.taker_buy_quote_volume + later.taker_buy_quote_volume,
        )


class CandleHistory:
    """The closed minutes of one symbol, the newest ``KEPT_MINUTES`` of them, and the minute that runs."""

    def __init__(self, running: TapeCandle) -> None:
        self._closed: dict[int, TapeCandle] = {}
        self.running = running

    def put(self, candle: TapeCandle) -> None:
        """A closed minute; minutes are put in ascending order."""
        self._closed[candle.open_time_ms] = candle
        self._closed.pop(candle.open_time_ms - KEPT_MINUTES * MINUTE_MS, None)

    def add_trade(self, price: Decimal, quantity: Decimal, side: Side) -> None:
        self.running = self.running.with_trade(price, quantity, side)

    def close_minute(self) -> TapeCandle:
        """End the running minute and begin the next one, flat at its close."""
        closed = self.running
        self.put(closed)
        self.running = TapeCandle.flat(closed.open_time_ms + MINUTE_MS, closed.close)
        return closed

    def minutes(self, begin_ms: int, end_ms: int) -> list[TapeCandle]:
        """The minutes that open in [begin, end), ascending, with the running one."""
        times = range(max(begin_ms, self.first_ms), min(end_ms, self.running.open_time_ms), MINUTE_MS)
        found = [self._closed[time] for time in times if time in self._closed]
        if begin_ms <= self.running.open_time_ms < end_ms:
            found.append(self.running)
        return found

    @property
    def first_ms(self) -> int:
        return next(iter(self._closed), self.running.open_time_ms)

    def spans(self, span_ms: int, begin_ms: int, end_ms: int) -> list[TapeCandle]:
        """Candles of ``span_ms`` that open in [begin, end), ascending; the last one may be running."""
        begin_ms += -begin_ms % span_ms
        result: list[TapeCandle] = []
        for minute in self.minutes(begin_ms, max(begin_ms, end_ms + -end_ms % span_ms)):
            open_ms = minute.open_time_ms - minute.open_time_ms % span_ms
            if result and result[-1].open_time_ms == open_ms:
                result[-1] = result[-1].followed_by(minute)
            else:
                result.append(replace(minute, open_time_ms=open_ms))
        return result
