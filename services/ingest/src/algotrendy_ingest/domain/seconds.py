"""Candles of a second, out of trades alone.

Invariant: a second without trades has no candle, and one that was not watched from start to end is not told: hardly any
venue could say what it was.
"""

from collections import OrderedDict, deque
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from algotrendy_common.enums import Timeframe
from algotrendy_common.money import ZERO
from algotrendy_core.bars import Bar, BarAggregator, TradeTimes, interval_start, with_late_trade

SECOND = Timeframe.S1
TAIL = 1500
_CORRECTABLE = 120
"""So many of the newest candles take in trades that come late."""


class Seconds:
    def __init__(self) -> None:
        self._second = BarAggregator(SECOND)
        self._tail: deque[Bar] = deque(maxlen=TAIL)
        self._ours: OrderedDict[datetime, TradeTimes] = OrderedDict()
        self._watched_from: datetime | None = None

    @property
    def closed(self) -> tuple[Bar, ...]:
        return tuple(self._tail)

    @property
    def forming(self) -> Bar | None:
        return self._second.forming

    def add_trade(self, time: datetime, price: Decimal, quantity: Decimal) -> list[Bar]:
        """The candle that the trade closes, or the one that it corrects."""
        if self._watched_from is None:
            self._watched_from = time
        late = self._second.late
        closed = self._second.add_trade(time, price, quantity)
        return self._corrected(time, price, quantity) if self._second.late > late else self._keep(closed)

    def mark_gap(self, resumed_at: datetime) -> None:
        self._second.mark_gap(resumed_at)
        self._watched_from = resumed_at

    def close_until(self, time: datetime) -> list[Bar]:
        return self._keep(self._second.close_until(time))

    def _keep(self, closed: list[Bar]) -> list[Bar]:
        whole = [bar for bar in closed if bar.complete]
        for bar in whole:
            assert self._second.closed_times is not None
            self._tail.append(bar)
            self._ours[bar.open_time] = self._second.closed_times
            if len(self._ours) > _CORRECTABLE:
                self._ours.popitem(last=False)
        return whole

    def _corrected(self, time: datetime, price: Decimal, quantity: Decimal) -> list[Bar]:
        start = interval_start(time, SECOND)
        times = self._ours.get(start)
        for index in range(len(self._tail) - 1, -1, -1):
            bar = self._tail[index]
            if times is not None and bar.open_time == start:
                self._tail[index], self._ours[start] = with_late_trade(bar, times, time, price, quantity)
                return [replace(self._tail[index], corrected=True)]
            if bar.open_time < start:
                # Nothing had been traded in it. It is told only where it was watched, as any other.
                if times is None and self._ours and next(iter(self._ours)) < start and self._watched(start):
                    return [replace(self._insert(index + 1, start, time, price, quantity), corrected=True)]
                break
        return []

    def _watched(self, start: datetime) -> bool:
        return self._watched_from is not None and self._watched_from <= start

    def _insert(self, index: int, start: datetime, time: datetime, price: Decimal, quantity: Decimal) -> Bar:
        empty = Bar(SECOND, start, price, price, price, price, ZERO, ZERO, 0, complete=True)
        bar, times = with_late_trade(empty, None, time, price, quantity)
        bars = list(self._tail)
        bars.insert(index, bar)
        self._tail = deque(bars, maxlen=TAIL)
        self._ours = OrderedDict(sorted({**self._ours, start: times}.items())[-_CORRECTABLE:])
        return bar
