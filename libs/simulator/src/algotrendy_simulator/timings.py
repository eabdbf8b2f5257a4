"""When trades left the venue and orders reached it, for measuring what lies between.

Invariant: a stamp is taken at the socket, as late as possible on the way out and as early as possible on the way in;
the rings are bounded.
"""

from collections import deque
from dataclasses import dataclass

from algotrendy_common.clock import monotonic_s, wall_ns

KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Stamp:
    wall_ns: int
    monotonic_ns: int

    @classmethod
    def now(cls) -> "Stamp":
        return cls(wall_ns(), int(monotonic_s() * 1e9))


@dataclass(frozen=True, slots=True)
class TradeSent:
    symbol: str
    trade_id: int
    event_time_ms: int
    sent: Stamp


@dataclass(frozen=True, slots=True)
class OrderReceived:
    client_order_id: str
    order_id: int | None
    """None where the order was refused."""
    received: Stamp
    answered_wall_ns: int


class Timings:
    def __init__(self) -> None:
        self.trades: deque[TradeSent] = deque(maxlen=KEPT)
        self.orders: deque[OrderReceived] = deque(maxlen=KEPT)

    def order_answered(self, client_order_id: str, order_id: int | None, received: Stamp) -> None:
        self.orders.append(OrderReceived(client_order_id, order_id, received, wall_ns()))

    def clear(self) -> None:
        self.trades.clear()
        self.orders.clear()
