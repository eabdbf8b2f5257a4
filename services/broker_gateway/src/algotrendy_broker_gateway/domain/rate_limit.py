"""Token buckets: how long a call must wait so that the venue's limit is never reached.

Invariant: within any window no more than ``capacity`` plus what refilled leaves; a call inside the limit waits nothing;
and of each bucket a share is kept for urgent calls, so that a cancellation never waits behind new orders.
"""

from collections.abc import Callable
from hashlib import sha256

RESERVE = 0.2
"""Share of a limit that only urgent calls (cancellations) may use."""


class TokenBucket:
    """``capacity`` in the venue's own weights; full at first. ``reserve`` is the share kept for urgent calls."""

    def __init__(self, capacity: float, per_second: float, reserve: float = 0.0) -> None:
        self._common = _Pool(capacity * (1 - reserve), per_second * (1 - reserve))
        self._kept = _Pool(capacity * reserve, per_second * reserve)

    def take(self, weight: float, now_s: float) -> float:
        """Take ``weight`` at ``now_s``; returns the seconds to wait before using it, 0 where there is room."""
        return self._common.take(weight, now_s)

    def take_urgently(self, weight: float, now_s: float) -> float:
        """The same from whatever has room: what all share, else what is kept."""
        for pool in (self._common, self._kept):
            if pool.room(now_s) >= weight:
                return pool.take(weight, now_s)
        pool = min((self._common, self._kept), key=lambda one: one.wait(weight, now_s))
        return pool.take(weight, now_s)

    def wait(self, weight: float, now_s: float) -> float:
        """How long ``take`` would wait now."""
        return self._common.wait(weight, now_s)


class _Pool:
    def __init__(self, capacity: float, per_second: float) -> None:
        self._capacity = capacity
        self._per_second = per_second
        self._tokens = capacity
        self._at_s: float | None = None

    def room(self, now_s: float) -> float:
        if self._at_s is not None:
            self._tokens = min(self._capacity, self._tokens + (now_s - self._at_s) * self._per_second)
        self._at_s = now_s
        return self._tokens

    def wait(self, weight: float, now_s: float) -> float:
        missing = weight - self.room(now_s)
        if missing <= 0:
            return 0.0
        return missing / self._per_second if self._per_second else float("inf")

    def take(self, weight: float, now_s: float) -> float:
        wait_s = self.wait(weight, now_s)
        self._tokens -= weight
        return wait_s


class SharedLimits:
    """The buckets of every venue this process talks to: made by whoever asks first, shared by who asks later."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str, str], TokenBucket] = {}

    def by_address(self, venue: str, name: str, make: Callable[[], TokenBucket]) -> TokenBucket:
        """A limit that the venue counts by where calls come from: shared by all its accounts."""
        return self._buckets.setdefault((venue, name, ""), make())

    def by_key(self, venue: str, name: str, api_key: str, make: Callable[[], TokenBucket]) -> TokenBucket:
        """A limit that the venue counts by who calls."""
        digest = sha256(api_key.encode()).hexdigest()
        return self._buckets.setdefault((venue, name, digest), make())
