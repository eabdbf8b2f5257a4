"""Requests as orders: checked against the market and the account, with what they cost reserved, not yet in the book.

Invariant: where a request is refused nothing has changed, but for an order id that nobody gets.
"""

from collections.abc import Iterator
from decimal import Decimal

from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.errors import Refused
from algotrendy_common.money import ZERO

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.admission import (
    check_leverage,
    check_rules,
    check_takes,
    first_trigger,
    on_margin,
    quantity_of,
)
from algotrendy_simulator.ledger import Ledger
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Order, OrderRequest
from algotrendy_simulator.positions import reducible
from algotrendy_simulator.settlement import Settlement


class Intake:
    def __init__(self, ledger: Ledger, settlement: Settlement, next_order_id: Iterator[int]) -> None:
        self._ledger = ledger
        self._settlement = settlement
        self._next_order_id = next_order_id

    def accept(self, account: Account, market: Market, request: OrderRequest) -> tuple[Order, ...]:
        """The order, or a pair's limit leg and its stop leg. Raises Refused as ``Exchange.place`` says."""
        self._ledger.check_client_id(account.name, request.client_order_id)
        check_leverage(market, request.leverage)
        quantity = quantity_of(market, request)
        trigger = first_trigger(market, request)
        check_rules(market, quantity, request.limit_price, trigger)
        if request.stop_limit_price is not None:
            check_rules(market, quantity, request.stop_limit_price)
        if request.reduce_only:
            quantity = self._reduction(account, market, request.side, quantity, request.leverage)
        if request.type is OrderType.OCO:
            return self._pair(account, market, request, quantity, trigger)
        order = self._draft(account, request, request.type, quantity, request.limit_price, trigger)
        check_takes(market, order)
        self._settlement.reserve(order, *self._settlement.reservation(order))
        return (order,)

    def _pair(
        self, account: Account, market: Market, request: OrderRequest, quantity: Decimal, trigger: Decimal | None
    ) -> tuple[Order, Order]:
        stop_id = request.stop_client_order_id or f"{request.client_order_id}s"
        self._ledger.check_client_id(account.name, stop_id)
        limit = self._draft(account, request, OrderType.LIMIT, quantity, request.limit_price, None)
        check_takes(market, limit)
        stop_type = OrderType.STOP if request.stop_limit_price is None else OrderType.STOP_LIMIT
        stop = self._draft(account, request, stop_type, quantity, request.stop_limit_price, trigger)
        stop.client_order_id = stop_id
        if stop.time_in_force is TimeInForce.POST_ONLY:
            stop.time_in_force = TimeInForce.GTC
        limit.sibling, stop.sibling = stop.order_id, limit.order_id
        asset, needed = self._settlement.reservation(limit)
        self._settlement.reserve(limit, asset, max(needed, self._settlement.reservation(stop)[1]))
        return limit, stop

    def _draft(
        self,
        account: Account,
        request: OrderRequest,
        type_: OrderType,
        quantity: Decimal,
        limit_price: Decimal | None,
        trigger: Decimal | None,
    ) -> Order:
        now_ms = self._settlement.now_ms()
        return Order(
            next(self._next_order_id),
            account.name,
            request.client_order_id,
            request.symbol,
            request.side,
            type_,
            request.time_in_force,
            quantity,
            limit_price,
            request.quote_quantity,
            ZERO,
            now_ms,
            now_ms,
            trigger_price=trigger,
            trailing_ratio=request.trailing_ratio,
            good_until_ms=request.good_until_ms,
            reduce_only=request.reduce_only,
            waiting=type_.triggered,
            leverage=request.leverage,
            activation_price=request.trigger_price if type_ is OrderType.TRAILING_STOP else None,
            list_client_order_id=request.list_client_order_id,
        )

    def _reduction(
        self, account: Account, market: Market, side: Side, quantity: Decimal, leverage: Decimal | None
    ) -> Decimal:
        """As much of a reduce-only order as there is to reduce; of assets, the balance is the position."""
        if not on_margin(market, leverage):
            if side is Side.BUY:
                raise Refused("reduce_only", "buying reduces nothing here", symbol=market.wire_symbol)
            return quantity
        most = reducible(self._ledger.holding(account.name, market.wire_symbol), side)
        if not most:
            raise Refused("reduce_only", "there is nothing to reduce", symbol=market.wire_symbol)
        return min(quantity, most)
