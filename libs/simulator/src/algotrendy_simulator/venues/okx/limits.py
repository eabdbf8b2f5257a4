"""Calls of an account in two seconds for each endpoint, counted as OKX counts them.

Source: OKX API v5 documentation, "Rate limits". Invariant: what is over a limit is refused before it has any effect.
"""

from dataclasses import dataclass, field

from algotrendy_simulator.venues.okx.refusals import OkxError

WINDOW_MS = 2_000


def throttled() -> OkxError:
    return OkxError(50011, "Too Many Requests", 429)


@dataclass(slots=True)
class Limits:
    orders_per_2s: int
    """Of an endpoint that takes orders, and of one instrument's."""
    questions_per_2s: int
    _used: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def spend(self, caller: str, endpoint: str, now_ms: int) -> None:
        """Raises OkxError 50011 over the limit. ``caller`` is the account, or the address of who has none."""
        allowed = self.orders_per_2s if endpoint.startswith("POST /api/v5/trade/") else self.questions_per_2s
        window = now_ms // WINDOW_MS
        before, used = self._used.get((caller, endpoint), (window, 0))
        used = used + 1 if before == window else 1
        self._used[caller, endpoint] = window, used
        if used > allowed:
            raise throttled()
