"""Accounts as the page sees them: positions, balances, risk, and the overview of all of it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, Self

from algotrendy_common.clock import Instant
from algotrendy_common.enums import HeldBy, MarginMode, Mode, OrderType, ProtectionState, TimeInForce
from algotrendy_common.events.account import PositionChanged, ProtectionChanged
from algotrendy_common.events.risk import LimitUse, RiskStateChanged, TradingState
from algotrendy_common.ids import AccountId, ServiceName, StrategyId, Symbol, Venue
from algotrendy_common.money import ZERO, Amount, Price
from algotrendy_common.rpc.broker_gateway import AccountInfo

from algotrendy_gateway.domain.market import Feed, Quote
from algotrendy_gateway.domain.shape import Shape, ratio


class Capabilities(Shape):
    """What the ticket may offer on the account; anything else is refused with a reason."""

    order_types: tuple[OrderType, ...]
    resting: tuple[OrderType, ...]
    """Those that the venue holds itself; the others wait at the broker gateway."""
    times_in_force: tuple[TimeInForce, ...]
    margin_modes: tuple[MarginMode, ...]
    max_leverage: Amount
    reduce_only: bool
    dead_man_switch: bool
    earn: bool


class Account(Shape):
    account: AccountId
    venue: Venue
    mode: Mode
    quote_currency: str
    active: bool
    """A broker gateway holds its lease and may trade."""
    ready: bool
    detail: str
    """Why it cannot trade now."""
    stand_in: AccountId | None
    """Where to propose new orders instead, while the account's venue is away."""
    priced_at: Venue | None
    """The venue whose prices to decide by: its own, or the stand-in's."""
    capabilities: Capabilities | None

    @classmethod
    def of(cls, info: AccountInfo) -> Self:
        able = None if info.capabilities is None else Capabilities(**dict(info.capabilities))
        return cls(**info.model_dump(include=set(cls.model_fields) - {"capabilities"}), capabilities=able)


class Guard(Shape):
    """How a position is guarded."""

    state: ProtectionState
    held_by: HeldBy | None
    quantity: Amount
    """Covered by stop orders."""
    stop_price: Price | None
    take_profit_price: Price | None
    trailing_ratio: Amount | None
    detail: str

    @classmethod
    def of(cls, event: ProtectionChanged) -> Self:
        return cls(
            state=event.state,
            held_by=event.held_by,
            quantity=event.protected_quantity,
            stop_price=event.stop_price,
            take_profit_price=event.take_profit_price,
            trailing_ratio=event.trailing_ratio,
            detail=event.detail,
        )


class Position(Shape):
    account: AccountId
    venue: Venue
    symbol: Symbol
    quantity: Amount
    """Signed: negative is short."""
    average_price: Price | None
    mark_price: Price | None
    """Middle of the newest quote; None before the first."""
    mark_time: Instant | None
    """When that quote reached us."""
    unrealised_pnl: Amount | None
    realised_pnl: Amount
    fees: Amount
    guard: Guard | None
    """None until the broker gateway has said how it is guarded."""
    leverage: Amount | None
    liquidation_price: Price | None
    updated_at: Instant
    strategies: tuple[StrategyId, ...]

    @classmethod
    def of(cls, event: PositionChanged, quote: Quote | None, guard: ProtectionChanged | None = None) -> Self:
        mark = None if quote is None else (quote.bid + quote.ask) / 2
        unrealised: Decimal | None = None
        if event.average_price is None:
            unrealised = ZERO
        elif mark is not None:
            unrealised = (mark - event.average_price) * event.quantity
        return cls(
            **event.model_dump(include={"account", "venue", "symbol", "quantity", "average_price", "realised_pnl"}),
            fees=event.fees,
            strategies=event.strategies,
            mark_price=mark,
            mark_time=None if quote is None else quote.received_time,
            unrealised_pnl=unrealised,
            guard=None if guard is None else Guard.of(guard),
            leverage=event.leverage,
            liquidation_price=event.liquidation_price,
            updated_at=event.received_time,
        )


class Balance(Shape):
    account: AccountId
    asset: str
    total: Amount
    available: Amount
    reserved: Amount


class LimitBar(Shape):
    name: str
    used: Amount
    limit: Amount
    unit: str
    ratio: Amount | None

    @classmethod
    def of(cls, use: LimitUse) -> Self:
        return cls(**dict(use), ratio=ratio(use.used, use.limit))


class EquityPoint(Shape):
    time: Instant
    equity: Amount


class ServiceState(Shape):
    service: ServiceName
    state: Literal["ready", "not_ready", "missing"]
    detail: str
    time: Instant | None
    """Its last heartbeat; None where none was heard."""


class Money(Shape):
    """An account's figures as risk last said them; all None where it has not spoken."""

    equity: Amount | None = None
    cash: Amount | None = None
    day_pnl: Amount | None = None
    day_pnl_ratio: Amount | None = None
    day_realised: Amount | None = None
    day_unrealised: Amount | None = None
    day_fees: Amount | None = None
    exposure_gross: Amount | None = None
    drawdown_ratio: Amount | None = None
    limits: tuple[LimitBar, ...] = ()
    halted_by: str | None = None
    halted_reason: str | None = None
    halted_since: Instant | None = None
    as_of: Instant | None = None

    @classmethod
    def of(cls, state: RiskStateChanged | None) -> Self:
        if state is None:
            return cls()
        day_ratio = None
        if state.equity is not None and state.day_pnl is not None:
            day_ratio = ratio(state.day_pnl, state.equity - state.day_pnl)
        return cls(
            equity=state.equity,
            cash=state.cash,
            day_pnl=state.day_pnl,
            day_pnl_ratio=day_ratio,
            day_realised=state.day_realised,
            day_unrealised=state.day_unrealised,
            day_fees=state.day_fees,
            exposure_gross=state.exposure_gross,
            drawdown_ratio=state.drawdown_ratio,
            limits=tuple(LimitBar.of(use) for use in state.limits),
            halted_by=state.halted_by,
            halted_reason=state.halted_reason,
            halted_since=state.halted_since,
            as_of=state.received_time,
        )


class OverviewChange(Money):
    """What of the overview changes by the second; the stream's ``overview``."""

    account: AccountId
    trading_state: TradingState | None
    """None: risk is not heard, so nobody knows, and no order will be approved."""
    services: tuple[ServiceState, ...]
    latency_ms: float | None
    """From our reading of the venue's socket to this gateway; median of the last minute's quotes."""
    missing: tuple[ServiceName, ...]
    """Services whose part of this answer is absent or old."""


class Overview(OverviewChange):
    venue: Venue
    mode: Mode
    replay: bool
    equity_curve: tuple[EquityPoint, ...]
    feeds: tuple[Feed, ...]


def most_restrictive(states: Mapping[str, TradingState]) -> TradingState:
    """Halted before reconciling before active; halted where there is no account at all."""
    for state in (TradingState.HALTED, TradingState.RECONCILING, TradingState.ACTIVE):
        if state in states.values():
            return state
    return TradingState.HALTED
