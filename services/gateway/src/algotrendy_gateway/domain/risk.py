"""Halts, approvals, limits and the portfolio as the page sees them."""

from collections.abc import Mapping
from typing import Any, Self

from algotrendy_common.clock import Instant
from algotrendy_common.enums import HaltLevel, OrderSource, OrderType, Side
from algotrendy_common.events.risk import ApprovalRequested, HaltChanged, TradingState
from algotrendy_common.ids import AccountId, OrderId, StrategyId, Symbol, Venue
from algotrendy_common.money import Amount, Price, Quantity
from algotrendy_common.rpc import risk

from algotrendy_gateway.domain.accounts import EquityPoint
from algotrendy_gateway.domain.shape import Shape


class Halt(Shape):
    level: HaltLevel
    key: str
    """The strategy's or account's id; ``*`` for all."""
    engaged: bool
    by: str
    reason: str
    flatten: bool
    since: Instant
    release_asked_by: str | None
    """The first of the two people whom a release takes."""

    @classmethod
    def of(cls, event: HaltChanged) -> Self:
        return cls(**event.model_dump(include=set(cls.model_fields)))


class HaltResult(Shape):
    trading_state: TradingState
    """The most restrictive among the accounts it was asked for."""
    accounts: Mapping[AccountId, TradingState]
    halts: tuple[Halt, ...]
    """Every halt in force now."""
    released: bool
    """False where a second person has to confirm a release."""


class Approval(Shape):
    """An order that waits for a person; without a word before ``expires_at`` it is refused."""

    order_id: OrderId
    account: AccountId
    venue: Venue
    symbol: Symbol
    side: Side
    type: OrderType
    quantity: Quantity
    limit_price: Price | None
    trigger_price: Price | None
    source: OrderSource
    strategy: StrategyId | None
    user: str | None
    why: str
    """What the proposer said."""
    notional: Amount
    reference_price: Price
    code: str
    message: str
    limit: str
    observed: str
    asked_again: bool
    asked_at: Instant
    expires_at: Instant

    @classmethod
    def of(cls, event: ApprovalRequested) -> Self:
        terms, origin = event.terms, event.origin
        asked = terms.model_dump(
            include={
                "order_id",
                "account",
                "venue",
                "symbol",
                "side",
                "type",
                "quantity",
                "limit_price",
                "trigger_price",
            }
        )
        return cls(
            **asked,
            source=origin.source,
            strategy=origin.strategy,
            user=origin.user,
            why=origin.reason,
            notional=event.notional,
            reference_price=event.reference_price,
            code=event.code,
            message=event.message,
            limit=event.limit,
            observed=event.observed,
            asked_again=event.asked_again,
            asked_at=event.received_time,
            expires_at=event.expires_at,
        )


class ApprovalEnded(Shape):
    """It need not be decided any more."""

    order_id: OrderId


class Limits(Shape):
    account: AccountId
    version: int
    document: dict[str, Any]
    set_by: str
    set_at: Instant
    reason: str

    @classmethod
    def of(cls, row: risk.AccountLimitsSet) -> Self:
        return cls(**dict(row))


class PortfolioPosition(Shape):
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


class PortfolioStatistics(Shape):
    trades: int
    win_rate: float | None
    profit_factor: float | None
    sharpe: float | None
    sortino: float | None
    max_drawdown: float | None
    total_return: float | None


class Portfolio(Shape):
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

    @classmethod
    def of(cls, answer: risk.Portfolio) -> Self:
        known = dict(answer)
        known["positions"] = tuple(PortfolioPosition(**dict(row)) for row in answer.positions)
        known["statistics"] = PortfolioStatistics(**dict(answer.statistics))
        known["equity_curve"] = tuple(EquityPoint(**dict(point)) for point in answer.equity_curve)
        return cls(**known)
