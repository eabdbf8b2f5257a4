"""What the risk service allows, and what it saw go wrong."""

from enum import StrEnum

from algotrendy_common.clock import Instant
from algotrendy_common.events.event import Event, Record
from algotrendy_common.ids import AccountId
from algotrendy_common.money import Amount


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
