"""What an account may ask of OKX about itself: orders, fills, balances, positions, and its settings.

Invariant: only what belongs to the account it is handed; a page is newest first, ``after`` an id older than it and
``before`` an id newer than it, and with ``before`` alone it is still the newest rows that come.
"""

from collections.abc import Callable
from dataclasses import dataclass

from algotrendy_common.clock import Clock, to_ms
from algotrendy_common.enums import MarginMode
from algotrendy_common.errors import Refused

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Fill, Order
from algotrendy_simulator.venues.okx import order_wire
from algotrendy_simulator.venues.okx.algos import LIVE, Algo, algo_of, is_leg, is_ordinary
from algotrendy_simulator.venues.okx.parameters import Parameters
from algotrendy_simulator.venues.okx.products import SWAP, Products, id_of, kind_of
from algotrendy_simulator.venues.okx.refusals import OkxError, from_refusal, no_such_algo, no_such_order, parameter
from algotrendy_simulator.venues.okx.trading_operations import TradingOperations
from algotrendy_simulator.venues.okx.wire import Json


@dataclass(frozen=True, slots=True)
class AccountOperations:
    exchange: Exchange
    products: Products
    trading: TradingOperations
    clock: Clock

    # -- orders ------------------------------------------------------------------------------------------------

    def order(self, account: Account, parameters: Parameters) -> list[Json]:
        found = self.trading.named(account, parameters)
        if found is None:
            raise no_such_order()
        return [self.shown(account, found)]

    def open_orders(self, account: Account, parameters: Parameters) -> list[Json]:
        return self._orders(account, parameters, lambda order: order.status.open)

    def closed_orders(self, account: Account, parameters: Parameters) -> list[Json]:
        parameters.text("instType")
        return self._orders(account, parameters, lambda order: not order.status.open)

    def algo(self, account: Account, parameters: Parameters) -> list[Json]:
        found = self.trading.named_algo(account, parameters)
        if found is None:
            raise no_such_algo()
        return [self.shown_algo(account, found)]

    def open_algos(self, account: Account, parameters: Parameters) -> list[Json]:
        return self._algos(account, parameters, lambda algo: algo.state == LIVE)

    def closed_algos(self, account: Account, parameters: Parameters) -> list[Json]:
        state = parameters.optional("state")
        if state is None and parameters.optional("algoId") is None:
            raise OkxError(50014, "Parameter state can not be empty.", 400)
        return self._algos(account, parameters, lambda algo: algo.state != LIVE and state in (None, algo.state))

    def fills(self, account: Account, parameters: Parameters) -> list[Json]:
        order_id = parameters.optional("ordId")
        wanted = self._wanted(parameters)
        begin, end = parameters.integer("begin") or 0, parameters.integer("end")
        rows = [
            self._fill(fill, number)
            for number, fill in enumerate(self.exchange.fills, 1)
            if fill.account == account.name
            and wanted(self.products.of_engine(fill.symbol))
            and order_id in (None, str(fill.order_id))
            and begin <= fill.time_ms
            and (end is None or fill.time_ms <= end)
        ]
        return _page(rows, parameters, "billId")

    # -- the account -------------------------------------------------------------------------------------------

    def balance(self, account: Account, parameters: Parameters) -> list[Json]:
        asked = parameters.optional("ccy")
        return [order_wire.balance(account, self._now_ms(), asked.split(",") if asked else None)]

    def positions(self, account: Account, parameters: Parameters) -> list[Json]:
        wanted = self._wanted(parameters)
        return [
            order_wire.position(market, held, self._now_ms())
            for held in self.exchange.positions(account)
            if wanted(market := self.products.of_engine(held.symbol))
        ]

    def configuration(self, account: Account, parameters: Parameters) -> list[Json]:
        return [
            {
                "acctLv": "2",
                "autoLoan": False,
                "ctIsoMode": "automatic",
                "enableSpotBorrow": False,
                "greeksType": "PA",
                "ip": "",
                "kycLv": "3",
                "label": "simulated",
                "level": "Lv1",
                "mainUid": "1",
                "opAuth": "0",
                "perm": "read_only,trade,withdraw" if account.may_withdraw else "read_only,trade",
                "posMode": "net_mode",
                "roleType": "0",
                "stpMode": "cancel_maker",
                "type": "0",
                "uid": "1",
            }
        ]

    def fees(self, account: Account, parameters: Parameters) -> list[Json]:
        kind = parameters.text("instType")
        listed = self.products.all(kind)
        if not listed:
            return []
        found = listed[0].instrument
        rates = {"maker": str(-found.maker_fee), "taker": str(-found.taker_fee)}
        swap = kind == SWAP
        return [
            {
                "category": "1",
                "delivery": "",
                "exercise": "",
                "instType": kind,
                "level": "Lv1",
                "maker": "" if swap else rates["maker"],
                "makerU": rates["maker"] if swap else "",
                "makerUSDC": "",
                "taker": "" if swap else rates["taker"],
                "takerU": rates["taker"] if swap else "",
                "takerUSDC": "",
                "ts": str(self._now_ms()),
            }
        ]

    def leverage(self, account: Account, parameters: Parameters) -> list[Json]:
        mode = parameters.text("mgnMode")
        return [self._leverage(account, market, mode) for market in self._swaps(parameters)]

    def set_leverage(self, account: Account, asked: list[Parameters]) -> list[Json]:
        (parameters, *_) = asked
        mode, leverage = parameters.text("mgnMode"), parameters.decimal("lever")
        if mode not in ("cross", "isolated") or leverage is None:
            raise parameter("mgnMode")
        (market, *_) = self._swaps(parameters)
        try:
            self.exchange.set_leverage(account, market.wire_symbol, leverage, MarginMode(mode))
        except Refused as refused:
            error = from_refusal(refused)
            raise OkxError(int(error.code), error.message) from refused
        return [self._leverage(account, market, mode)]

    def set_position_mode(self, account: Account, asked: list[Parameters]) -> list[Json]:
        if asked[0].text("posMode") != "net_mode":
            raise OkxError(59000, "Setting failed: long/short mode is not simulated")
        return [{"posMode": "net_mode"}]

    # -- shown -------------------------------------------------------------------------------------------------

    def shown(self, account: Account, order: Order, last: Fill | None = None) -> Json:
        market = self.products.of_engine(order.symbol)
        leverage, mode = self.exchange.margin_settings(account, order.symbol)
        algo = algo_of(order, self.exchange.orders) if is_leg(order) else None
        fills = self.exchange.fills_of_order(order.order_id)
        return order_wire.order(market, order, fills, mode, leverage, algo, last)

    def shown_algo(self, account: Account, algo: Algo) -> Json:
        _, mode = self.exchange.margin_settings(account, algo.head.symbol)
        return order_wire.algo(self.products.of_engine(algo.head.symbol), algo, mode)

    def _fill(self, fill: Fill, bill_id: int) -> Json:
        order = self.exchange.orders[fill.order_id]
        algo = algo_of(order, self.exchange.orders) if is_leg(order) else None
        return order_wire.fill(self.products.of_engine(fill.symbol), fill, bill_id, order, algo)

    def _orders(self, account: Account, parameters: Parameters, of_state: Callable[[Order], bool]) -> list[Json]:
        wanted = self._wanted(parameters)
        rows = [
            self.shown(account, order)
            for order in self.exchange.orders.values()
            if order.account == account.name
            and of_state(order)
            and wanted(self.products.of_engine(order.symbol))
            and is_ordinary(order, self.exchange.orders)
        ]
        kind = parameters.optional("ordType")
        return _page([row for row in rows if kind is None or row["ordType"] in kind.split(",")], parameters, "ordId")

    def _algos(self, account: Account, parameters: Parameters, of_state: Callable[[Algo], bool]) -> list[Json]:
        kinds = parameters.text("ordType").split(",")
        wanted = self._wanted(parameters)
        rows = [
            self.shown_algo(account, algo)
            for algo in self.trading.algos(account)
            if of_state(algo)
            and algo.kind in kinds
            and wanted(self.products.of_engine(algo.head.symbol))
            and parameters.optional("algoId") in (None, algo.algo_id)
        ]
        return _page(rows, parameters, "algoId")

    def _wanted(self, parameters: Parameters) -> Callable[[Market], bool]:
        kind, name = parameters.optional("instType"), parameters.optional("instId")
        return lambda market: kind in (None, kind_of(market)) and name in (None, id_of(market))

    def _swaps(self, parameters: Parameters) -> list[Market]:
        markets = [self.products.market(name) for name in parameters.text("instId").split(",")]
        if any(kind_of(market) != SWAP for market in markets):
            raise OkxError(51010, "Request unsupported under current account mode")
        return markets

    def _leverage(self, account: Account, market: Market, mode: str) -> Json:
        leverage, _ = self.exchange.margin_settings(account, market.wire_symbol)
        return {"instId": id_of(market), "lever": str(leverage), "mgnMode": mode, "posSide": "net", "ccy": ""}

    def _now_ms(self) -> int:
        return to_ms(self.clock.now())


def _page(rows: list[Json], parameters: Parameters, key: str) -> list[Json]:
    older, newer = parameters.integer("after"), parameters.integer("before")
    found = [
        row for row in rows if (older is None or int(row[key]) < older) and (newer is None or int(row[key]) > newer)
    ]
    return sorted(found, key=lambda row: -int(row[key]))[: parameters.limit()]
