"""One instrument's candles of every timeframe, out of its trades.

Invariant: closed candles leave in order, each once, without a hole between, and each is whole: a minute that was not
watched from start to end is held, with all that follow, until the venue's own candles say what it was. A trade that
comes when its minute is told already corrects it, and every longer candle it is in: those are told again.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from algotrendy_common.enums import Timeframe
from algotrendy_common.money import ZERO
from algotrendy_core.bars import Bar, BarAggregator, TradeTimes, interval_start, with_late_trade

from algotrendy_ingest.domain.ladder import LONGER, MINUTE, Ladder, place_of
from algotrendy_ingest.domain.seconds import SECOND, Seconds

TIMEFRAMES = (MINUTE, *LONGER)
"""Those that venues have candles of too; what this service was not there for is fetched."""
KEPT = (SECOND, *TIMEFRAMES)
TAIL = 1500
"""Closed candles of each timeframe that are kept in memory."""
_CORRECTABLE = 30
"""So many of the newest minutes take in trades that come late; what is older the venue's own candles would tell."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Minutes that open in [start, end) are not known for certain."""

    start: datetime
    end: datetime


class BarSeries:
    """Fed with trades in the venue's order; answers with the closed candles that may be told now."""

    def __init__(self, *, seconds: bool = False) -> None:
        """``seconds``: whether candles of a second are made too."""
        self.hole: Hole | None = None
        self._started = False
        self._seconds = Seconds() if seconds else None
        self._minute = BarAggregator(MINUTE)
        self._tails: dict[Timeframe, deque[Bar]] = {timeframe: deque(maxlen=TAIL) for timeframe in TIMEFRAMES}
        self._ladder = Ladder(self._tails)
        self._held: list[Bar] = []
        self._ours: OrderedDict[datetime, TradeTimes | None] = OrderedDict()
        """The newest minutes that were made here; None for one without trades."""
        self._told: dict[Timeframe, Bar] = {}

    # -- what came before ------------------------------------------------------------------------------------

    def seed(self, history: dict[Timeframe, list[Bar]]) -> None:
        """Begin after closed candles that are known already, oldest first; only before the first trade."""
        for timeframe, bars in history.items():
            self._tails[timeframe].extend(bars)
        if self.closed_until is not None:
            self._ladder.restart(self.closed_until)

    @property
    def closed_until(self) -> datetime | None:
        """All minutes before this are told."""
        minutes = self._tails[MINUTE]
        return minutes[-1].close_time if minutes else None

    def closed(self, timeframe: Timeframe) -> tuple[Bar, ...]:
        """The newest closed candles, oldest first."""
        if timeframe is SECOND:
            return self._seconds.closed if self._seconds is not None else ()
        return tuple(self._tails[timeframe])

    @property
    def late_trades(self) -> int:
        return self._minute.late

    # -- what comes ------------------------------------------------------------------------------------------

    def add_trade(self, time: datetime, price: Decimal, quantity: Decimal) -> list[Bar]:
        """Take in a trade; the candles, of all timeframes, that are closed and certain by it, or are corrected."""
        self._started = True
        told = self._seconds.add_trade(time, price, quantity) if self._seconds is not None else []
        late = self._minute.late
        closed = self._minute.add_trade(time, price, quantity)
        if self._minute.late > late:
            return told + self._correct(time, price, quantity)
        told += self._settle(self._ours_too(closed))
        forming = self._minute.forming
        # Were the open minute not watched from its start, those before it could have had trades that were missed.
        if forming is not None and forming.complete:
            told += self._tell_empty(forming.open_time)
        return told

    def mark_gap(self, resumed_at: datetime) -> None:
        """Trades before ``resumed_at`` were missed; call it before the first trade after them is added."""
        self._minute.mark_gap(resumed_at)
        if self._seconds is not None:
            self._seconds.mark_gap(resumed_at)

    def close_until(self, time: datetime) -> list[Bar]:
        """The venue's clock says ``time`` and no earlier trade will come: close what is over, empty minutes too."""
        if not self._started:
            return []  # before the first trade silence proves nothing
        told = self._seconds.close_until(time) if self._seconds is not None else []
        told += self._settle(self._ours_too(self._minute.close_until(time)))
        return told + self._tell_empty(interval_start(time, MINUTE))

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
        if timeframe is SECOND:
            return self._seconds.forming if self._seconds is not None else None
        minute = self._minute.forming
        if timeframe is MINUTE or minute is None:
            return minute
        longer = self._ladder.forming(timeframe)
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
                for known in [opened for opened in self._ours if opened >= self.hole.start]:
                    del self._ours[known]  # the venue will tell these
            elif self.hole is not None:
                self._held.append(bar)
            else:
                told += self._tell_empty(bar.open_time)
                told += self._tell(bar)
        return told

    def _ours_too(self, closed: list[Bar]) -> list[Bar]:
        for bar in closed:
            if bar.complete:
                self._remember(bar.open_time, self._minute.closed_times)
        return closed

    def _remember(self, start: datetime, times: TradeTimes | None) -> None:
        self._ours[start] = times
        if len(self._ours) > _CORRECTABLE:
            self._ours.popitem(last=False)

    def _tell_empty(self, until: datetime) -> list[Bar]:
        told: list[Bar] = []
        minutes = self._tails[MINUTE]
        while self.hole is None and minutes and minutes[-1].close_time < until:
            self._remember(minutes[-1].close_time, None)
            told += self._tell(_empty(minutes[-1].close_time, minutes[-1].close))
        return told

    def _tell(self, minute: Bar) -> list[Bar]:
        """The minute is final: keep it, and let the longer candles grow by it."""
        self._tails[MINUTE].append(minute)
        return [minute, *self._ladder.add(minute)]

    def _correct(self, time: datetime, price: Decimal, quantity: Decimal) -> list[Bar]:
        """A trade of a closed minute; nothing where that was the venue's own, or is too old."""
        start = interval_start(time, MINUTE)
        if start not in self._ours:
            return []
        for index, bar in enumerate(self._held):
            if bar.open_time == start:
                self._held[index], self._ours[start] = with_late_trade(bar, self._ours[start], time, price, quantity)
                return []  # it was never told otherwise
        minutes = self._tails[MINUTE]
        place = place_of(minutes, start)
        if place is None or self.closed_until is None:
            return []
        minutes[place], self._ours[start] = with_late_trade(minutes[place], self._ours[start], time, price, quantity)
        changed = [minutes[place]]
        for after in range(place + 1, len(minutes)):
            if self._ours.get(minutes[after].open_time, time) is not None or minutes[after].open == changed[-1].close:
                break
            # Nothing was traded in it: it stands at the close before it.
            minutes[after] = _empty(minutes[after].open_time, changed[-1].close)
            changed.append(minutes[after])
        changed += self._ladder.correct(changed, self.closed_until)
        return [replace(bar, corrected=True) for bar in changed]


def _empty(start: datetime, price: Decimal) -> Bar:
    return Bar(
        MINUTE, start, price, price, price, price,
        volume=ZERO, quote_volume=ZERO, trade_count=0, complete=True,
    )  # fmt: skip
