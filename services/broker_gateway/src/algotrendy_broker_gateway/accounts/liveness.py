"""Whether a venue is there: by what it answers to us, and by what its feed says.

Invariant: down only after being silent for the whole limit, up only after being well for the whole limit, so that a
venue that comes and goes does not make orders come and go between two.
"""

from datetime import timedelta

from algotrendy_common.enums import FeedState

_FEED_AWAY = frozenset({FeedState.STALE, FeedState.DOWN})


class Liveness:
    """One venue as one account reaches it. Times are of one monotonic clock, in seconds."""

    def __init__(self, limit: timedelta) -> None:
        self._limit_s = limit.total_seconds()
        self._silent_since: float | None = None
        self._feed_away_since: float | None = None
        self._feed = FeedState.LIVE
        self._well_since = 0.0
        self._down = False

    def answered(self, now_s: float) -> None:
        if self._silent_since is not None:
            self._silent_since = None
            self._well_since = now_s

    def missed(self, now_s: float) -> None:
        """It was asked and did not answer."""
        self._silent_since = now_s if self._silent_since is None else self._silent_since

    def feed(self, state: FeedState, now_s: float) -> None:
        self._feed = state
        if state in _FEED_AWAY:
            self._feed_away_since = now_s if self._feed_away_since is None else self._feed_away_since
        elif self._feed_away_since is not None:
            self._feed_away_since = None
            self._well_since = now_s

    def down(self, now_s: float) -> str | None:
        """Why the venue counts as down; None where it does not."""
        for since, what in (
            (self._silent_since, "does not answer"),
            (self._feed_away_since, f"has a feed that is {self._feed.value}"),
        ):
            if since is not None and now_s - since >= self._limit_s:
                self._down = True
                return f"{what} for {now_s - since:.0f} s"
        away = self._silent_since is not None or self._feed_away_since is not None
        if self._down and (away or now_s - self._well_since < self._limit_s):
            return "came back only now"
        self._down = False
        return None
