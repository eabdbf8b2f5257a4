"""Candles from trades, by the aggregator that the live side uses, in exact decimals.

Invariant: every trade of the file is in a candle, or the file is refused with the row of the first that is not.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TextIO

from algotrendy_common.clock import to_ms
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_common.money import plain
from algotrendy_core.backtest.candles_csv import COLUMNS
from algotrendy_core.bars import Bar, BarAggregator

from algotrendy_local.research.trades_csv import RecordedTrade


@dataclass(frozen=True, slots=True)
class Built:
    bars: list[Bar]
    trades: int


def build(trades: Iterable[RecordedTrade], timeframe: Timeframe, *, sort: bool = False) -> Built:
    """Raises Refused where a trade comes after its candle was closed, is there twice, or there is none."""
    if sort:
        trades = sorted(trades, key=lambda trade: trade.time)
    aggregator = BarAggregator(timeframe)
    bars: list[Bar] = []
    ids: set[str] = set()
    """Of the open candle: a repetition of an earlier one is late already."""
    count = 0
    for trade in trades:
        closed = aggregator.add_trade(trade.time, trade.price, trade.quantity)
        if aggregator.late:
            raise Refused(
                "trade_late",
                f"row {trade.row}: the time goes back to a candle that is closed; put in order with --sort",
            )
        if closed:
            bars += closed
            ids.clear()
        if trade.id:
            if trade.id in ids:
                raise Refused("trade_repeated", f"row {trade.row}: the trade {trade.id} was there before")
            ids.add(trade.id)
        count += 1
    if aggregator.forming is None:
        raise Refused("trades_missing", "there are no trades in the file")
    return Built([*bars, aggregator.forming], count)


def write_csv(built: Built, target: TextIO) -> None:
    """As ``indicators`` and ``backtest --data`` read them."""
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(COLUMNS)
    for bar in built.bars:
        exact = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        writer.writerow((to_ms(bar.open_time), *(plain(value) for value in exact)))


def summary(built: Built) -> str:
    first, last = built.bars[0], built.bars[-1]
    length = first.timeframe.seconds
    intervals = int((last.open_time - first.open_time).total_seconds()) // length + 1
    without = intervals - len(built.bars)
    holes = f"; {without} intervals without a trade have none" if without else ""
    return (
        f"{built.trades} trades, {len(built.bars)} candles of {first.timeframe}{holes};"
        " the first and the last are whole only if the recording began before and ended after them"
    )
