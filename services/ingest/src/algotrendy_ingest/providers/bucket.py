"""The token bucket of one provider: how long a call has to wait. Pure: the time is handed in, in seconds.

Invariant: in any stretch of time no more calls are let through than the burst plus the rate times its length, and none
before the time that the provider itself named.
"""


class TokenBucket:
    """Filled at ``per_minute``, at most ``burst`` deep. It may be owed: waiting callers stand in line."""

    def __init__(self, per_minute: float, burst: int = 1) -> None:
        if per_minute <= 0 or burst < 1:
            raise ValueError("a bucket that lets nothing through")
        self._per_s = per_minute / 60
        self._burst = burst
        self._tokens = float(burst)
        self._filled_at: float | None = None
        self._not_before = 0.0

    def reserve(self, now: float, at_most_s: float) -> float | None:
        """Seconds to wait before the call; None where that would be longer, and then nothing is taken."""
        self._fill(now)
        wait = max((1 - self._tokens) / self._per_s, self._not_before - now, 0.0)
        if wait > at_most_s:
            return None
        self._tokens -= 1
        return wait

    def pause(self, now: float, for_s: float) -> None:
        """The provider said to wait: nothing goes out before that."""
        self._not_before = max(self._not_before, now + for_s)

    def _fill(self, now: float) -> None:
        since = now if self._filled_at is None else self._filled_at
        self._tokens = min(float(self._burst), self._tokens + (now - since) * self._per_s)
        self._filled_at = now
