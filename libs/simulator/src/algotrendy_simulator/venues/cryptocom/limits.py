"""Calls by account and method, and by address for what is public, counted as Crypto.com counts them.

Source: Crypto.com Exchange API v1 documentation, "Rate limits". Invariant: what is over a limit is refused before it
has any effect, with 429 and no header that says when to come back.
"""

from dataclasses import dataclass, field

from algotrendy_simulator.venues.cryptocom.refusals import TOO_MANY_REQUESTS, CryptocomError

ORDER_CALLS = frozenset({"private/create-order", "private/cancel-order", "private/cancel-all-orders"})
HISTORY_CALLS = frozenset({"private/get-trades", "private/get-order-history"})
_ORDER_DETAIL = "private/get-order-detail"
_DETAILS_PER_100MS = 30
_OTHERS_PER_100MS = 3


@dataclass(slots=True)
class Limits:
    orders_per_100ms: int
    public_per_s: int
    _used: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def spend(self, who: str, method: str, now_ms: int) -> None:
        """Raises CryptocomError 42901 over the limit."""
        allowed, window_ms = self._allowed(method)
        window = now_ms // window_ms
        begun, used = self._used.get((who, method), (window, 0))
        used = used + 1 if begun == window else 1
        self._used[who, method] = window, used
        if used > allowed:
            raise CryptocomError(*TOO_MANY_REQUESTS)

    def _allowed(self, method: str) -> tuple[int, int]:
        """How many calls in how many milliseconds."""
        if method.startswith("public/"):
            return self.public_per_s, 1000
        if method in ORDER_CALLS:
            return self.orders_per_100ms, 100
        if method in HISTORY_CALLS:
            return 1, 1000
        return (_DETAILS_PER_100MS if method == _ORDER_DETAIL else _OTHERS_PER_100MS), 100
