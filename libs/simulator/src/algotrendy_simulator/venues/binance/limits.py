"""Request weight by minute and orders by ten seconds, counted as Binance counts them.

Invariant: a window's count starts at zero when the wall clock enters the window, and what is over the limit is
refused before it has any effect.
"""

from dataclasses import dataclass

from algotrendy_common.clock import Clock, to_ms

from algotrendy_simulator.venues.binance.refusals import TooManyRequests


@dataclass(slots=True)
class Window:
    length_ms: int
    limit: int
    _index: int = -1
    _count: int = 0

    def add(self, amount: int, now_ms: int) -> int:
        """The count with ``amount`` more."""
        self.count(now_ms)
        self._count += amount
        return self._count

    def count(self, now_ms: int) -> int:
        index = now_ms // self.length_ms
        if index != self._index:
            self._index, self._count = index, 0
        return self._count

    def retry_after_s(self, now_ms: int) -> int:
        """Whole seconds until the window ends, at least one."""
        return max(1, -(-(self.length_ms - now_ms % self.length_ms) // 1000))


class Limits:
    def __init__(self, weight_per_minute: int, orders_per_10s: int, clock: Clock) -> None:
        self._clock = clock
        self.weight = Window(60_000, weight_per_minute)
        self.orders = Window(10_000, orders_per_10s)

    def spend(self, weight: int, now_ms: int) -> int:
        """Raises TooManyRequests over the limit; else the weight used in this minute."""
        used = self.weight.add(weight, now_ms)
        if used > self.weight.limit:
            raise TooManyRequests(
                -1003,
                f"Too much request weight used; current limit is {self.weight.limit} request weight per 1 MINUTE. "
                "Please use WebSocket Streams for live updates to avoid polling the API.",
                self.weight.retry_after_s(now_ms),
            )
        return used

    def count_order(self) -> int:
        """Raises TooManyRequests over the limit; else the orders of these ten seconds."""
        now_ms = to_ms(self._clock.now())
        count = self.orders.add(1, now_ms)
        if count > self.orders.limit:
            raise TooManyRequests(
                -1015,
                f"Too many new orders; current limit is {self.orders.limit} orders per 10 SECOND.",
                self.orders.retry_after_s(now_ms),
            )
        return count

    def described(self) -> list[dict[str, str | int]]:
        """For exchangeInfo."""
        return [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": self.weight.limit},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": self.orders.limit},
        ]
