"""What an account holds. Positions follow from fills alone; the venue's own books are compared, not copied."""

from algotrendy_common.clock import Instant
from algotrendy_common.enums import HeldBy, MarginMode, ProtectionState
from algotrendy_common.events.event import Event, Record
from algotrendy_common.ids import AccountId, StrategyId, Symbol, Venue
from algotrendy_common.money import Amount, Price


class PositionChanged(Event):
    """A position after a fill; ``revision`` rises with each change."""

    account: AccountId
    venue: Venue
    symbol: Symbol
    revision: int
    quantity: Amount
    """Signed: negative is short."""
    average_price: Price | None
    """None when flat."""
    realised_pnl: Amount
    """In the quote currency, after fees."""
    fees: Amount
    strategies: tuple[StrategyId, ...]
    margin_mode: MarginMode = MarginMode.NONE
    leverage: Amount | None = None
    liquidation_price: Price | None = None
    """As the venue says it; None on spot."""


class ProtectionChanged(Event):
    """How a position is guarded; ``revision`` rises with each change."""

    account: AccountId
    venue: Venue
    symbol: Symbol
    revision: int
    state: ProtectionState
    held_by: HeldBy | None
    position_quantity: Amount
    protected_quantity: Amount
    stop_price: Price | None
    take_profit_price: Price | None
    trailing_ratio: Amount | None
    order_ids: tuple[str, ...]
    detail: str


class AssetBalance(Record):
    asset: str
    total: Amount
    available: Amount
    reserved: Amount


class BalanceChanged(Event):
    account: AccountId
    venue: Venue
    balances: tuple[AssetBalance, ...]


class ReconciliationDifference(Record):
    what: str
    """``order``, ``fill``, ``position``, ``balance``, or ``funding``: what holding a derivative or a loan has cost."""
    key: str
    ours: str
    venues: str
    adopted: bool


class AccountReconciled(Event):
    """Our books were compared with the venue's. Trading on the account may begin only after ``ok``."""

    account: AccountId
    venue: Venue
    ok: bool
    cause: str
    """``start``, ``reconnect`` or ``timer``."""
    orders_checked: int
    fills_adopted: int
    differences: tuple[ReconciliationDifference, ...]
    duration_ms: float
    checked_at: Instant
