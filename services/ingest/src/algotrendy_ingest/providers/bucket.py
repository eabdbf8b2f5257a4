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
        """Up to when; in the future while the provider wants to be left alone."""

    def reserve(self, now: float, at_most_s: float) -> float | None:
        """Seconds to wait before the call; None where that would be longer, and then nothing is taken."""
        filled_at = self._fill(now)
        wait = filled_at - now + max((1 - self._tokens) / self._per_s, 0.0)
        if wait > at_most_s:
            return None
        self._tokens -= 1
        return wait

    def pause(self, now: float, for_s: float) -> None:
        """The provider said to wait: nothing more goes out before that, and then at the pace as ever."""
        self._filled_at = max(self._fill(now), now + for_s)

    def _fill(self, now: float) -> float:
        since = now if self._filled_at is None else self._filled_at
        if now > since:
            self._tokens = min(float(self._burst), self._tokens + (now - since) * self._per_s)
        self._filled_at = max(now, since)
        return self._filled_at
