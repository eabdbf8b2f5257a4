"""What an account may do: its orders, fills, balances and positions. Account and parameters in, JSON out.

Invariant: an operation acts for the account it is handed and no other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from algotrendy_common.clock import Clock, to_ms
from algotrendy_common.errors import Refused
from algotrendy_common.money import ZERO

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Fill, Order
from algotrendy_simulator.venues.kraken import order_wire, wire
from algotrendy_simulator.venues.kraken.authentication import TOKEN_S, Gate
from algotrendy_simulator.venues.kraken.earn import Earn
from algotrendy_simulator.venues.kraken.identity import Pairs, asset_id, order_number, order_txid, trade_txid
from algotrendy_simulator.venues.kraken.limits import Limits
from algotrendy_simulator.venues.kraken.order_request import client_id, order_request, shown_reference
from algotrendy_simulator.venues.kraken.parameters import Parameters
from algotrendy_simulator.venues.kraken.refusals import UNKNOWN_ORDER, UNKNOWN_PAIR, KrakenError, from_refusal, invalid
from algotrendy_simulator.venues.kraken.wire import Json, volume

_PAGE = 50


@dataclass(frozen=True, slots=True)
class SignedOperations:
    exchange: Exchange
    pairs: Pairs
    earn: Earn
    gate: Gate
    limits: Limits
    clock: Clock

    def place(self, account: Account, parameters: Parameters) -> Json:
        market = self._market(parameters)
        self.limits.spend_order(account.key, market.wire_symbol, self._now_ms() / 1000)
        request = order_request(parameters, market, self._now_ms())
        if parameters.flag("validate"):
            return {"descr": {"order": "validated"}}
        order = self._or_refused(lambda: self.exchange.place(account, request))
        descr = {"order": order_wire.described(order, market)["order"]}
        return {"descr": descr, "txid": [order_txid(order.order_id)]}

    def cancel(self, account: Account, parameters: Parameters) -> Json:
        orders = [order for order in self._named(account, parameters) if order.status.open]
        if not orders:
            raise KrakenError(UNKNOWN_ORDER)
        for order in orders:
            if order.status.open:
                self._or_refused(lambda order=order: self.exchange.cancel(account, order))  # type: ignore[misc]
        return {"count": len(orders)}

    def cancel_all(self, account: Account, parameters: Parameters) -> Json:
        return {"count": len(self.exchange.cancel_all(account))}

    def cancel_all_after(self, account: Account, parameters: Parameters) -> Json:
        """The dead-man's switch; ``timeout`` in whole seconds, 0 disarms."""
        seconds = parameters.integer("timeout", -1)
        if not 0 <= seconds <= 86_400:
            raise invalid("timeout")
        ends_ms = self.exchange.arm_dead_man(account, seconds * 1000)
        trigger = "0" if ends_ms is None else wire.instant(ends_ms)
        return {"currentTime": wire.instant(self._now_ms()), "triggerTime": trigger}

    def amend(self, account: Account, parameters: Parameters) -> Json:
        order = next((order for order in self._named(account, parameters) if order.status.open), None)
        if order is None:
            raise KrakenError(UNKNOWN_ORDER)
        quantity, limit, trigger = (parameters.decimal(name) for name in ("order_qty", "limit_price", "trigger_price"))
        if quantity is None and limit is None and trigger is None:
            raise invalid("order_qty")
        self._or_refused(lambda: self.exchange.amend(account, order, quantity, limit, trigger))
        return {"amend_id": f"T{order_txid(order.order_id)[1:]}"}

    def edit(self, account: Account, parameters: Parameters) -> Json:
        """The old way: the order ends, and a new one with another id takes its place."""
        order = next((order for order in self._named(account, parameters) if order.status.open), None)
        if order is None:
            raise KrakenError(UNKNOWN_ORDER)
        market = self.pairs.of_symbol(order.symbol)
        shown = order_wire.described(order, market)
        wanted = {name: shown[name] for name in ("type", "ordertype", "price", "price2", "leverage")}
        wanted |= {"volume": volume(order.remaining), "pair": shown["pair"]}
        given = {name: value for name, value in parameters.values.items() if name not in ("txid", "nonce")}
        request = order_request(Parameters(wanted | given), market, self._now_ms())
        self._or_refused(lambda: self.exchange.cancel(account, order))
        made = self._or_refused(lambda: self.exchange.place(account, request))
        return {
            "descr": {"order": order_wire.described(made, market)["order"]},
            "txid": order_txid(made.order_id),
            "originaltxid": order_txid(order.order_id),
            "volume": volume(made.quantity),
            "orders_cancelled": 1,
            "status": "ok",
        }

    def open_orders(self, account: Account, parameters: Parameters) -> Json:
        found = [order for order in self._own(account, parameters) if order.status.open]
        return {"open": self._shown(found, parameters)}

    def closed_orders(self, account: Account, parameters: Parameters) -> Json:
        """The newest first, fifty from ``ofs`` on."""
        begin, end = (parameters.seconds_ms(name) for name in ("start", "end"))
        found = [
            order
            for order in self._own(account, parameters)
            if not order.status.open
            and (begin is None or order.updated_ms > begin)
            and (end is None or order.created_ms <= end)
        ]
        found.reverse()
        first = parameters.integer("ofs")
        return {"closed": self._shown(found[first : first + _PAGE], parameters), "count": len(found)}

    def query_orders(self, account: Account, parameters: Parameters) -> Json:
        names = parameters.names("txid")
        if not names or len(names) > _PAGE:
            raise invalid("txid")
        found = [self._by_txid(account, name) for name in names]
        if None in found:
            raise KrakenError(UNKNOWN_ORDER)
        return self._shown([order for order in found if order is not None], parameters)

    def trades_history(self, account: Account, parameters: Parameters) -> Json:
        """The newest first, fifty from ``ofs`` on; ``start`` is left out itself."""
        begin, end = (parameters.seconds_ms(name) for name in ("start", "end"))
        found = [
            fill
            for fill in self.exchange.fills
            if fill.account == account.name
            and (begin is None or fill.time_ms > begin)
            and (end is None or fill.time_ms <= end)
        ]
        found.reverse()
        first = parameters.integer("ofs")
        page = found[first : first + _PAGE]
        return {"trades": {trade_txid(fill): self._trade(fill) for fill in page}, "count": len(found)}

    def query_trades(self, account: Account, parameters: Parameters) -> Json:
        wanted = parameters.names("txid")
        found = {trade_txid(fill): fill for fill in self.exchange.fills if fill.account == account.name}
        if not wanted or any(name not in found for name in wanted):
            raise KrakenError("EOrder:Unknown trade")
        return {name: self._trade(found[name]) for name in wanted}

    def balance(self, account: Account, parameters: Parameters) -> Json:
        return {name: volume(total) for name, total, _ in self._balances(account)}

    def balance_extended(self, account: Account, parameters: Parameters) -> Json:
        return {
            name: {"balance": volume(total), "hold_trade": volume(held)}
            for name, total, held in self._balances(account)
        }

    def trade_balance(self, account: Account, parameters: Parameters) -> Json:
        positions = self.exchange.positions(account)
        margin = sum((held.margin for held in positions), ZERO)
        profit = sum((held.unrealised_pnl for held in positions), ZERO)
        total = account.balance("USDT").total
        return {
            "eb": volume(total),
            "tb": volume(total),
            "m": volume(margin),
            "n": volume(profit),
            "e": volume(total + profit),
            "mf": volume(total + profit - margin),
        }

    def open_positions(self, account: Account, parameters: Parameters) -> Any:
        with_value = parameters.flag("docalcs")
        found = {
            f"T{order_txid(number + 1)[1:]}": (held, self.pairs.of_symbol(held.symbol))
            for number, held in enumerate(self.exchange.positions(account))
        }
        if parameters.optional("consolidation") == "market":
            return [order_wire.position(held, market, with_value) for held, market in found.values()]
        shown = {"ordertxid": "OAAAAA-AAAAA-AAAAAA", "posstatus": "open", "ordertype": "market", "misc": ""}
        return {
            name: order_wire.position(held, market, with_value) | shown | {"time": self._now_ms() / 1000}
            for name, (held, market) in found.items()
        }

    def token(self, account: Account, parameters: Parameters) -> Json:
        return {"token": self.gate.token(account, self._now_ms() / 1000), "expires": TOKEN_S}

    def key_info(self, account: Account, parameters: Parameters) -> Json:
        rights = ["query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades"]
        rights += ["create-ws-token", "earn-funds"]
        if account.may_withdraw:
            rights.append("withdraw-funds")
        return {
            "api_key_name": account.name,
            "api_key": account.key,
            "nonce": "0",
            "nonce_window": "0",
            "permissions": rights,
            "valid_until": "0",
            "query_from": "0",
            "query_to": "0",
            "ip_allowlist": [""],
        }

    def trade_volume(self, account: Account, parameters: Parameters) -> Json:
        market = self._market(parameters)
        rates = (market.instrument.taker_fee, market.instrument.maker_fee)
        fees, makers = ({wire.pair(market)["altname"]: {"fee": f"{rate * 100:.4f}"}} for rate in rates)
        return {"currency": "ZUSD", "volume": "0", "fees": fees, "fees_maker": makers}

    def _balances(self, account: Account) -> list[tuple[str, Decimal, Decimal]]:
        """Name, total and what orders and positions hold; what is staked stands under a name of its own."""
        found: list[tuple[str, Decimal, Decimal]] = []
        for asset in self.pairs.assets():
            balance, staked = account.balance(asset), self.earn.staked(account, asset)
            if balance.total:
                found.append((asset_id(asset), balance.total - staked, balance.locked - staked))
            if staked:
                found.append((self.earn.balance_name(asset), staked, ZERO))
        return found

    def _trade(self, fill: Fill) -> Json:
        order = self.exchange.orders[fill.order_id]
        return order_wire.trade(fill, order, self.pairs.of_symbol(fill.symbol))

    def _shown(self, orders: list[Order], parameters: Parameters) -> Json:
        with_trades = parameters.flag("trades")
        return {
            order_txid(order.order_id): order_wire.shown(
                order,
                self.exchange.fills_of_order(order.order_id),
                self.pairs.of_symbol(order.symbol),
                with_trades,
            )
            for order in orders
        }

    def _own(self, account: Account, parameters: Parameters) -> list[Order]:
        """The account's orders, the oldest first, of one client id or reference where one is asked for."""
        given, reference = parameters.optional("cl_ord_id"), parameters.optional("userref")
        wanted = client_id(Parameters({"cl_ord_id": given})) if given else None
        if reference is not None and not reference.lstrip("-").isdecimal():
            # A client id under the name of a reference finds nothing and is an error besides.
            raise invalid("userref")
        return [
            order
            for order in self.exchange.orders.values()
            if order.account == account.name
            and (wanted is None or order.client_order_id == wanted)
            and (reference is None or shown_reference(order.client_order_id) == int(reference))
        ]

    def _named(self, account: Account, parameters: Parameters) -> list[Order]:
        """By ``cl_ord_id``, or by ``txid``, which may be a reference too."""
        if parameters.optional("cl_ord_id"):
            return self._own(account, Parameters({"cl_ord_id": parameters.text("cl_ord_id")}))
        found: list[Order] = []
        for name in parameters.names("txid") or [parameters.text("txid")]:
            if name.lstrip("-").isdecimal():
                found += self._own(account, Parameters({"userref": name}))
            else:
                order = self._by_txid(account, name)
                found += [order] if order is not None else []
        return found

    def _by_txid(self, account: Account, name: str) -> Order | None:
        order = self.exchange.orders.get(order_number(name) or 0)
        return order if order is not None and order.account == account.name else None

    def _market(self, parameters: Parameters) -> Market:
        market = self.pairs.find(parameters.text("pair"))
        if market is None:
            raise KrakenError(UNKNOWN_PAIR)
        return market

    def _or_refused[T](self, action: Callable[[], T]) -> T:
        try:
            return action()
        except Refused as refused:
            raise from_refusal(refused) from refused

    def _now_ms(self) -> int:
        return to_ms(self.clock.now())
