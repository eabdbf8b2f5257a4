"""Closed lists that travel in events. A value is added here, never invented on the way."""

from enum import StrEnum


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"


class TimeInForce(StrEnum):
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    POST_ONLY = "post_only"


class OrderStatus(StrEnum):
    """Where an order stands, in the words that the page, the store and the events share."""

    PROPOSED = "proposed"
    NEEDS_APPROVAL = "needs_approval"
    REFUSED = "refused"
    APPROVED = "approved"
    SUBMITTING = "submitting"
    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    OUTCOME_UNKNOWN = "outcome_unknown"
    LOST = "lost"

    @property
    def terminal(self) -> bool:
        """Nothing more can happen to the order. ``LOST`` is not terminal: its exposure stays reserved."""
        return self in _TERMINAL


_TERMINAL = frozenset({OrderStatus.REFUSED, OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED})


class Liquidity(StrEnum):
    MAKER = "maker"
    TAKER = "taker"


class Mode(StrEnum):
    """What an account's orders mean: simulated money or real money."""

    PAPER = "paper"
    LIVE = "live"


class Timeframe(StrEnum):
    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @property
    def seconds(self) -> int:
        unit = {"m": 60, "h": 3600, "d": 86400}[self.value[-1]]
        return int(self.value[:-1]) * unit


class FeedState(StrEnum):
    CONNECTING = "connecting"
    LIVE = "live"
    QUIET = "quiet"
    STALE = "stale"
    DOWN = "down"


class StrategyStatus(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    FAILED = "failed"


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class OrderSource(StrEnum):
    STRATEGY = "strategy"
    AGENT = "agent"
    TRADER = "trader"
    WEBHOOK = "webhook"
    EXTERNAL = "external"
