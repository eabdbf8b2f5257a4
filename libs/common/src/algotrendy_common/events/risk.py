"""What the risk service allows, and what it saw go wrong."""

from enum import StrEnum

from algotrendy_common.clock import Instant
from algotrendy_common.enums import HaltLevel
from algotrendy_common.events.event import Event, Record
from algotrendy_common.events.order import OrderOrigin, OrderTerms
from algotrendy_common.ids import AccountId, OrderId
from algotrendy_common.money import Amount, Price


class TradingState(StrEnum):
    RECONCILING = "reconciling"
    ACTIVE = "active"
    HALTED = "halted"


class LimitUse(Record):
    name: str
    used: Amount
    limit: Amount
    unit: str
    """A currency's code, ``orders`` or ``ratio``."""


class RiskStateChanged(Event):
    """An account as risk sees it; published on change and every second while marks move."""

    account: AccountId
    revision: int
    trading_state: TradingState
    halted_by: str | None
    halted_reason: str | None
    halted_since: Instant | None
    quote_currency: str
    equity: Amount | None
    """Cash and positions at the newest marks; None until balances and marks are known."""
    cash: Amount | None
    day_pnl: Amount | None
    day_realised: Amount
    day_unrealised: Amount | None
    day_fees: Amount
    exposure_gross: Amount | None
    exposure_reserved: Amount
    drawdown_ratio: Amount | None
    limits: tuple[LimitUse, ...]


class RiskBreached(Event):
    account: AccountId
    code: str
    message: str
    limit: str
    observed: str


class HaltChanged(Event):
    """The kill switch at one level: engaged by one person, released by two. Told at once to whoever lets orders out."""

    level: HaltLevel
    key: str
    """The strategy's or account's id; ``*`` for all."""
    revision: int
    engaged: bool
    by: str
    reason: str
    flatten: bool
    """Positions are closed too, with reductions only."""
    since: Instant
    release_asked_by: str | None = None
    """The first of the two who release it."""


class ApprovalRequested(Event):
    """Risk wants a person to decide on an order. No decision before ``expires_at`` is a refusal."""

    terms: OrderTerms
    origin: OrderOrigin
    notional: Amount
    reference_price: Price
    code: str
    message: str
    limit: str
    observed: str
    asked_again: bool
    """The price moved past the collar since the first time."""
    expires_at: Instant

    @property
    def account(self) -> str:
        return self.terms.account


class ApprovalDecided(Event):
    """A person's word on an order that risk asked about; it binds only to exactly these terms."""

    order_id: OrderId
    terms: OrderTerms
    approved: bool
    decided_by: str
    reason: str
    reference_price: Price
    """The price the person saw."""
