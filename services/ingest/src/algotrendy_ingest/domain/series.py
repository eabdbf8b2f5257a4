"""One instrument's candles of every timeframe, out of its trades.

Invariant: closed candles leave in order, each once, without a hole between, and each is whole: a minute that was not
watched from start to end is held, with all that follow, until the venue's own candles say what it was.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from algotrendy_common.enums import Timeframe
from algotrendy_common.money import ZERO
from algotrendy_core.bars import Bar, BarAggregator, interval_start

MINUTE = Timeframe.M1
LONGER = (Timeframe.M5, Timeframe.M15, Timeframe.H1)
TIMEFRAMES = (MINUTE, *LONGER)
TAIL = 1500
"""Closed candles of each timeframe that are kept in memory."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Minutes that open in [start, end) are not known for certain."""

    start: datetime
    end: datetime


class BarSeries:
    """Fed with trades in the venue's order; answers with the closed candles that may be told now."""

    def __init__(self) -> None:
        self.hole: Hole | None = None
        self._started = False
        self._minute = BarAggregator(MINUTE)
        self._longer = {timeframe: BarAggregator(timeframe) for timeframe in LONGER}
        self._tails: dict[Timeframe, deque[Bar]] = {timeframe: deque(maxlen=TAIL) for timeframe in TIMEFRAMES}
        self._held: list[Bar] = []
        self._told: dict[Timeframe, Bar] = {}

    # -- what came before ------------------------------------------------------------------------------------

    def seed(self, history: dict[Timeframe, list[Bar]]) -> None:
        """Begin after closed candles that are known already, oldest first; only before the first trade."""
        for timeframe, bars in history.items():
            self._tails[timeframe].extend(bars)
        minutes = self._tails[MINUTE]
        if not minutes:
            return
        hour = interval_start(minutes[-1].open_time, LONGER[-1])
        for bar in minutes:
            if bar.open_time >= hour:
                self._lengthen(bar)

    @property
    def closed_until(self) -> datetime | None:
        """All minutes before this are told."""
        minutes = self._tails[MINUTE]
        return minutes[-1].close_time if minutes else None

    def closed(self, timeframe: Timeframe) -> tuple[Bar, ...]:
        """The newest closed candles, oldest first."""
        return tuple(self._tails[timeframe])

    @property
    def late_trades(self) -> int:
        return self._minute.late

    # -- what comes ------------------------------------------------------------------------------------------

    def add_trade(self, time: datetime, price: Decimal, quantity: Decimal) -> list[Bar]:
        """Take in a trade; the candles, of all timeframes, that are closed and certain by it."""
        self._started = True
        closed = self._settle(self._minute.add_trade(time, price, quantity))
        forming = self._minute.forming
        # Were the open minute not watched from its start, those before it could have had trades that were missed.
        if forming is not None and forming.complete:
            closed += self._tell_empty(forming.open_time)
        return closed

    def mark_gap(self, resumed_at: datetime) -> None:
        """Trades before ``resumed_at`` were missed; call it before the first trade after them is added."""
        self._minute.mark_gap(resumed_at)

    def close_until(self, time: datetime) -> list[Bar]:
        """The venue's clock says ``time`` and no earlier trade will come: close what is over, empty minutes too."""
        if not self._started:
            return []  # before the first trade silence proves nothing
        return self._settle(self._minute.close_until(time)) + self._tell_empty(interval_start(time, MINUTE))

    def fill(self, minutes: Iterable[Bar]) -> list[Bar]:
        """The venue's own candles for the hole; nothing happens as long as they do not reach its end."""
        hole = self.hole
        if hole is None:
            return []
        known = sorted((bar for bar in minutes if hole.start <= bar.open_time < hole.end), key=lambda b: b.open_time)
        if not known or known[-1].close_time < hole.end:
            return []
        self.hole = None
        closed = [told for bar in known for told in self._tell(replace(bar, complete=True))]
        held, self._held = self._held, []
        return closed + self._settle(held)

    # -- what is still open ----------------------------------------------------------------------------------

    @property
    def overdue_from(self) -> datetime | None:
        """The venue's time at which the open minute, or the empty one after the last told, is over."""
        if self._minute.forming:
            return self._minute.forming.close_time
        until = self.closed_until
        return until + timedelta(seconds=MINUTE.seconds) if until and self._started and self.hole is None else None

    def growing(self, timeframe: Timeframe) -> Bar | None:
        """The open candle so far."""
        minute = self._minute.forming
        if timeframe is MINUTE or minute is None:
            return minute
        longer = self._longer[timeframe].forming
        start = interval_start(minute.open_time, timeframe)
        if longer is None or longer.open_time != start:
            return replace(minute, timeframe=timeframe, open_time=start)
        return replace(
            longer,
            high=max(longer.high, minute.high),
            low=min(longer.low, minute.low),
            close=minute.close,
            volume=longer.volume + minute.volume,
            quote_volume=longer.quote_volume + minute.quote_volume,
            trade_count=longer.trade_count + minute.trade_count,
        )

    def grown(self, timeframe: Timeframe) -> Bar | None:
        """The open candle where it changed since it was asked for last."""
        bar = self.growing(timeframe)
        if bar is None or self._told.get(timeframe) == bar:
            return None
        self._told[timeframe] = bar
        return bar

    # -- inside ----------------------------------------------------------------------------------------------

    def _settle(self, minutes: list[Bar]) -> list[Bar]:
        told: list[Bar] = []
        for bar in minutes:
            if not bar.complete:
                start = self.hole.start if self.hole else self.closed_until or bar.open_time
                self.hole = Hole(min(start, bar.open_time), bar.close_time)
                self._held.clear()
            elif self.hole is not None:
                self._held.append(bar)
            else:
                told += self._tell_empty(bar.open_time)
                told += self._tell(bar)
        return told

    def _tell_empty(self, until: datetime) -> list[Bar]:
        told: list[Bar] = []
        minutes = self._tails[MINUTE]
        while self.hole is None and minutes and minutes[-1].close_time < until:
            last = minutes[-1]
            told += self._tell(
                Bar(
                    MINUTE,
                    last.close_time,
                    last.close,
                    last.close,
                    last.close,
                    last.close,
                    volume=ZERO,
                    quote_volume=ZERO,
                    trade_count=0,
                    complete=True,
                )
            )
        return told

    def _tell(self, minute: Bar) -> list[Bar]:
        """The minute is final: keep it, and let the longer candles grow by it."""
        self._tails[MINUTE].append(minute)
        longer = self._lengthen(minute)
        for bar in longer:
            tail = self._tails[bar.timeframe]
            if not tail or tail[-1].open_time < bar.open_time:  # history may have been read a moment later than minutes
                tail.append(bar)
        return [minute, *longer]

    def _lengthen(self, minute: Bar) -> list[Bar]:
        closed: list[Bar] = []
        for aggregator in self._longer.values():
            closed += aggregator.add_bar(minute)
            closed += aggregator.close_until(minute.close_time)
        return [bar for bar in closed if bar.complete]
