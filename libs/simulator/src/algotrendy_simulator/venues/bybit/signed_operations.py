"""What an account may do at Bybit: its orders, executions, positions and wallet. Parameters in, the ``result`` out.

Invariant: an operation acts for the account it is handed and no other; an ``orderLinkId`` names one order for ever.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

from algotrendy_common.clock import Clock, to_ms
from algotrendy_common.enums import MarginMode
from algotrendy_common.errors import Refused
from algotrendy_common.ids import new_id
from algotrendy_common.money import plain

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Order
from algotrendy_simulator.venues.bybit import order_wire
from algotrendy_simulator.venues.bybit.order_request import client_id, order_request
from algotrendy_simulator.venues.bybit.parameters import Parameters
from algotrendy_simulator.venues.bybit.products import LINEAR, Products, category_of, symbol_of
from algotrendy_simulator.venues.bybit.refusals import (
    SPOT,
    BybitError,
    duplicate_id,
    from_refusal,
    invalid,
    no_such_order,
)
from algotrendy_simulator.venues.bybit.wire import Json

WEEK_MS = 7 * 86_400_000
DEFAULT_WINDOW_S = 10
PRODUCTS = {"SPOT": SPOT, "DERIVATIVES": LINEAR, "OPTIONS": "option"}


@dataclass(frozen=True, slots=True)
class SignedOperations:
    exchange: Exchange
    products: Products
    clock: Clock
    windows_s: dict[tuple[str, str], int] = field(default_factory=dict)
    """Account and category: seconds from a lost connection until its orders are cancelled."""

    def place(self, account: Account, parameters: Parameters) -> Json:
        category = parameters.category()
        market = self.products.market(category, parameters.text("symbol"))
        own_id = client_id(parameters)
        if own_id is not None and self.exchange.find_order(account, market.wire_symbol, None, own_id) is not None:
            raise duplicate_id(category)
        request = order_request(parameters, market, own_id or new_id())
        order = _or_refused(lambda: self.exchange.place(account, request), category)
        return _acknowledged(order)

    def amend(self, account: Account, parameters: Parameters) -> Json:
        category = parameters.category()
        order = self._working(account, parameters, category)
        quantity, price, trigger = (parameters.decimal(name) for name in ("qty", "price", "triggerPrice"))
        if quantity is None and price is None and trigger is None:
            raise invalid("nothing is to be changed")
        _or_refused(lambda: self.exchange.amend(account, order, quantity, price, trigger), category)
        return _acknowledged(order)

    def cancel(self, account: Account, parameters: Parameters) -> Json:
        category = parameters.category()
        order = self._working(account, parameters, category)
        # A conditional spot order is found only by those who say that it is one.
        if category == SPOT and (parameters.optional("orderFilter") or "Order") != _filter_of(order):
            raise no_such_order(category)
        _or_refused(lambda: self.exchange.cancel(account, order), category)
        return _acknowledged(order)

    def cancel_all(self, account: Account, parameters: Parameters) -> Json:
        category = parameters.category()
        if category != SPOT and not any(parameters.optional(name) for name in ("symbol", "baseCoin", "settleCoin")):
            raise invalid("symbol, baseCoin or settleCoin is required")
        wanted = parameters.optional("orderFilter") or ("Order" if category == SPOT else None)
        cancelled = []
        for order in self._of_category(account, parameters, category, self.exchange.open_orders(account)):
            if order.status.open and (wanted is None or _filter_of(order) == wanted):
                self.exchange.cancel(account, order)
                cancelled.append(_acknowledged(order))
        return {"list": cancelled, "success": "1"}

    def open_orders(self, account: Account, parameters: Parameters) -> Json:
        """``order/realtime``: what is open; by id also what has lately been closed. Newest first."""
        category = parameters.category()
        if any(parameters.optional(name) for name in ("orderId", "orderLinkId")):
            found = self._named(account, parameters, category)
        else:
            if category != SPOT and not any(parameters.optional(name) for name in ("symbol", "baseCoin", "settleCoin")):
                raise BybitError(181001, "category only support linear or option with symbol or settleCoin")
            orders = self.exchange.open_orders(account)
            found = self._of_category(account, parameters, category, orders)
        return self._page([self._order(order) for order in found[::-1]], parameters, 20, 50)

    def closed_orders(self, account: Account, parameters: Parameters) -> Json:
        """``order/history``: what is closed. Newest first."""
        category = parameters.category()
        named = any(parameters.optional(name) for name in ("orderId", "orderLinkId"))
        orders = list(self.exchange.orders.values())
        found = (
            self._named(account, parameters, category)
            if named
            else self._of_category(account, parameters, category, orders)
        )
        closed = [self._order(order) for order in found[::-1] if not order.status.open]
        return self._page(closed, parameters, 20, 50)

    def executions(self, account: Account, parameters: Parameters) -> Json:
        """Newest first, of seven days at most: the last ones, or the ones after ``startTime``."""
        category = parameters.category()
        begin, end = parameters.integer("startTime"), parameters.integer("endTime")
        now_ms = self._now_ms()
        if begin is None:
            begin = (now_ms if end is None else end) - WEEK_MS
        if end is None:
            end = begin + WEEK_MS
        if end - begin > WEEK_MS:
            raise invalid("the time range must not be more than seven days")
        order_id, own_id = parameters.optional("orderId"), parameters.optional("orderLinkId")
        symbol = parameters.optional("symbol")
        market = None if symbol is None else self.products.market(category, symbol)
        found = [
            fill
            for fill in self.exchange.fills
            if fill.account == account.name
            and begin <= fill.time_ms <= end
            and category_of(self.products.of_engine(fill.symbol)) == category
            and (market is None or fill.symbol == market.wire_symbol)
            and (order_id is None or str(fill.order_id) == order_id)
            and (own_id is None or self.exchange.orders[fill.order_id].client_order_id == own_id)
        ]
        rows = [
            order_wire.execution(self.products.of_engine(fill.symbol), fill, self.exchange.orders[fill.order_id])
            for fill in found[::-1]
        ]
        return self._page(rows, parameters, 50, 100)

    def positions(self, account: Account, parameters: Parameters) -> Json:
        category = parameters.category()
        symbol = parameters.optional("symbol")
        if symbol is None and parameters.optional("settleCoin") is None:
            raise invalid("symbol or settleCoin is required")
        wanted = None if symbol is None else self.products.market(category, symbol).wire_symbol
        held = [
            order_wire.position(self.products.of_engine(found.symbol), found, self._now_ms())
            for found in self.exchange.positions(account)
            if wanted is None or found.symbol == wanted
        ]
        return {"category": category, "list": held if category == LINEAR else [], "nextPageCursor": ""}

    def set_leverage(self, account: Account, parameters: Parameters) -> Json:
        category = parameters.category()
        market = self.products.market(category, parameters.text("symbol"))
        leverage = parameters.decimal("buyLeverage")
        if category != LINEAR or leverage is None or leverage != parameters.decimal("sellLeverage"):
            raise invalid("buyLeverage must equal sellLeverage")
        before, _ = self.exchange.margin_settings(account, market.wire_symbol)
        if before == leverage:
            raise BybitError(110043, "leverage not modified")
        _or_refused(
            lambda: self.exchange.set_leverage(account, market.wire_symbol, leverage, MarginMode.CROSS), category
        )
        return {}

    def set_disconnection_window(self, account: Account, parameters: Parameters) -> Json:
        window = parameters.integer("timeWindow")
        category = PRODUCTS.get(parameters.optional("product") or "OPTIONS")
        if window is None or not 3 <= window <= 300 or category is None:
            raise invalid("timeWindow or product")
        self.windows_s[account.name, category] = window
        return {}

    def disconnection_windows(self, account: Account, parameters: Parameters) -> Json:
        """Bybit's people turn the protection on for an account; here it is on."""
        rows = [
            {
                "product": product,
                "dcpStatus": "ON",
                "timeWindow": str(self.windows_s.get((account.name, category), DEFAULT_WINDOW_S)),
            }
            for product, category in PRODUCTS.items()
        ]
        return {"dcpInfos": rows}

    def wallet(self, account: Account, parameters: Parameters) -> Json:
        if parameters.text("accountType") != "UNIFIED":
            raise BybitError(10001, "accountType only support UNIFIED.")
        asked = parameters.optional("coin")
        return {"list": [order_wire.wallet(account, asked.split(",") if asked else None)]}

    def key_information(self, account: Account, parameters: Parameters) -> Json:
        return {
            "id": "1",
            "note": "simulated",
            "apiKey": account.key,
            "readOnly": 0,
            "secret": "",
            "permissions": {
                "ContractTrade": ["Order", "Position"],
                "Spot": ["SpotTrade"],
                "Wallet": ["Withdraw"] if account.may_withdraw else [],
                "Options": [],
            },
            "ips": ["*"],
            "type": 1,
            "unified": 0,
            "uta": 1,
            "userID": 1,
            "isMaster": True,
        }  # fmt: skip

    def fee_rates(self, account: Account, parameters: Parameters) -> Json:
        symbol = parameters.optional("symbol")
        category = parameters.category()
        asked = self.products.all(category) if symbol is None else [self.products.market(category, symbol)]
        rows = [
            {
                "symbol": symbol_of(market),
                "baseCoin": "",
                "takerFeeRate": plain(market.instrument.taker_fee),
                "makerFeeRate": plain(market.instrument.maker_fee),
            }
            for market in asked
        ]
        return {"category": category, "list": rows}

    def account_information(self, account: Account, parameters: Parameters) -> Json:
        return {"marginMode": "REGULAR_MARGIN", "updatedTime": "0", "unifiedMarginStatus": 6, "dcpStatus": "ON"}

    def coins(self, account: Account, parameters: Parameters) -> Json:
        assets = dict.fromkeys(
            asset
            for market in self.exchange.markets.values()
            for asset in (market.instrument.base, market.instrument.quote)
        )
        return {"rows": [{"name": asset, "coin": asset, "remainAmount": "0", "chains": []} for asset in assets]}

    def _working(self, account: Account, parameters: Parameters, category: str) -> Order:
        found = self._named(account, parameters, category)
        if not found or not found[0].status.open:
            raise no_such_order(category)
        return found[0]

    def _named(self, account: Account, parameters: Parameters, category: str) -> list[Order]:
        order_id, own_id = parameters.optional("orderId"), parameters.optional("orderLinkId")
        if order_id is None and own_id is None:
            raise invalid("orderId or orderLinkId is required")
        orders = list(self.exchange.orders.values())
        return [
            order
            for order in self._of_category(account, parameters, category, orders)
            if (order_id is None or str(order.order_id) == order_id)
            and (own_id is None or order.client_order_id == own_id)
        ]

    def _of_category(self, account: Account, parameters: Parameters, category: str, orders: list[Order]) -> list[Order]:
        symbol = parameters.optional("symbol")
        market: Market | None = None if symbol is None else self.products.market(category, symbol)
        return [
            order
            for order in orders
            if order.account == account.name
            and category_of(self.products.of_engine(order.symbol)) == category
            and (market is None or order.symbol == market.wire_symbol)
        ]

    def _order(self, order: Order) -> Json:
        market = self.products.of_engine(order.symbol)
        return order_wire.order(market, order, self.exchange.fills_of_order(order.order_id))

    def _page(self, rows: list[Json], parameters: Parameters, default: int, most: int) -> Json:
        """A page and the cursor of the next one, which clients send back percent-encoded once more."""
        cursor = parameters.optional("cursor") or "0"
        if not cursor.isdigit():
            raise invalid("cursor")
        begin, count = int(cursor), parameters.limit(default, most)
        more = len(rows) > begin + count
        return {
            "category": parameters.category(),
            "list": rows[begin : begin + count],
            "nextPageCursor": quote(str(begin + count)) if more else "",
        }

    def _now_ms(self) -> int:
        return to_ms(self.clock.now())


def _filter_of(order: Order) -> str:
    return "StopOrder" if order.waiting else "Order"


def _acknowledged(order: Order) -> Json:
    """All that Bybit says of an order that it took: what became of it is to be asked or heard."""
    return {"orderId": str(order.order_id), "orderLinkId": order.client_order_id}


def _or_refused[T](action: Callable[[], T], category: str) -> T:
    try:
        return action()
    except Refused as refused:
        raise from_refusal(refused, category) from refused
