"""What an account may do: its orders, fills and balances. Account and parameters in, JSON out.

REST and the WebSocket API share these. Invariant: an operation acts for the account it is handed and no other.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from algotrendy_common.clock import Clock, to_ms
from algotrendy_common.enums import OrderType, TimeInForce
from algotrendy_common.ids import new_id

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.orders import Order, OrderRequest
from algotrendy_simulator.venues.binance import order_wire, wire
from algotrendy_simulator.venues.binance.limits import Limits
from algotrendy_simulator.venues.binance.order_requests import order_request
from algotrendy_simulator.venues.binance.parameters import Parameters
from algotrendy_simulator.venues.binance.refusals import (
    INVALID_SYMBOL,
    NO_SUCH_ORDER,
    UNKNOWN_ORDER,
    BinanceError,
    or_refused,
)
from algotrendy_simulator.venues.binance.wire import Json


class Response(StrEnum):
    ACK = "ACK"
    RESULT = "RESULT"
    FULL = "FULL"


@dataclass(frozen=True, slots=True)
class SignedOperations:
    exchange: Exchange
    limits: Limits
    clock: Clock

    def account(self, account: Account, parameters: Parameters) -> Json:
        instrument = next(iter(self.exchange.markets.values())).instrument
        omit_zero = parameters.optional("omitZeroBalances") == "true"
        return order_wire.account_information(account, instrument, self._now_ms(), omit_zero)

    def place(self, account: Account, parameters: Parameters) -> Json:
        self.limits.count_order()
        request = order_request(parameters, self._symbol(parameters))
        response = self._response(parameters, request)
        order = or_refused(lambda: self.exchange.place(account, request))
        return order_wire.placed_order(order, self.exchange.fills_of_order(order.order_id), response)

    def check(self, account: Account, parameters: Parameters) -> Json:
        """``order/test``: read as an order would be, and dropped."""
        request = order_request(parameters, self._symbol(parameters))
        or_refused(lambda: self.exchange.market(request.symbol))
        return {}

    def cancel(self, account: Account, parameters: Parameters) -> Json:
        order = self.find(account, parameters)
        if order is None:
            raise BinanceError(*UNKNOWN_ORDER)
        return self._cancel(account, order, parameters.optional("newClientOrderId"))

    def cancel_all(self, account: Account, parameters: Parameters) -> list[Json]:
        symbol = self._symbol(parameters)
        orders = self.exchange.open_orders(account, symbol)
        if not orders:
            raise BinanceError(*UNKNOWN_ORDER)
        return [self._cancel(account, order, None) for order in orders if order.status.open]

    def query(self, account: Account, parameters: Parameters) -> Json:
        order = self.find(account, parameters)
        if order is None:
            raise BinanceError(*NO_SUCH_ORDER)
        return order_wire.queried_order(order)

    def open_orders(self, account: Account, parameters: Parameters) -> list[Json]:
        symbol = self._symbol(parameters) if parameters.optional("symbol") else None
        return [order_wire.queried_order(order) for order in self.exchange.open_orders(account, symbol)]

    def all_orders(self, account: Account, parameters: Parameters) -> list[Json]:
        symbol = self._symbol(parameters)
        first, begin, end = (parameters.integer(name) for name in ("orderId", "startTime", "endTime"))
        found = [
            order
            for order in self.exchange.orders.values()
            if order.account == account.name
            and order.symbol == symbol
            and (first is None or order.order_id >= first)
            and (begin is None or order.created_ms >= begin)
            and (end is None or order.created_ms <= end)
        ]
        count = parameters.limit(500, 1000)
        page = found[-count:] if first is None and begin is None else found[:count]
        return [order_wire.queried_order(order) for order in page]

    def my_trades(self, account: Account, parameters: Parameters) -> list[Json]:
        symbol = self._symbol(parameters)
        names = ("orderId", "fromId", "startTime", "endTime")
        order_id, first, begin, end = (parameters.integer(name) for name in names)
        found = [
            fill
            for fill in self.exchange.fills
            if fill.account == account.name
            and fill.symbol == symbol
            and (order_id is None or fill.order_id == order_id)
            and (first is None or fill.trade_id >= first)
            and (begin is None or fill.time_ms >= begin)
            and (end is None or fill.time_ms <= end)
        ]
        count = parameters.limit(500, 1000)
        page = found[-count:] if first is None and begin is None else found[:count]
        return [order_wire.my_trade(fill, self.exchange.orders[fill.order_id]) for fill in page]

    def coins(self, account: Account, parameters: Parameters) -> list[Json]:
        """``capital/config/getall``: the assets of the listed pairs; nothing can be moved in or out."""
        instruments = [market.instrument for market in self.exchange.markets.values()]
        assets = dict.fromkeys(asset for instrument in instruments for asset in (instrument.base, instrument.quote))
        return [
            {
                "coin": asset,
                "name": asset,
                "free": wire.number(account.balance(asset).free),
                "locked": wire.number(account.balance(asset).locked),
                "freeze": "0",
                "withdrawing": "0",
                "ipoing": "0",
                "ipoable": "0",
                "storage": "0",
                "depositAllEnable": False,
                "withdrawAllEnable": False,
                "isLegalMoney": False,
                "trading": True,
                "networkList": [],
            }
            for asset in assets
        ]

    def commission(self, account: Account, parameters: Parameters) -> Json:
        instrument = self.exchange.markets[self._symbol(parameters)].instrument
        rates = {"maker": wire.number(instrument.maker_fee), "taker": wire.number(instrument.taker_fee)}
        return {"symbol": self._symbol(parameters), "standardCommission": rates | {"buyer": "0", "seller": "0"}}

    def key_rights(self, account: Account, parameters: Parameters) -> Json:
        """``account/apiRestrictions``: what the key may do."""
        return {
            "ipRestrict": False,
            "createTime": 0,
            "enableReading": True,
            "enableSpotAndMarginTrading": True,
            "enableWithdrawals": account.may_withdraw,
            "enableInternalTransfer": False,
            "enableMargin": False,
            "enableFutures": False,
            "permitsUniversalTransfer": False,
            "enableVanillaOptions": False,
        }

    def trade_fee(self, account: Account, parameters: Parameters) -> list[Json]:
        symbols = parameters.symbols() or list(self.exchange.markets)
        markets = [or_refused(partial(self.exchange.market, symbol)) for symbol in symbols]
        return [
            {
                "symbol": market.wire_symbol,
                "makerCommission": wire.number(market.instrument.maker_fee),
                "takerCommission": wire.number(market.instrument.taker_fee),
            }
            for market in markets
        ]

    def _now_ms(self) -> int:
        return to_ms(self.clock.now())

    def _symbol(self, parameters: Parameters) -> str:
        symbol = parameters.text("symbol")
        if symbol not in self.exchange.markets:
            raise BinanceError(*INVALID_SYMBOL)
        return symbol

    def find(self, account: Account, parameters: Parameters) -> Order | None:
        """By ``orderId`` or ``origClientOrderId``."""
        symbol = self._symbol(parameters)
        order_id, client_id = parameters.integer("orderId"), parameters.optional("origClientOrderId")
        if order_id is None and client_id is None:
            raise BinanceError(-1128, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
        return self.exchange.find_order(account, symbol, order_id, client_id)

    def _cancel(self, account: Account, order: Order, cancel_id: str | None) -> Json:
        cancel_id = cancel_id or new_id()
        or_refused(lambda: self.exchange.cancel(account, order, cancel_id))
        if order.sibling is None:
            return order_wire.cancelled_order(order, cancel_id)
        # Who cancels a leg cancels its list, and is answered as if it had been asked for.
        legs = sorted((order, self.exchange.orders[order.sibling]), key=lambda leg: leg.order_id)
        reports = [order_wire.cancelled_order(leg, cancel_id) for leg in legs]
        return order_wire.order_list(legs) | {"orderReports": reports}

    def _response(self, parameters: Parameters, request: OrderRequest) -> Response:
        if parameters.optional("newOrderRespType"):
            return parameters.choice("newOrderRespType", Response, -1100, "newOrderRespType")
        immediate = request.type in (OrderType.LIMIT, OrderType.MARKET)
        return Response.FULL if immediate and request.time_in_force is not TimeInForce.POST_ONLY else Response.ACK
