"""Which candles are missing, and which of those there are answer a question.

Invariant: an answer has no candle twice and none out of order, wherever its parts came from.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from algotrendy_common.enums import Timeframe
from algotrendy_common.rpc.ingest import Candle
from algotrendy_core.bars import Bar


@dataclass(frozen=True, slots=True)
class Span:
    """Candles that open in [start, end)."""

    start: datetime
    end: datetime


def missing(have: Collection[datetime], window: Span, timeframe: Timeframe) -> list[Span]:
    """The stretches of a window for which there is no candle, oldest first; the window lies on the grid."""
    step = timedelta(seconds=timeframe.seconds)
    spans: list[Span] = []
    expected = window.start
    for opened in sorted(time for time in have if window.start <= time < window.end):
        if opened > expected:
            spans.append(Span(expected, opened))
        expected = max(expected, opened + step)
    if expected < window.end:
        spans.append(Span(expected, window.end))
    return spans


def candle_of(bar: Bar, *, closed: bool) -> Candle:
    return Candle(
        open_time=bar.open_time, open=bar.open, high=bar.high, low=bar.low, close=bar.close, volume=bar.volume,
        closed=closed,
    )  # fmt: skip


def joined(stored: Iterable[Candle], tail: Iterable[Bar], growing: Bar | None) -> list[Candle]:
    """Stored candles, then those only memory has, then the open one; memory wins where both have one."""
    by_time = {candle.open_time: candle for candle in stored}
    by_time |= {bar.open_time: candle_of(bar, closed=True) for bar in tail}
    if growing is not None:
        by_time.setdefault(growing.open_time, candle_of(growing, closed=False))
    return [by_time[time] for time in sorted(by_time)]
