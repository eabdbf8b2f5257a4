"""How long a quote takes from our reading of the venue's socket to this gateway."""

from collections import deque
from datetime import datetime, timedelta
from statistics import median

_WINDOW = timedelta(minutes=1)
_APART = timedelta(milliseconds=100)
"""Quotes closer together than this add nothing to a median."""


class Latency:
    """The median over the last minute, from at most ten quotes a second."""

    def __init__(self) -> None:
        self._samples: deque[tuple[datetime, float]] = deque(maxlen=int(_WINDOW / _APART))

    def add(self, received: datetime, now: datetime) -> None:
        if self._samples and now - self._samples[-1][0] < _APART:
            return
        self._samples.append((now, (now - received).total_seconds() * 1000))

    def median_ms(self, now: datetime) -> float | None:
        """None where no quote came within the last minute."""
        while self._samples and now - self._samples[0][0] > _WINDOW:
            self._samples.popleft()
        if not self._samples:
            return None
        return round(median(milliseconds for _, milliseconds in self._samples), 3)
