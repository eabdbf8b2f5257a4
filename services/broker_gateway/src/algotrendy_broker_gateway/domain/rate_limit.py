"""A token bucket: how long a call must wait so that the venue's limit is never reached.

Invariant: within any window no more than ``capacity`` plus what refilled leaves; a call inside the limit waits nothing.
"""


class TokenBucket:
    """``capacity`` in the venue's own weights; full at first."""

    def __init__(self, capacity: float, per_second: float) -> None:
        self._capacity = capacity
        self._per_second = per_second
        self._tokens = capacity
        self._at_s: float | None = None

    def take(self, weight: float, now_s: float) -> float:
        """Take ``weight`` at ``now_s``; returns the seconds to wait before using it, 0 where there is room."""
        if self._at_s is not None:
            self._tokens = min(self._capacity, self._tokens + (now_s - self._at_s) * self._per_second)
        self._at_s = now_s
        self._tokens -= weight
        return max(0.0, -self._tokens / self._per_second)
