"""Changing an open order: its quantity, its prices, its client id.

Invariant: a change is made whole or refused with nothing changed; a pair's legs always ask for the same quantity.
"""

from decimal import Decimal

from algotrendy_common.errors import Refused
from algotrendy_core.instruments import Rule, Violation

from algotrendy_simulator.admission import check_rules, check_takes, on_margin
from algotrendy_simulator.changes import Changes
from algotrendy_simulator.events import Execution
from algotrendy_simulator.execution import Floor
from algotrendy_simulator.ledger import Ledger
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Order
from algotrendy_simulator.positions import reducible
from algotrendy_simulator.settlement import Settlement
from algotrendy_simulator.triggers import crossed


class Amendment:
    def __init__(self, ledger: Ledger, settlement: Settlement, floor: Floor, markets: dict[str, Market]) -> None:
        self._ledger = ledger
        self._settlement = settlement
        self._floor = floor
        self._markets = markets

    def amend(
        self,
        changes: Changes,
        order: Order,
        quantity: Decimal | None,
        limit_price: Decimal | None,
        trigger_price: Decimal | None,
        client_order_id: str | None,
    ) -> None:
        """Raises Refused as ``Exchange.amend`` says."""
        if client_order_id is not None and client_order_id != order.client_order_id:
            self._ledger.check_client_id(order.account, client_order_id)
        before = order.quantity, order.limit_price, order.trigger_price
        asked = quantity or before[0], limit_price or before[1], trigger_price or before[2]
        self._check(order, *asked)
        repriced = asked[1] != before[1]
        order.quantity, order.limit_price, order.trigger_price = asked
        try:
            if repriced:
                check_takes(self._markets[order.symbol], order)
            self._reserve(order, quantity)
        except Refused:
            order.quantity, order.limit_price, order.trigger_price = before
            raise
        if client_order_id is not None:
            self._ledger.rename(order, client_order_id)
        order.updated_ms = self._settlement.now_ms()
        self._settlement.note(changes, order, Execution.AMENDED)
        sibling = self._ledger.sibling(order)
        if sibling is not None and quantity is not None:
            sibling.quantity = quantity
            self._settlement.note(changes, sibling, Execution.AMENDED)
        for leg in (order, sibling):
            # The first leg may have traded by now, which has ended the other.
            if leg is not None and leg.status.open and not leg.waiting:
                self._floor.move(changes, leg, replaced=leg is order and repriced)

    def _check(
        self, order: Order, quantity: Decimal, limit_price: Decimal | None, trigger_price: Decimal | None
    ) -> None:
        market = self._markets[order.symbol]
        if quantity <= order.filled:
            violation = Violation(Rule.MIN_QUANTITY, order.filled, quantity)
            raise Refused("filter", "no less than what is filled", violations=(violation,))
        if order.reduce_only and on_margin(market, order.leverage):
            most = reducible(self._ledger.holding(order.account, order.symbol), order.side)
            if quantity - order.filled > most:
                raise Refused("reduce_only", "there is less to reduce", symbol=order.symbol, most=most)
        trigger = trigger_price if order.waiting else None
        check_rules(market, quantity - order.filled, limit_price, trigger)
        if trigger is not None and crossed(order.type, order.side, trigger, market.last_price):
            raise Refused("would_trigger", "the order would trigger at once", last=market.last_price)

    def _reserve(self, order: Order, quantity: Decimal | None) -> None:
        """What the order needs now; a pair's reservation is its limit leg's, for the dearer of the two."""
        sibling = self._ledger.sibling(order)
        if sibling is None:
            self._settlement.reserve(order, *self._settlement.reservation(order))
            return
        kept = sibling.quantity
        sibling.quantity = quantity or kept
        asset, needed = self._settlement.reservation(order)
        needed = max(needed, self._settlement.reservation(sibling)[1])
        sibling.quantity = kept
        self._settlement.reserve(sibling if order.waiting else order, asset, needed)
