"""Recorded market data as the replay reads it: minutes of a recording, each with its candle and its ticks.

Invariant: the ticks of a minute are a pure function of the recording, the seed and the minute, and they make
exactly the minute's recorded candle. A minute that is absent from the recording has neither candle nor ticks.
"""

import csv
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from algotrendy_common.clock import to_ms
from algotrendy_common.enums import Side
from algotrendy_common.money import round_nearest

from algotrendy_simulator.ticks import MINUTE_MS, Candle, Tick, ticks_of_candle


class Recording(Protocol):
    @property
    def source(self) -> str: ...

    @property
    def start_ms(self) -> int:
        """When the first minute began, milliseconds since the epoch."""
        ...

    @property
    def minutes(self) -> int:
        """How long it is; minute ``minutes`` would begin it anew."""
        ...

    @property
    def made_ticks(self) -> bool:
        """True where the trades inside a candle are made, not recorded."""
        ...

    def candle(self, minute: int) -> Candle | None: ...

    def ticks(self, minute: int, seed: str) -> Sequence[Tick]: ...


@dataclass(frozen=True, slots=True)
class CandleRecording:
    """One-minute candles; the trades inside them are made by ``ticks_of_candle``."""

    source: str
    start_ms: int
    minutes: int
    candles: dict[int, Candle]
    price_step: Decimal
    quantity_step: Decimal
    trades_per_minute: int
    made_ticks: bool = True

    def candle(self, minute: int) -> Candle | None:
        return self.candles.get(minute)

    def ticks(self, minute: int, seed: str) -> Sequence[Tick]:
        candle = self.candles.get(minute)
        if candle is None:
            return ()
        return ticks_of_candle(candle, seed, self.price_step, self.quantity_step, self.trades_per_minute)


@dataclass(frozen=True, slots=True)
class TradeRecording:
    """Recorded trades, played as they were."""

    source: str
    start_ms: int
    minutes: int
    trades: tuple[Tick, ...]
    """``offset_ms`` counts from the start of the recording, ascending."""
    made_ticks: bool = False

    def candle(self, minute: int) -> Candle | None:
        ticks = self.ticks(minute, "")
        if not ticks:
            return None
        prices = [tick.price for tick in ticks]
        volume = sum((tick.quantity for tick in ticks), Decimal(0))
        return Candle(prices[0], max(prices), min(prices), prices[-1], volume)

    def ticks(self, minute: int, seed: str) -> Sequence[Tick]:
        begin = bisect_left(self.trades, minute * MINUTE_MS, key=_offset)
        end = bisect_left(self.trades, (minute + 1) * MINUTE_MS, key=_offset)
        return [
            Tick(trade.offset_ms - minute * MINUTE_MS, trade.price, trade.quantity, trade.side)
            for trade in self.trades[begin:end]
        ]


def read_candles(
    path: Path, price_step: Decimal, quantity_step: Decimal, trades_per_minute: int, to_grid: bool = False
) -> CandleRecording:
    """A CSV with ``timestamp_ms,open,high,low,close,volume``; raises ValueError where a row is off the minute.

    ``to_grid`` rounds it to the steps: what was recorded of one instrument is then played for a coarser one.
    """
    with path.open(newline="") as file:
        rows = [(int(row["timestamp_ms"]), row) for row in csv.DictReader(file)]
    start_ms = rows[0][0]
    candles = {}
    for time_ms, row in rows:
        minute, rest = divmod(time_ms - start_ms, MINUTE_MS)
        if rest or minute < 0:
            raise ValueError(f"{path.name}: {time_ms} is not the start of a minute of the recording")
        candle = Candle(*(Decimal(row[name]) for name in ("open", "high", "low", "close", "volume")))
        candles[minute] = _on_grid(candle, price_step, quantity_step) if to_grid else candle
    minutes = max(candles) + 1
    return CandleRecording(path.name, start_ms, minutes, candles, price_step, quantity_step, trades_per_minute)


def _on_grid(candle: Candle, price_step: Decimal, quantity_step: Decimal) -> Candle:
    """The candle with rounded prices, and with lots enough to visit all four of them."""
    opened, high, low, close = (
        round_nearest(price, price_step) for price in (candle.open, candle.high, candle.low, candle.close)
    )
    volume = max(round_nearest(candle.volume, quantity_step), 4 * quantity_step) if candle.volume else candle.volume
    return Candle(opened, high, low, close, volume)


def read_trades(path: Path) -> TradeRecording:
    """A CSV with ``timestamp,trade_id,price,quantity,buyer_maker``, times in ISO form with their zone."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    times_ms = [to_ms(datetime.fromisoformat(row["timestamp"])) for row in rows]
    start_ms = times_ms[0] - times_ms[0] % MINUTE_MS
    trades = tuple(
        Tick(
            time_ms - start_ms,
            Decimal(row["price"]),
            Decimal(row["quantity"]),
            Side.SELL if row["buyer_maker"] == "True" else Side.BUY,
        )
        for time_ms, row in zip(times_ms, rows, strict=True)
    )
    return TradeRecording(path.name, start_ms, trades[-1].offset_ms // MINUTE_MS + 1, trades)


def _offset(tick: Tick) -> int:
    return tick.offset_ms
