"""The only place that reads a clock. Everything else is handed the time.

Invariant: every datetime in the system is aware and in UTC.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Protocol

from pydantic import AfterValidator


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time without a zone is not a time")
    return value.astimezone(UTC)


Instant = Annotated[datetime, AfterValidator(_utc)]


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """A clock that moves only when it is told to; for tests and replays."""

    def __init__(self, start: datetime) -> None:
        self._now = _utc(start)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by

    def set(self, to: datetime) -> None:
        self._now = _utc(to)


def monotonic_s() -> float:
    """Seconds on a clock that never goes back; only differences mean anything."""
    return time.monotonic()


def processor_s() -> float:
    """Seconds of the processor that this process has used."""
    return time.process_time()


def process_age_s() -> float:
    """Seconds since the system started this process; 0 where it does not say."""
    try:
        # The 22nd field; the second, the program's name, may hold blanks.
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def wall_ns() -> int:
    """Nanoseconds since the epoch, for latency across processes of one machine."""
    return time.time_ns()


def from_ms(milliseconds: int | float) -> datetime:
    """An instant from milliseconds since the epoch, as venues write it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def to_ms(instant: datetime) -> int:
    """Milliseconds since the epoch, rounded down."""
    return int(instant.timestamp() * 1000)
