"""Calls by second and account for each endpoint, and calls by five seconds and address, counted as Bybit counts them.

Source: Bybit v5 documentation, "Rate limit rules". Invariant: what is over a limit is refused before it has any
effect; an answer to a signed call carries what is left in its window.
"""

from dataclasses import dataclass, field

from algotrendy_simulator.venues.bybit.refusals import BybitError

SECOND_MS = 1_000
ADDRESS_WINDOW_MS = 5_000
QUESTIONS_PER_SECOND = 50


class TooFrequent(BybitError):
    """The whole address is shut out: HTTP 403 and a body that is not Bybit's JSON."""

    def __init__(self) -> None:
        super().__init__(403, "403, access too frequent", 403)


@dataclass(slots=True)
class _Count:
    window: int = -1
    used: int = 0

    def add(self, window: int) -> int:
        if window != self.window:
            self.window, self.used = window, 0
        self.used += 1
        return self.used


@dataclass(slots=True)
class Limits:
    calls_per_5s: int
    spot_orders_per_s: int
    linear_orders_per_s: int
    _address: _Count = field(default_factory=_Count)
    _accounts: dict[tuple[str, str], _Count] = field(default_factory=dict)

    def spend_address(self, now_ms: int) -> None:
        """Raises TooFrequent over the limit."""
        if self._address.add(now_ms // ADDRESS_WINDOW_MS) > self.calls_per_5s:
            raise TooFrequent

    def spend(self, account: str, endpoint: str, allowed: int, now_ms: int) -> dict[str, str]:
        """The headers of the answer; raises Throttled with the same headers over the limit."""
        window = now_ms // SECOND_MS
        used = self._accounts.setdefault((account, endpoint), _Count()).add(window)
        over = used > allowed
        headers = limit_headers(allowed, max(0, allowed - used), (window + 1) * SECOND_MS if over else now_ms)
        if over:
            raise Throttled(headers)
        return headers


def limit_headers(allowed: int, left: int, reset_ms: int) -> dict[str, str]:
    return {
        "X-Bapi-Limit": str(allowed),
        "X-Bapi-Limit-Status": str(left),
        "X-Bapi-Limit-Reset-Timestamp": str(reset_ms),
    }


class Throttled(BybitError):
    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__(10006, "Too many visits. Exceeded the API Rate Limit.")
        self.headers = headers
