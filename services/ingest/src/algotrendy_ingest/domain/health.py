"""How well a feed is, from when it was last heard and which subscriptions stand.

Invariant: only our own clock counts for silence, as a replayed venue lives in another year, and silence is never taken
for health. The watermark goes by the venue's clock: up to there no trade is missing, as far as its tape can tell.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from algotrendy_common.enums import FeedState

from algotrendy_ingest.domain.ticks import Stream

_WINDOW_S = 60.0
_SAMPLES = 2000
NEEDED = (Stream.TRADES, Stream.QUOTES)


@dataclass(frozen=True, slots=True)
class HealthReading:
    state: FeedState
    latency_ms: float | None
    lag_ms: float | None
    last_message_at: datetime | None
    watermark: datetime | None
    stale_symbols: tuple[str, ...]
    gaps: int
    missing_trades: int
    reconnects: int

    def differs(self, other: "HealthReading | None") -> bool:
        """In what is told at once; ages, latencies and the watermark may wait for the next regular reading."""
        return other is None or self._told_at_once != other._told_at_once

    @property
    def _told_at_once(self) -> tuple[object, ...]:
        return self.state, self.stale_symbols, self.gaps, self.missing_trades, self.reconnects


class FeedHealth:
    def __init__(self, symbols: tuple[str, ...], quiet_after: timedelta, stale_after: timedelta) -> None:
        self._quiet_after = quiet_after
        self._stale_after = stale_after
        self._heard: dict[str, datetime | None] = dict.fromkeys(symbols)
        self._last: datetime | None = None
        self._up: set[Stream] = set()
        self._lost: dict[Stream, set[frozenset[str]]] = {stream: set() for stream in Stream}
        """By stream, the symbols of each socket that is gone."""
        self._traded: dict[str, datetime] = {}
        self._newest: datetime | None = None
        self._doubts: dict[str, datetime] = {}
        """Since when trades of a symbol may be missing, by the venue's clock."""
        self._latencies: deque[tuple[float, float]] = deque(maxlen=_SAMPLES)
        self._lags: deque[tuple[float, float]] = deque(maxlen=_SAMPLES)
        self.gaps = 0
        self.missing_trades = 0
        """Those that the venue would not tell afterwards either."""
        self.reconnects = 0

    def add(self, symbol: str) -> None:
        self._heard.setdefault(symbol, None)

    def remove(self, symbol: str) -> None:
        for kept in (self._heard, self._traded, self._doubts):
            kept.pop(symbol, None)
        for stream, groups in self._lost.items():
            self._lost[stream] = {rest for group in groups if (rest := group - {symbol})}

    # -- silence -----------------------------------------------------------------------------------------------

    def heard(self, stream: Stream, symbol: str, at: datetime) -> None:
        """A message came; it proves that the subscriptions of its socket stand."""
        if symbol in self._heard:
            self._heard[symbol] = at
        self._last = at
        self._up.add(stream)
        if lost := self._lost[stream]:
            back = {group for group in lost if symbol in group}
            lost -= back
            self.reconnects += len(back)

    def lost(self, stream: Stream, symbols: frozenset[str] = frozenset()) -> None:
        """The socket of these symbols, or of all, is gone."""
        group = symbols or frozenset(self._heard)
        self._up.discard(stream)
        self._lost[stream].add(group)
        if stream is Stream.TRADES:
            for symbol in group:
                self.doubt(symbol)

    def is_up(self, stream: Stream) -> bool:
        return stream in self._up and not self._lost[stream]

    # -- what is missing ---------------------------------------------------------------------------------------

    def traded(self, symbol: str, time: datetime) -> None:
        """A trade of the venue's ``time`` was heard."""
        if symbol not in self._traded or time > self._traded[symbol]:
            self._traded[symbol] = time
        self.reached(time)

    def reached(self, time: datetime) -> None:
        if self._newest is None or time > self._newest:
            self._newest = time

    def doubt(self, symbol: str) -> None:
        """From its last trade on, some may be missing."""
        if symbol in self._traded:
            self._doubts.setdefault(symbol, self._traded[symbol])

    def doubted_since(self, symbol: str) -> datetime | None:
        return self._doubts.get(symbol)

    def settle(self, symbol: str) -> None:
        """Nothing of it is missing, or what is will not be had."""
        self._doubts.pop(symbol, None)

    @property
    def watermark(self) -> datetime | None:
        """Up to here by the venue's clock nothing is missing that could be had."""
        return min(self._doubts.values(), default=self._newest)

    # -- how late ----------------------------------------------------------------------------------------------

    def published(self, at_s: float, took_s: float) -> None:
        """A message read ``took_s`` ago was published at ``at_s`` (monotonic)."""
        self._latencies.append((at_s, took_s))

    def lagged(self, at_s: float, lag_s: float) -> None:
        """A trade was read at ``at_s`` (monotonic), so long after it was made by the venue's clock."""
        self._lags.append((at_s, lag_s))

    def reading(self, now: datetime, now_s: float) -> HealthReading:
        return HealthReading(
            state=self._state(now),
            latency_ms=_middle_ms(self._latencies, now_s),
            lag_ms=_middle_ms(self._lags, now_s),
            last_message_at=self._last,
            watermark=self.watermark,
            stale_symbols=tuple(s for s, at in self._heard.items() if at is None or now - at > self._stale_after),
            gaps=self.gaps,
            missing_trades=self.missing_trades,
            reconnects=self.reconnects,
        )

    def _state(self, now: datetime) -> FeedState:
        if any(self._lost[stream] for stream in NEEDED):
            return FeedState.DOWN
        if self._last is None:
            return FeedState.CONNECTING
        age = now - self._last
        if age > self._stale_after:
            return FeedState.STALE
        return FeedState.QUIET if age > self._quiet_after else FeedState.LIVE


def _middle_ms(samples: deque[tuple[float, float]], now_s: float) -> float | None:
    recent = [value for at, value in samples if at > now_s - _WINDOW_S]
    return round(median(recent) * 1000, 4) if recent else None
