"""Orders and fills as the page sees them, whoever spoke of them last: the proposer, risk or the broker gateway."""

from datetime import datetime
from typing import Self

from algotrendy_common.clock import Instant
from algotrendy_common.enums import (
    HeldBy,
    Liquidity,
    MarginMode,
    OrderSource,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from algotrendy_common.events.order import (
    OrderApproved,
    OrderFilled,
    OrderOrigin,
    OrderProposed,
    OrderRefused,
    OrderTerms,
    OrderUpdated,
)
from algotrendy_common.events.risk import ApprovalRequested
from algotrendy_common.ids import AccountId, ClientOrderId, OrderId, StrategyId, Symbol, Venue
from algotrendy_common.money import ZERO, Amount, Price, Quantity
from algotrendy_common.rpc.broker_gateway import OrderHistory

from algotrendy_gateway.domain.shape import Shape


class OrderReason(Shape):
    """Why an order was refused or rejected; ``limit`` and ``observed`` where a rule compared numbers."""

    code: str
    message: str
    limit: str | None = None
    observed: str | None = None


class OrderProtection(Shape):
    """Exits that are placed as the order fills."""

    stop_price: Price | None
    take_profit_price: Price | None
    trailing_ratio: Amount | None


class Order(Shape):
    order_id: OrderId
    client_order_id: ClientOrderId | None
    """None until the broker gateway has taken it."""
    venue_order_id: str | None
    account: AccountId
    venue: Venue
    symbol: Symbol
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Quantity
    limit_price: Price | None
    reduce_only: bool
    trigger_price: Price | None
    trailing_ratio: Amount | None
    good_until: Instant | None
    protection: OrderProtection | None
    replaces: OrderId | None
    margin_mode: MarginMode
    leverage: Amount | None
    parent: OrderId | None
    """The order that this one guards."""
    held_by: HeldBy | None
    """Where a triggered order waits for its price."""
    status: OrderStatus
    filled_quantity: Amount
    average_price: Price | None
    fee: Amount
    fee_currency: str | None
    source: OrderSource
    strategy: StrategyId | None
    user: str | None
    """Who asked, where a person did."""
    reason: OrderReason | None
    created_at: Instant
    updated_at: Instant
    signal_time: Instant | None
    """When the market event that caused the order reached us."""

    @classmethod
    def of(cls, event: OrderUpdated) -> Self:
        reason = None
        if event.reason_code is not None:
            reason = OrderReason(code=event.reason_code, message=event.reason_message or "")
        return cls(
            **_asked(event.terms, event.origin),
            client_order_id=event.client_order_id,
            venue_order_id=event.venue_order_id,
            status=event.status,
            filled_quantity=event.filled_quantity,
            average_price=event.average_price,
            fee=event.fee,
            fee_currency=event.fee_currency,
            held_by=event.held_by,
            reason=reason,
            created_at=event.created_at,
            updated_at=event.received_time,
        )

    @classmethod
    def proposed(cls, terms: OrderTerms, origin: OrderOrigin, at: datetime) -> Self:
        return cls(**_asked(terms, origin), **_UNPLACED, status=OrderStatus.PROPOSED, created_at=at, updated_at=at)

    @classmethod
    def of_proposal(cls, event: OrderProposed) -> Self:
        return cls.proposed(event.terms, event.origin, event.received_time)

    @classmethod
    def of_approval(cls, event: OrderApproved, created_at: datetime | None = None) -> Self:
        return cls(
            **_asked(event.terms, event.origin),
            **_UNPLACED,
            status=OrderStatus.APPROVED,
            created_at=created_at or event.received_time,
            updated_at=event.received_time,
        )

    @classmethod
    def of_request(cls, event: ApprovalRequested, created_at: datetime | None = None) -> Self:
        reason = OrderReason(code=event.code, message=event.message, limit=event.limit, observed=event.observed)
        return cls(
            **_asked(event.terms, event.origin),
            **(_UNPLACED | {"reason": reason}),
            status=OrderStatus.NEEDS_APPROVAL,
            created_at=created_at or event.received_time,
            updated_at=event.received_time,
        )

    @classmethod
    def of_refusal(cls, event: OrderRefused, created_at: datetime | None = None) -> Self:
        reason = OrderReason(code=event.code, message=event.message, limit=event.limit, observed=event.observed)
        return cls(
            **_asked(event.terms, event.origin),
            **(_UNPLACED | {"reason": reason}),
            status=OrderStatus.REFUSED,
            created_at=created_at or event.received_time,
            updated_at=event.received_time,
        )


_UNPLACED = {
    "client_order_id": None,
    "venue_order_id": None,
    "filled_quantity": ZERO,
    "average_price": None,
    "fee": ZERO,
    "fee_currency": None,
    "reason": None,
    "held_by": None,
}


def _asked(terms: OrderTerms, origin: OrderOrigin) -> dict[str, object]:
    return terms.model_dump() | {
        "source": origin.source,
        "strategy": origin.strategy,
        "user": origin.user,
        "signal_time": origin.tick_received_time,
        "parent": origin.parent,
    }


class Fill(Shape):
    trade_id: str
    order_id: OrderId
    account: AccountId
    venue: Venue
    symbol: Symbol
    side: Side
    price: Price
    quantity: Quantity
    fee: Amount
    fee_currency: str
    liquidity: Liquidity
    strategy: StrategyId | None
    event_time: Instant
    received_time: Instant

    @classmethod
    def of(cls, event: OrderFilled) -> Self:
        return cls(**event.model_dump(include=set(cls.model_fields)))


class OrderStep(Shape):
    status: str
    time: Instant
    detail: str
    milliseconds: float | None
    """Since the step before; None for the first."""


class OrderDetail(Order):
    timeline: tuple[OrderStep, ...]
    fills: tuple[Fill, ...]

    @classmethod
    def of_history(cls, history: OrderHistory) -> Self:
        steps = [(step.status, step.time, step.detail) for step in history.steps]
        return cls.of_steps(Order.of(history.order), steps, tuple(Fill.of(fill) for fill in history.fills))

    @classmethod
    def of_steps(cls, order: Order, steps: list[tuple[str, datetime, str]], fills: tuple[Fill, ...] = ()) -> Self:
        timeline = []
        before: datetime | None = None
        for status, time, detail in steps:
            passed = None if before is None else round((time - before).total_seconds() * 1000, 3)
            timeline.append(OrderStep(status=status, time=time, detail=detail, milliseconds=passed))
            before = time
        return cls(**dict(order), timeline=tuple(timeline), fills=fills)
