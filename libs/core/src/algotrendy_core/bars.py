"""Trades into bars, and bars into longer bars, exactly.

Invariant: an aggregator's closed bar never changes. A trade that belongs to a closed interval is counted as late and
left out (``with_late_trade`` says what the bar would have been with it); an interval without trades has no bar; a bar
whose interval was not watched from its start to its end says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from algotrendy_common.enums import Timeframe
from algotrendy_common.money import ZERO


class Candle(NamedTuple):
    """A bar as strategies and indicators read it: float64, and the open time in milliseconds since the epoch."""

    time: int
    open: float
    high: float
    low: float
    close: float
    volume: float


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bar:
    """Prices in quote per base; ``volume`` in base, ``quote_volume`` in quote."""

    timeframe: Timeframe
    open_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal
    trade_count: int
    complete: bool
    """False where trades of the interval may be missing: watching began inside it, or the feed had a gap."""
    corrected: bool = False
    """True where it was told before without a trade that came late."""

    @property
    def close_time(self) -> datetime:
        """The end of the interval, exclusive."""
        return self.open_time + timedelta(seconds=self.timeframe.seconds)


def interval_start(time: datetime, timeframe: Timeframe) -> datetime:
    """The start of the interval that ``time`` falls in; intervals are counted from 1970-01-01 UTC."""
    seconds = (time - _EPOCH) // timedelta(seconds=1)
    return _EPOCH + timedelta(seconds=seconds - seconds % timeframe.seconds)


@dataclass(frozen=True, slots=True)
class TradeTimes:
    """The venue's times of a bar's earliest and latest trade: they say which trade opens and which closes it."""

    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class _Forming:
    """The bar in the making."""

    bar: Bar
    first_time: datetime
    last_time: datetime


class BarAggregator:
    """Builds the bars of one instrument and timeframe from its trades, or from its shorter bars.

    A bar closes with the first input of a later interval, or when ``close_until`` is told that its interval is over.
    Inside an interval trades may come in any order: the earliest by the venue's time opens, the latest closes, and
    among equals the first to come opens and the last to come closes.
    """

    def __init__(self, timeframe: Timeframe, watching_since: datetime | None = None) -> None:
        """``watching_since``: from when on no trade can have been missed; None means from the first input."""
        self.timeframe = timeframe
        self.late = 0
        """Inputs left out because their interval was closed already."""
        self.closed_times: TradeTimes | None = None
        """Of the bar that closed last."""
        self._watching_since = watching_since
        self._closed_until: datetime | None = None
        self._forming: _Forming | None = None

    @property
    def forming(self) -> Bar | None:
        """The open interval's bar so far."""
        return self._forming.bar if self._forming else None

    def add_trade(self, time: datetime, price: Decimal, quantity: Decimal) -> list[Bar]:
        """Take in a trade; the bar that it closes, if any."""
        one = Bar(
            self.timeframe, interval_start(time, self.timeframe), price, price, price, price,
            volume=quantity, quote_volume=price * quantity, trade_count=1, complete=True,
        )  # fmt: skip
        return self._add(one, first=time, last=time, watched_from=time)

    def add_bar(self, bar: Bar) -> list[Bar]:
        """Take in a closed bar of a shorter timeframe that divides this one; the bar that it closes, if any."""
        if self.timeframe.seconds % bar.timeframe.seconds or bar.timeframe.seconds >= self.timeframe.seconds:
            raise ValueError(f"{self.timeframe} bars are not made of {bar.timeframe} bars")
        one = replace(bar, timeframe=self.timeframe, open_time=interval_start(bar.open_time, self.timeframe))
        return self._add(one, first=bar.open_time, last=bar.open_time, watched_from=bar.open_time)

    def close_until(self, time: datetime) -> list[Bar]:
        """It is ``time`` by the venue's clock: close the bar whose interval is over. Later trades of it are late."""
        horizon = interval_start(time, self.timeframe)
        if self._watching_since is None:
            self._watching_since = time
        closed = []
        if self._forming and self._forming.bar.open_time < horizon:
            closed.append(self._forming.bar)
            self.closed_times = TradeTimes(self._forming.first_time, self._forming.last_time)
            self._forming = None
        if self._closed_until is None or horizon > self._closed_until:
            self._closed_until = horizon
        return closed

    def mark_gap(self, resumed_at: datetime) -> None:
        """Trades were missed up to ``resumed_at``: the bars that this touches are incomplete."""
        if self._forming:
            self._forming = replace(self._forming, bar=replace(self._forming.bar, complete=False))
        self._watching_since = resumed_at

    def _add(self, one: Bar, *, first: datetime, last: datetime, watched_from: datetime) -> list[Bar]:
        if self._closed_until is not None and one.open_time < self._closed_until:
            self.late += 1
            return []
        if self._watching_since is None:
            self._watching_since = watched_from
        closed = self.close_until(one.open_time)
        if self._forming is None:
            whole = one.complete and self._watching_since <= one.open_time
            self._forming = _Forming(replace(one, complete=whole), first, last)
        else:
            self._forming = _merged(self._forming, one, first, last)
        return closed


def _merged(forming: _Forming, one: Bar, first: datetime, last: datetime) -> _Forming:
    bar = forming.bar
    return _Forming(
        replace(
            bar,
            open=one.open if first < forming.first_time else bar.open,
            high=max(bar.high, one.high),
            low=min(bar.low, one.low),
            close=one.close if last >= forming.last_time else bar.close,
            volume=bar.volume + one.volume,
            quote_volume=bar.quote_volume + one.quote_volume,
            trade_count=bar.trade_count + one.trade_count,
            complete=bar.complete and one.complete,
        ),
        min(first, forming.first_time),
        max(last, forming.last_time),
    )


def with_late_trade(
    bar: Bar, times: TradeTimes | None, time: datetime, price: Decimal, quantity: Decimal
) -> tuple[Bar, TradeTimes]:
    """The closed bar as it would have been had the trade come in time; ``times`` is None where nothing was traded."""
    one = replace(
        bar, open=price, high=price, low=price, close=price,
        volume=quantity, quote_volume=price * quantity, trade_count=1,
    )  # fmt: skip
    if times is None:
        return one, TradeTimes(time, time)
    merged = _merged(_Forming(bar, times.first, times.last), one, time, time)
    return merged.bar, TradeTimes(merged.first_time, merged.last_time)


def folded(parts: Sequence[Bar], timeframe: Timeframe) -> Bar:
    """The bar of a longer timeframe that these shorter ones, in order and all of one interval, make up."""
    first = parts[0]
    return Bar(
        timeframe,
        interval_start(first.open_time, timeframe),
        first.open,
        max(part.high for part in parts),
        min(part.low for part in parts),
        parts[-1].close,
        volume=sum((part.volume for part in parts), ZERO),
        quote_volume=sum((part.quote_volume for part in parts), ZERO),
        trade_count=sum(part.trade_count for part in parts),
        complete=all(part.complete for part in parts),
    )


def as_floats(bar: Bar) -> Candle:
    """The bar in float64: the border from exact numbers into float64."""
    return Candle(
        (bar.open_time - _EPOCH) // timedelta(milliseconds=1),
        float(bar.open),
        float(bar.high),
        float(bar.low),
        float(bar.close),
        float(bar.volume),
    )
