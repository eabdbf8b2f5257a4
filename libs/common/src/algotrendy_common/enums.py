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
    STOP = "stop"
    """Becomes a market order when the price has moved against its side to the trigger."""
    STOP_LIMIT = "stop_limit"
    TAKE_PROFIT = "take_profit"
    """Becomes a market order when the price has moved in its favour to the trigger."""
    TAKE_PROFIT_LIMIT = "take_profit_limit"
    TRAILING_STOP = "trailing_stop"
    """A stop whose trigger follows the best price since it was placed at ``trailing_ratio`` distance."""
    OCO = "oco"
    """A take-profit limit (``limit_price``) and a stop (``trigger_price``) over one quantity: one ends the other."""

    @property
    def triggered(self) -> bool:
        """It waits for a price before it trades."""
        return self in _TRIGGERED

    @property
    def priced(self) -> bool:
        """It has a limit price."""
        return self in _PRICED


_TRIGGERED = frozenset(
    {
        OrderType.STOP,
        OrderType.STOP_LIMIT,
        OrderType.TAKE_PROFIT,
        OrderType.TAKE_PROFIT_LIMIT,
        OrderType.TRAILING_STOP,
        OrderType.OCO,
    }
)
_PRICED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT, OrderType.OCO})


class TimeInForce(StrEnum):
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    POST_ONLY = "post_only"
    GTD = "gtd"
    """Until ``OrderTerms.good_until``; where a venue has none, the gateway cancels it then."""


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
    S1 = "1s"
    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @property
    def seconds(self) -> int:
        unit = {"s": 1, "m": 60, "h": 3600, "d": 86400}[self.value[-1]]
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
    PROTECTION = "protection"
    """The broker gateway itself, guarding a position or flattening it: only ever a reduction."""


class MarginMode(StrEnum):
    """How a position is paid for: in full (spot), or with borrowed money shared by the account or set apart."""

    NONE = "none"
    CROSS = "cross"
    ISOLATED = "isolated"


class ProtectionState(StrEnum):
    """How well an open position is guarded by stop orders."""

    PROTECTED = "protected"
    PARTIAL = "partial"
    """Some of the quantity is not covered; being mended."""
    NAKED = "naked"
    """Nothing guards it; being mended, or flattened."""
    DUST = "dust"
    """Less than the venue would take in an order: nothing can guard or sell it."""
    NOT_REQUIRED = "not_required"
    """The account's policy asks for none."""
    FLAT = "flat"


class HaltLevel(StrEnum):
    STRATEGY = "strategy"
    ACCOUNT = "account"
    GLOBAL = "global"


class HeldBy(StrEnum):
    """Where a triggered order waits for its price."""

    VENUE = "venue"
    GATEWAY = "gateway"
    """The venue cannot hold it: the broker gateway watches the price, and only while it runs."""
