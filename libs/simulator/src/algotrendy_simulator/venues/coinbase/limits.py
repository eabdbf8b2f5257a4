"""Calls by second, of each user and of each address, counted as Coinbase counts them.

Source: Coinbase Advanced Trade documentation, "REST API rate limits": 30 a second a user, 10 a second an address for
public calls. Invariant: what is over a limit is refused before it has any effect.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from algotrendy_simulator.venues.coinbase.refusals import TooManyRequests


@dataclass(slots=True)
class Limits:
    private_per_s: int
    public_per_s: int
    _counts: dict[str, tuple[int, int]] = field(default_factory=lambda: defaultdict(lambda: (-1, 0)))

    def spend(self, who: str, public: bool, now_ms: int) -> dict[str, str]:
        """The headers of the answer; raises TooManyRequests over the limit."""
        limit = self.public_per_s if public else self.private_per_s
        second = now_ms // 1000
        window, used = self._counts[who]
        used = used + 1 if window == second else 1
        self._counts[who] = second, used
        if used > limit:
            raise TooManyRequests(limit)
        return {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(limit - used),
            "X-RateLimit-Reset": "1",
        }
