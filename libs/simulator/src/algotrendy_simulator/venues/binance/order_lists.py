"""Pairs on Binance's wire: ``orderList`` calls over the exchange's two legs.

Invariant: a list is known by the smaller of its legs' ids, so nothing is kept here.
"""

from dataclasses import dataclass

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.orders import Order
from algotrendy_simulator.venues.binance import order_wire
from algotrendy_simulator.venues.binance.limits import Limits
from algotrendy_simulator.venues.binance.order_requests import client_id, pair_request
from algotrendy_simulator.venues.binance.parameters import Parameters
from algotrendy_simulator.venues.binance.refusals import (
    INVALID_SYMBOL,
    NO_SUCH_LIST,
    UNKNOWN_LIST,
    BinanceError,
    or_refused,
)
from algotrendy_simulator.venues.binance.wire import Json


@dataclass(frozen=True, slots=True)
class OrderLists:
    exchange: Exchange
    limits: Limits

    def place_pair(self, account: Account, parameters: Parameters) -> Json:
        for _ in range(2):
            self.limits.count_order()
        request = pair_request(parameters, self._symbol(parameters))
        assert request.list_client_order_id is not None
        if any(
            legs[0].status.open or legs[1].status.open for legs in self._named(account, request.list_client_order_id)
        ):
            raise BinanceError(-2010, "Duplicate order list sent.")
        limit = or_refused(lambda: self.exchange.place(account, request))
        legs = self._legs(limit)
        reports = [order_wire.placed_order(leg, self.exchange.fills_of_order(leg.order_id), "FULL") for leg in legs]
        return order_wire.order_list(legs) | {"orderReports": reports}

    def cancel(self, account: Account, parameters: Parameters) -> Json:
        symbol = self._symbol(parameters)
        legs = self._find(account, parameters, symbol, "listClientOrderId")
        working = next((leg for leg in legs if leg.status.open), None)
        if working is None:
            raise BinanceError(*UNKNOWN_LIST)
        cancel_id = client_id(parameters, "newClientOrderId")
        or_refused(lambda: self.exchange.cancel(account, working, cancel_id))
        reports = [order_wire.cancelled_order(leg, cancel_id) for leg in legs]
        return order_wire.order_list(legs) | {"orderReports": reports}

    def query(self, account: Account, parameters: Parameters) -> Json:
        legs = self._find(account, parameters, None, "origClientOrderId")
        if not legs:
            raise BinanceError(*NO_SUCH_LIST)
        return order_wire.order_list(legs)

    def open_lists(self, account: Account, parameters: Parameters) -> list[Json]:
        firsts = {order_wire.list_id(order): order for order in self.exchange.open_orders(account) if order.sibling}
        return [order_wire.order_list(self._legs(order)) for order in firsts.values()]

    def _find(self, account: Account, parameters: Parameters, symbol: str | None, client_id_name: str) -> list[Order]:
        """Both legs; none where there is no such list."""
        number, name = parameters.integer("orderListId"), parameters.optional(client_id_name)
        if number is None and name is None:
            raise BinanceError(-1128, f"Param '{client_id_name}' or 'orderListId' must be sent, but both were empty!")
        if number is not None:
            order = self.exchange.orders.get(number)
            found = [self._legs(order)] if order is not None and order.account == account.name and order.sibling else []
        else:
            found = self._named(account, name or "")
        return next((legs for legs in reversed(found) if symbol in (None, legs[0].symbol)), [])

    def _named(self, account: Account, list_client_id: str) -> list[list[Order]]:
        """The lists that ever had this id, the oldest first."""
        return [
            self._legs(order)
            for order in self.exchange.orders.values()
            if order.account == account.name
            and order.list_client_order_id == list_client_id
            and order.order_id == order_wire.list_id(order)
        ]

    def _legs(self, order: Order) -> list[Order]:
        assert order.sibling is not None
        return sorted((order, self.exchange.orders[order.sibling]), key=lambda leg: leg.order_id)

    def _symbol(self, parameters: Parameters) -> str:
        symbol = parameters.text("symbol")
        if symbol not in self.exchange.markets:
            raise BinanceError(*INVALID_SYMBOL)
        return symbol
