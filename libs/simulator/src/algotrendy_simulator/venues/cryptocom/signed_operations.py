"""What an account may do at Crypto.com: its orders, trades and balances. Account and parameters in, the result out.

Invariant: an operation acts for the account it is handed and no other.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from algotrendy_common.clock import Clock, to_ms
from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.errors import Refused
from algotrendy_common.ids import new_id
from algotrendy_common.money import plain

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Order, OrderRequest
from algotrendy_simulator.venues.cryptocom import wire
from algotrendy_simulator.venues.cryptocom.public_operations import Instruments
from algotrendy_simulator.venues.cryptocom.refusals import (
    INVALID_ORDER_ID,
    INVALID_PRICE,
    INVALID_QUANTITY,
    INVALID_REFERENCE_PRICE,
    INVALID_SIDE,
    INVALID_TIME_IN_FORCE,
    INVALID_TYPE,
    NO_ACTIVE_ORDER,
    NOT_FOUND,
    CryptocomError,
    from_refusal,
    malformed,
)
from algotrendy_simulator.venues.cryptocom.requests import Parameters
from algotrendy_simulator.venues.cryptocom.wire import DAY_MS, Json

_CLIENT_ID = re.compile(r"^[\x21-\x7e]{1,36}$")
_TYPES = {name: type_ for type_, name in wire.ORDER_TYPES.items()}
_TIMES_IN_FORCE = {name: in_force for in_force, name in wire.TIMES_IN_FORCE.items()}
_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}


@dataclass(frozen=True, slots=True)
class SignedOperations:
    exchange: Exchange
    instruments: Instruments
    clock: Clock

    def place(self, account: Account, parameters: Parameters) -> Json:
        request = self._request(parameters)
        return _acknowledged(_or_refused(lambda: self.exchange.place(account, request)))

    def amend(self, account: Account, parameters: Parameters) -> Json:
        order = self._found(account, parameters, "orig_client_oid")
        quantity, price = parameters.decimal("new_quantity"), parameters.decimal("new_price")
        if order is None:
            raise CryptocomError(*INVALID_ORDER_ID)
        return _acknowledged(_or_refused(lambda: self.exchange.amend(account, order, quantity, price)))

    def cancel(self, account: Account, parameters: Parameters) -> Json:
        order = self._found(account, parameters)
        if order is None:
            raise CryptocomError(*INVALID_ORDER_ID)
        return _acknowledged(_or_refused(lambda: self.exchange.cancel(account, order)))

    def cancel_all(self, account: Account, parameters: Parameters) -> None:
        """It says nothing of what was cancelled."""
        wanted = parameters.optional("type") or "ALL"
        for order in self._open(account, parameters):
            if order.status.open and (wanted == "ALL" or (wanted == "TRIGGER") is order.waiting):
                self.exchange.cancel(account, order)

    def detail(self, account: Account, parameters: Parameters) -> Json:
        order = self._found(account, parameters)
        if order is None:
            raise CryptocomError(*NOT_FOUND)
        return self._shown(order)

    def open_orders(self, account: Account, parameters: Parameters) -> Json:
        return {"data": [self._shown(order) for order in self._open(account, parameters)]}

    def order_history(self, account: Account, parameters: Parameters) -> Json:
        begin_ms, end_ms = self._range(parameters)
        market = self._market(parameters)
        found = [
            self._shown(order)
            for order in reversed(self.exchange.orders.values())
            if order.account == account.name
            and begin_ms <= order.created_ms < end_ms
            and self._wanted(order.symbol, market)
        ]
        return {"data": found[: parameters.limit("limit", 100)]}

    def trades(self, account: Account, parameters: Parameters) -> Json:
        """Newest first; without a range the last day's."""
        begin_ms, end_ms = self._range(parameters)
        market = self._market(parameters)
        found = []
        for fill in reversed(self.exchange.fills):
            of = self.instruments.of_engine(fill.symbol)
            inside = begin_ms <= fill.time_ms < end_ms and self._wanted(fill.symbol, market)
            if of is not None and inside and fill.account == account.name:
                found.append(wire.own_trade(of, fill, self.exchange.orders[fill.order_id].client_order_id))
        return {"data": found[: parameters.limit("limit", 100)]}

    def balance(self, account: Account, parameters: Parameters) -> Json:
        return {"data": [wire.balances(account)]}

    def fee_rates(self, account: Account, parameters: Parameters) -> Json:
        """In hundredths of a percent, the same for all pairs: of the first one here."""
        instrument = next(iter(self.instruments.by_name.values())).instrument
        return {
            "spot_tier": "1",
            "deriv_tier": "1",
            "effective_spot_maker_rate_bps": plain(instrument.maker_fee * 10_000),
            "effective_spot_taker_rate_bps": plain(instrument.taker_fee * 10_000),
        }

    def positions(self, account: Account, parameters: Parameters) -> Json:
        return {"data": []}

    def currency_networks(self, account: Account, parameters: Parameters) -> Json:
        assets = dict.fromkeys(
            asset
            for market in self.instruments.by_name.values()
            for asset in (market.instrument.base, market.instrument.quote)
        )
        shown: Json = {asset: {"full_name": asset, "default_network": None, "network_list": []} for asset in assets}
        return {"update_time": to_ms(self.clock.now()), "currency_map": shown}

    def _request(self, parameters: Parameters) -> OrderRequest:
        market = self.instruments.named(parameters.text("instrument_name"))
        side, type_ = _SIDES.get(parameters.text("side")), _TYPES.get(parameters.text("type"))
        if side is None:
            raise CryptocomError(*INVALID_SIDE)
        if type_ is None:
            raise CryptocomError(*INVALID_TYPE)
        own_id = parameters.optional("client_oid") or new_id()
        if not _CLIENT_ID.fullmatch(own_id):
            raise malformed("client_oid")
        in_force = _TIMES_IN_FORCE.get(parameters.optional("time_in_force") or "GOOD_TILL_CANCEL")
        if in_force is None:
            raise CryptocomError(*INVALID_TIME_IN_FORCE)
        if "POST_ONLY" in parameters.words("exec_inst"):
            if in_force is not TimeInForce.GTC:
                raise CryptocomError(43005, "POST_ONLY_REJ", 500)
            in_force = TimeInForce.POST_ONLY
        quantity, price = parameters.decimal("quantity"), parameters.decimal("price")
        notional = parameters.decimal("notional") if type_ is OrderType.MARKET and side is Side.BUY else None
        if (quantity is None) is (notional is None):
            raise CryptocomError(*INVALID_QUANTITY)
        if type_.priced is (price is None):
            raise CryptocomError(*INVALID_PRICE)
        reference = parameters.decimal("ref_price")
        if type_.triggered is (reference is None):
            raise CryptocomError(*INVALID_REFERENCE_PRICE)
        return OrderRequest(
            own_id,
            market.wire_symbol,
            side,
            type_,
            in_force if type_.priced else TimeInForce.IOC,
            quantity=quantity,
            limit_price=price,
            quote_quantity=notional,
            trigger_price=reference,
        )

    def _found(self, account: Account, parameters: Parameters, client_name: str = "client_oid") -> Order | None:
        order_id, own_id = parameters.optional("order_id"), parameters.optional(client_name)
        if order_id is None and own_id is None:
            raise malformed("order_id")
        for order in reversed(self.exchange.orders.values()):
            same = str(order.order_id) == order_id if order_id is not None else order.client_order_id == own_id
            if same and order.account == account.name:
                return order
        return None

    def _open(self, account: Account, parameters: Parameters) -> list[Order]:
        market = self._market(parameters)
        return [order for order in self.exchange.open_orders(account) if self._wanted(order.symbol, market)]

    def _market(self, parameters: Parameters) -> Market | None:
        name = parameters.optional("instrument_name")
        return None if name is None else self.instruments.named(name)

    def _wanted(self, symbol: str, market: Market | None) -> bool:
        return self.instruments.of_engine(symbol) is not None and (market is None or market.wire_symbol == symbol)

    def _range(self, parameters: Parameters) -> tuple[int, int]:
        """``start_time`` (with it) to ``end_time`` (without), in milliseconds or nanoseconds."""
        end_ms = _milliseconds(parameters.integer("end_time"), to_ms(self.clock.now()) + 1)
        return _milliseconds(parameters.integer("start_time"), end_ms - DAY_MS), end_ms

    def _shown(self, order: Order) -> Json:
        market = self.instruments.of_engine(order.symbol)
        if market is None:
            raise CryptocomError(*NO_ACTIVE_ORDER)
        return wire.order(market, order, self.exchange.fills_of_order(order.order_id))


def _milliseconds(time: int | None, otherwise_ms: int) -> int:
    if time is None:
        return otherwise_ms
    return time // 1_000_000 if time > 10**16 else time


def _acknowledged(order: Order) -> Json:
    """All that Crypto.com says of an order that it took: what became of it is to be asked or heard."""
    return {"client_oid": order.client_order_id, "order_id": str(order.order_id)}


def _or_refused[T](action: Callable[[], T]) -> T:
    try:
        return action()
    except Refused as refused:
        raise from_refusal(refused) from refused
