"""How an account's orders come into being, change and end at OKX. The call's elements in, their outcomes out.

Invariant: an operation acts for the account it is handed and no other; each element of a call has an outcome of its
own, ``sCode`` zero where it was taken.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from algotrendy_common.clock import Clock, to_ms
from algotrendy_common.errors import Refused
from algotrendy_common.ids import new_id

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.orders import Order
from algotrendy_simulator.venues.okx.algos import LIVE, Algo, algo_of, algos, is_leg, is_ordinary
from algotrendy_simulator.venues.okx.order_request import algo_request, client_id, order_request
from algotrendy_simulator.venues.okx.parameters import Parameters
from algotrendy_simulator.venues.okx.products import Products, contract_value
from algotrendy_simulator.venues.okx.refusals import (
    OkxError,
    OrderError,
    from_refusal,
    no_such_instrument,
    not_cancellable,
    parameter,
)
from algotrendy_simulator.venues.okx.wire import Json

BATCH = 20
ALGO_BATCH = 10
DEAD_MAN_S = range(10, 121)


@dataclass(frozen=True, slots=True)
class TradingOperations:
    exchange: Exchange
    products: Products
    clock: Clock

    def place(self, account: Account, asked: list[Parameters]) -> list[Json]:
        return [self._place(account, one) for one in asked[:BATCH]]

    def place_algo(self, account: Account, asked: list[Parameters]) -> list[Json]:
        return [self._place_algo(account, one) for one in asked[:1]]

    def amend(self, account: Account, asked: list[Parameters]) -> list[Json]:
        return [self._acted(one, partial(self._amend, account, one)) for one in asked[:BATCH]]

    def cancel(self, account: Account, asked: list[Parameters]) -> list[Json]:
        return [self._acted(one, partial(self._cancel, account, one)) for one in asked[:BATCH]]

    def cancel_algos(self, account: Account, asked: list[Parameters]) -> list[Json]:
        return [self._cancel_algo(account, one) for one in asked[:ALGO_BATCH]]

    def cancel_all_after(self, account: Account, asked: list[Parameters]) -> list[Json]:
        """The dead-man's switch: 0 disarms, else 10 to 120 seconds."""
        seconds = asked[0].integer("timeOut")
        if seconds is None or (seconds and seconds not in DEAD_MAN_S):
            raise parameter("timeOut")
        armed_ms = self.exchange.arm_dead_man(account, seconds * 1000)
        return [{"triggerTime": str(armed_ms or 0), "tag": "", "ts": str(self._now_ms())}]

    def named(self, account: Account, parameters: Parameters) -> Order | None:
        """The ordinary order of an ``ordId`` or ``clOrdId``."""
        market = self.products.market(parameters.text("instId"))
        order_id, own_id = parameters.optional("ordId"), parameters.optional("clOrdId")
        if order_id is None and own_id is None:
            raise OkxError(51000, "Either parameter ordId or clOrdId is required", 400)
        if order_id is not None and not order_id.isdecimal():
            raise parameter("ordId")
        number = None if order_id is None else int(order_id)
        found = self.exchange.find_order(account, market.wire_symbol, number, own_id)
        if found is None or not is_ordinary(found, self.exchange.orders):
            return None
        # What an algo order has made has no client id of its own.
        return None if number is None and is_leg(found) else found

    def named_algo(self, account: Account, parameters: Parameters) -> Algo | None:
        """The algo order of an ``algoId`` or, the newest one, of an ``algoClOrdId``."""
        algo_id, own_id = parameters.optional("algoId"), parameters.optional("algoClOrdId")
        if algo_id is None and own_id is None:
            raise OkxError(51000, "Either parameter algoId or algoClOrdId is required", 400)
        for algo in reversed(self.algos(account)):
            if algo_id in (None, algo.algo_id) and own_id in (None, algo.head.client_order_id):
                return algo
        return None

    def algos(self, account: Account) -> list[Algo]:
        orders = self.exchange.orders
        return algos((order for order in orders.values() if order.account == account.name), orders)

    def _place(self, account: Account, asked: Parameters) -> Json:
        own_id = asked.optional("clOrdId") or ""
        outcome: Json = {"clOrdId": own_id, "ordId": "", "tag": asked.optional("tag") or "", "ts": str(self._now_ms())}
        try:
            market = self.products.find(asked.text("instId"))
            if market is None:
                raise _in_order(no_such_instrument())
            request = order_request(asked, market, client_id(asked, "clOrdId") or new_id())
            try:
                order = self.exchange.place(account, request)
            except Refused as refused:
                if refused.code != "would_take":
                    raise from_refusal(refused) from refused
                # OKX takes such an order and ends it at once; here it never comes to be, and nothing is traded alike.
                raise OrderError(51000, "Parameter px error: a post-only order would take") from refused
        except OrderError as error:
            return outcome | {"sCode": error.code, "sMsg": error.message}
        return outcome | {"ordId": str(order.order_id), "sCode": "0", "sMsg": ""}

    def _place_algo(self, account: Account, asked: Parameters) -> Json:
        outcome: Json = {
            "algoId": "", "algoClOrdId": asked.optional("algoClOrdId") or "", "clOrdId": "",
            "tag": asked.optional("tag") or "",
        }  # fmt: skip
        try:
            market = self.products.find(asked.text("instId"))
            if market is None:
                raise _in_order(no_such_instrument())
            request = algo_request(asked, market, client_id(asked, "algoClOrdId") or new_id())
            order = _or_refused(lambda: self.exchange.place(account, request))
        except OrderError as error:
            return outcome | {"sCode": error.code, "sMsg": error.message}
        found = algo_of(order, self.exchange.orders)
        return outcome | {"algoId": found.algo_id, "sCode": "0", "sMsg": ""}

    def _acted(self, asked: Parameters, act: Callable[[], Order]) -> Json:
        outcome: Json = {
            "clOrdId": asked.optional("clOrdId") or "", "ordId": asked.optional("ordId") or "",
            "reqId": asked.optional("reqId") or "", "ts": str(self._now_ms()),
        }  # fmt: skip
        try:
            order = act()
        except OrderError as error:
            return outcome | {"sCode": error.code, "sMsg": error.message}
        return outcome | {"ordId": str(order.order_id), "sCode": "0", "sMsg": ""}

    def _amend(self, account: Account, asked: Parameters) -> Order:
        order = self.named(account, asked)
        if order is None or not order.status.open:
            raise OrderError(
                51503, "Order modification failed as the order has been filled, canceled or does not exist."
            )
        size, price = asked.decimal("newSz"), asked.decimal("newPx")
        if size is None and price is None:
            raise OrderError(51000, "Parameter newSz error")
        market = self.products.of_engine(order.symbol)
        quantity = None if size is None else size * contract_value(market)
        return _or_refused(lambda: self.exchange.amend(account, order, quantity, price))

    def _cancel(self, account: Account, asked: Parameters) -> Order:
        order = self.named(account, asked)
        if order is None or not order.status.open:
            raise not_cancellable()
        return _or_refused(lambda: self.exchange.cancel(account, order))

    def _cancel_algo(self, account: Account, asked: Parameters) -> Json:
        found = self.named_algo(account, asked)
        outcome: Json = {"algoId": asked.optional("algoId") or "", "algoClOrdId": asked.optional("algoClOrdId") or ""}
        if found is None or found.state != LIVE:
            error = not_cancellable()
            return outcome | {"sCode": error.code, "sMsg": error.message}
        self.exchange.cancel(account, next(leg for leg in found.legs if leg.status.open))
        return outcome | {"algoId": found.algo_id, "sCode": "0", "sMsg": ""}

    def _now_ms(self) -> int:
        return to_ms(self.clock.now())


def _in_order(error: OkxError) -> OrderError:
    return OrderError(int(error.code), error.message)


def _or_refused[T](action: Callable[[], T]) -> T:
    try:
        return action()
    except Refused as refused:
        raise from_refusal(refused) from refused
