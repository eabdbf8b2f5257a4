"""Longer candles out of minutes, each rung out of the one below it.

Invariant: a longer candle looks at none that ends after it; it closes with the minute that ends it, and only where all
of it is known.
"""

from collections import deque
from datetime import datetime

from algotrendy_common.enums import Timeframe
from algotrendy_core.bars import Bar, BarAggregator, folded, interval_start

MINUTE = Timeframe.M1
LONGER = (Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.H4, Timeframe.D1)
"""Each is made of whole ones of the one before it."""

type Tails = dict[Timeframe, deque[Bar]]
"""Closed candles of each timeframe, oldest first."""


class Ladder:
    def __init__(self, tails: Tails) -> None:
        """``tails`` stays the caller's, who puts minutes in; the longer candles are put in here."""
        self._tails = tails
        self._forming = {timeframe: BarAggregator(timeframe) for timeframe in LONGER}

    def forming(self, timeframe: Timeframe) -> Bar | None:
        return self._forming[timeframe].forming

    def restart(self, until: datetime) -> None:
        """Form the candles open at ``until`` anew, of the closed ones before: the longest first that fit in."""
        for rung, timeframe in enumerate(LONGER):
            shorter = (MINUTE, *LONGER[:rung])
            known = [self._tails[part][0].open_time for part in shorter if self._tails[part]]
            aggregator = BarAggregator(timeframe, watching_since=min(known, default=None))
            cursor = interval_start(until, timeframe)
            for part in reversed(shorter):
                for bar in self._tails[part]:
                    if bar.open_time >= cursor and bar.close_time <= until:
                        aggregator.add_bar(bar)
                        cursor = bar.close_time
            self._forming[timeframe] = aggregator

    def add(self, minute: Bar) -> list[Bar]:
        """Take in the next minute; the longer candles that it closes."""
        closed: list[Bar] = []
        for aggregator in self._forming.values():
            closed += aggregator.add_bar(minute)
            closed += aggregator.close_until(minute.close_time)
        whole = [bar for bar in closed if bar.complete]
        for bar in whole:
            tail = self._tails[bar.timeframe]
            if not tail or tail[-1].open_time < bar.open_time:  # history may have been read a moment later than minutes
                tail.append(bar)
        return whole

    def correct(self, minutes: list[Bar], until: datetime) -> list[Bar]:
        """Closed minutes are others now: the longer candles, closed ones and open ones, that follow from them."""
        corrected: list[Bar] = []
        changed = minutes
        for part, timeframe in zip((MINUTE, *LONGER), LONGER, strict=False):
            starts = {interval_start(bar.open_time, timeframe) for bar in changed}
            changed = [bar for start in sorted(starts) if (bar := self._corrected(part, timeframe, start)) is not None]
            corrected += changed
        self.restart(until)
        return corrected

    def _corrected(self, part: Timeframe, timeframe: Timeframe, start: datetime) -> Bar | None:
        tail = self._tails[timeframe]
        index = place_of(tail, start)
        if index is None:
            return None
        end = tail[index].close_time
        parts = [bar for bar in self._tails[part] if start <= bar.open_time < end]
        tail[index] = folded(parts, timeframe)
        return tail[index]


def place_of(tail: deque[Bar], start: datetime) -> int | None:
    """Where in ``tail`` the candle is that opens at ``start``: looked for from the newest back."""
    for index in range(len(tail) - 1, -1, -1):
        if tail[index].open_time <= start:
            return index if tail[index].open_time == start else None
    return None
