"""Events out of records: what other services are told of an order, a fill and a position.

Invariant: everything told follows from the record alone, so that the newest event and the store never disagree.
"""

from datetime import datetime

from algotrendy_common.enums import HeldBy
from algotrendy_common.events.account import PositionChanged
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.order import OrderFilled, OrderUpdated
from algotrendy_core import orders
from algotrendy_core.fills import Fill
from algotrendy_core.positions import Position

from algotrendy_broker_gateway.domain.margin import Margin
from algotrendy_broker_gateway.domain.order_record import OrderRecord, fee_of, reason_of


def order_updated(events: EventFactory, order: OrderRecord, event_time: datetime) -> OrderUpdated:
    code, message = reason_of(order.state)
    fee, fee_currency = fee_of(order.state)
    return events.make(
        OrderUpdated,
        event_time=event_time,
        revision=order.revision,
        terms=order.terms,
        origin=order.origin,
        client_order_id=order.client_order_id,
        venue_order_id=orders.venue_order_id(order.state),
        status=order.status,
        filled_quantity=orders.filled_quantity(order.state),
        average_price=orders.average_price(order.state),
        fee=fee,
        fee_currency=fee_currency,
        reason_code=code,
        reason_message=message,
        created_at=order.created_at,
        submitted_at=order.submitted_at,
        held_by=_held_by(order),
    )


def _held_by(order: OrderRecord) -> HeldBy | None:
    if not order.terms.type.triggered or orders.fills_of(order.state):
        return None
    if order.held:
        return HeldBy.GATEWAY
    return HeldBy.VENUE if order.working else None


def order_filled(events: EventFactory, order: OrderRecord, fill: Fill) -> OrderFilled:
    return events.make(
        OrderFilled,
        event_time=fill.event_time,
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        account=order.terms.account,
        venue=fill.venue,
        symbol=fill.symbol,
        trade_id=fill.trade_id,
        side=fill.side,
        price=fill.price,
        quantity=fill.quantity,
        fee=fill.fee,
        fee_currency=fill.fee_currency,
        liquidity=fill.liquidity,
        strategy=order.origin.strategy,
    )


def position_changed(
    events: EventFactory,
    position: Position,
    revision: int,
    strategies: tuple[str, ...],
    account: str,
    margin: Margin,
    at: datetime,
) -> PositionChanged:
    return events.make(
        PositionChanged,
        event_time=at,
        account=account,
        venue=position.venue,
        symbol=position.symbol,
        revision=revision,
        quantity=position.quantity,
        average_price=position.average_price,
        realised_pnl=position.net_realised_pnl,
        fees=position.fees,
        strategies=strategies,
        margin_mode=margin.mode,
        leverage=margin.leverage,
        liquidation_price=margin.liquidation_price,
    )
