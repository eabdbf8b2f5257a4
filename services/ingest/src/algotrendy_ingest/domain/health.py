"""How well a feed is, from when it was last heard and which subscriptions stand.

Invariant: only our own clock counts, for a replayed venue lives in another year; silence is never taken for health.
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
    last_message_at: datetime | None
    stale_symbols: tuple[str, ...]
    gaps: int
    reconnects: int

    def differs(self, other: "HealthReading | None") -> bool:
        """In what is told at once; ages and latencies may wait for the next regular reading."""
        return other is None or (self.state, self.stale_symbols, self.gaps, self.reconnects) != (
            other.state,
            other.stale_symbols,
            other.gaps,
            other.reconnects,
        )


class FeedHealth:
    def __init__(self, symbols: tuple[str, ...], quiet_after: timedelta, stale_after: timedelta) -> None:
        self._quiet_after = quiet_after
        self._stale_after = stale_after
        self._heard: dict[str, datetime | None] = dict.fromkeys(symbols)
        self._last: datetime | None = None
        self._up: set[Stream] = set()
        self._lost: set[Stream] = set()
        self._latencies: deque[tuple[float, float]] = deque(maxlen=_SAMPLES)
        self.gaps = 0
        self.reconnects = 0

    def heard(self, stream: Stream, symbol: str, at: datetime) -> None:
        """A message came; it proves that its subscription stands."""
        self._heard[symbol] = self._last = at
        if stream not in self._up:
            self._up.add(stream)
            if stream in self._lost:
                self._lost.discard(stream)
                self.reconnects += 1

    def lost(self, stream: Stream) -> None:
        self._up.discard(stream)
        self._lost.add(stream)

    def is_up(self, stream: Stream) -> bool:
        return stream in self._up

    def published(self, at_s: float, took_s: float) -> None:
        """A message read ``took_s`` ago was published at ``at_s`` (monotonic)."""
        self._latencies.append((at_s, took_s))

    def reading(self, now: datetime, now_s: float) -> HealthReading:
        recent = [took for at, took in self._latencies if at > now_s - _WINDOW_S]
        return HealthReading(
            state=self._state(now),
            latency_ms=round(median(recent) * 1000, 4) if recent else None,
            last_message_at=self._last,
            stale_symbols=tuple(s for s, at in self._heard.items() if at is None or now - at > self._stale_after),
            gaps=self.gaps,
            reconnects=self.reconnects,
        )

    def _state(self, now: datetime) -> FeedState:
        if any(stream in self._lost for stream in NEEDED):
            return FeedState.DOWN
        if self._last is None:
            return FeedState.CONNECTING
        age = now - self._last
        if age > self._stale_after:
            return FeedState.STALE
        return FeedState.QUIET if age > self._quiet_after else FeedState.LIVE
