"""Questions and commands about limits and halts, and what risk refused."""

from typing import Any

from algotrendy_common.clock import Instant
from algotrendy_common.events.event import Record
from algotrendy_common.events.order import OrderRefused
from algotrendy_common.events.risk import ApprovalRequested, HaltChanged, RiskStateChanged
from algotrendy_common.ids import AccountId, OrderId, StrategyId, Symbol, Venue
from algotrendy_common.money import Amount, Price
from algotrendy_common.rpc.call import Call, Nothing


class StateAsked(Record):
    account: AccountId


class EquityPoint(Record):
    time: Instant
    equity: Amount


class AccountState(Record):
    state: RiskStateChanged
    equity_curve: tuple[EquityPoint, ...]
    """Oldest first, at most 500 points."""


class HaltAsked(Record):
    """Stop new orders and cancel working ones on one account, or on all where ``account`` is None.

    ``strategy`` given: only that strategy's orders, on whatever account.
    """

    account: AccountId | None
    by: str
    reason: str
    strategy: StrategyId | None = None
    flatten: bool = False
    """Close the positions too."""


class ResumeAsked(Record):
    """Two people release a halt: the first one's word is kept, a second, different one's carries it out."""

    account: AccountId | None
    by: str
    reason: str
    strategy: StrategyId | None = None


class HaltDone(Record):
    states: tuple[RiskStateChanged, ...]
    halts: tuple[HaltChanged, ...] = ()
    """Every halt in force after it."""
    released: bool = False
    """False after the first of the two."""


class Halts(Record):
    halts: tuple[HaltChanged, ...]


class LimitsAsked(Record):
    account: AccountId


class AccountLimitsSet(Record):
    """One version of an account's limits, as people set it."""

    account: AccountId
    version: int
    document: dict[str, Any]
    set_by: str
    set_at: Instant
    reason: str


class LimitsHistory(Record):
    """Newest first; the first is in force."""

    versions: tuple[AccountLimitsSet, ...]


class SetLimitsAsked(Record):
    """Replaces the whole document; refused where ``version`` is not the newest (somebody else was quicker)."""

    account: AccountId
    version: int
    document: dict[str, Any]
    by: str
    reason: str


class PendingApprovals(Record):
    """Oldest first."""

    approvals: tuple[ApprovalRequested, ...]


class PortfolioAsked(Record):
    """The whole where all are None."""

    account: AccountId | None = None
    strategy: StrategyId | None = None


class PortfolioPosition(Record):
    account: AccountId
    venue: Venue
    symbol: Symbol
    quantity: Amount
    average_price: Price | None
    mark: Price | None
    realised_pnl: Amount
    unrealised_pnl: Amount | None
    fees: Amount
    exposure: Amount | None


class PortfolioStatistics(Record):
    """Ratios are fractions and annualised where that is usual; None where nothing defines them yet."""

    trades: int
    """Round trips from flat to flat."""
    win_rate: float | None
    profit_factor: float | None
    sharpe: float | None
    sortino: float | None
    max_drawdown: float | None
    total_return: float | None


class Portfolio(Record):
    """From fills and marks only."""

    quote_currency: str
    equity: Amount | None
    realised_pnl: Amount
    unrealised_pnl: Amount | None
    fees: Amount
    exposure_gross: Amount | None
    exposure_net: Amount | None
    positions: tuple[PortfolioPosition, ...]
    statistics: PortfolioStatistics
    equity_curve: tuple[EquityPoint, ...]
    """Oldest first, at most 500 points."""


class EnableAsked(Record):
    """A strategy that the repeated-execution throttle switched off may trade again."""

    strategy: StrategyId
    by: str
    reason: str


class RefusalsAsked(Record):
    account: AccountId
    limit: int = 100
    order_id: OrderId | None = None


class Refusals(Record):
    """Newest first."""

    refusals: tuple[OrderRefused, ...]


STATE = Call("risk", "state", StateAsked, AccountState, ("gateway", "broker_gateway"))
HALT = Call("risk", "halt", HaltAsked, HaltDone, ("gateway",))
RESUME = Call("risk", "resume", ResumeAsked, HaltDone, ("gateway",))
HALTS = Call("risk", "halts", Nothing, Halts, ("gateway", "broker_gateway", "agent"))
LIMITS = Call("risk", "limits", LimitsAsked, LimitsHistory, ("gateway",))
SET_LIMITS = Call("risk", "set_limits", SetLimitsAsked, AccountLimitsSet, ("gateway",))
PENDING = Call("risk", "pending", Nothing, PendingApprovals, ("gateway",))
PORTFOLIO = Call("risk", "portfolio", PortfolioAsked, Portfolio, ("gateway",))
ENABLE = Call("risk", "enable", EnableAsked, Nothing, ("gateway",))
REFUSALS = Call("risk", "refusals", RefusalsAsked, Refusals, ("gateway",))
