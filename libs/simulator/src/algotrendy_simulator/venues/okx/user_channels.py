"""OKX's private channels: ``orders``, ``account`` and ``positions``, and on the business socket ``orders-algo``.

Invariant: a channel hears the events of the account that logged in and of no other, in the order of the books; the legs
of an algo order that nobody may see as orders are told as the algo order they are.
"""

from algotrendy_common.clock import Clock, to_ms

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.events import BalancesChanged, Execution, OrderChanged, PositionChanged, VenueEvent
from algotrendy_simulator.market import Market
from algotrendy_simulator.venues.okx import order_wire
from algotrendy_simulator.venues.okx.account_operations import AccountOperations
from algotrendy_simulator.venues.okx.algos import LIVE, Algo, algo_of, is_leg
from algotrendy_simulator.venues.okx.products import Products, id_of, kind_of
from algotrendy_simulator.venues.okx.sockets import Channel, Client, Sockets
from algotrendy_simulator.venues.okx.wire import Json

EVERY_KIND = (None, "ANY")


class UserChannels:
    def __init__(self, exchange: Exchange, products: Products, own: AccountOperations, clock: Clock) -> None:
        self._exchange = exchange
        self._products = products
        self._own = own
        self._clock = clock
        self.sockets: Sockets | None = None
        exchange.listeners.append(self._hear)

    @property
    def subscription_count(self) -> int:
        return sum(len(client.channels) for client in self._users())

    def joined(self, client: Client, channel: Channel) -> None:
        """Balances and positions as they are come first."""
        if client.account is None:
            return
        match dict(channel)["channel"]:
            case "account":
                self._say(client, channel, [order_wire.balance(client.account, self._now_ms())])
            case "positions":
                held = self._exchange.positions(client.account)
                shown = [order_wire.position(self._products.of_engine(one.symbol), one, self._now_ms()) for one in held]
                self._say(client, channel, shown)

    def _hear(self, event: VenueEvent) -> None:
        match event:
            case OrderChanged() if is_leg(event.order):
                self._tell_leg(event)
            case OrderChanged():
                self._tell_order(event)
            case BalancesChanged():
                details = [
                    order_wire.detail(asset, free + locked, free, event.time_ms)
                    for asset, free, locked in event.balances
                ]
                account = self._exchange.accounts[event.account]
                whole = order_wire.balance(account, event.time_ms, []) | {"details": details}
                self._tell(event.account, "account", None, whole)
            case PositionChanged():
                market = self._products.of_engine(event.position.symbol)
                shown = order_wire.position(market, event.position, event.time_ms)
                self._tell(event.position.account, "positions", market, shown)

    def _tell_order(self, event: OrderChanged) -> None:
        order = event.order
        market = self._products.of_engine(order.symbol)
        shown = self._own.shown(self._account(order.account), order, event.fill)
        message = order_wire.order_message(shown, market, event.fill)
        if event.execution is Execution.AMENDED:
            message["amendResult"] = "0"
        self._tell(order.account, "orders", market, message)

    def _tell_leg(self, event: OrderChanged) -> None:
        """A leg seen with its sibling: one algo order until one of them is set off or trades, an order from then on."""
        order = event.order
        algo = algo_of(order, self._exchange.orders | {order.order_id: order})
        first_trade = event.fill is not None and order.filled == event.fill.quantity
        became_order = event.execution is Execution.TRIGGERED or (first_trade and order.trigger_price is None)
        if became_order:
            self._tell_algo(algo, "effective")
        if event.execution is Execution.TRIGGERED or event.fill is not None or algo.child is order:
            self._tell_order(event)
        elif event.execution is Execution.NEW:
            if order is algo.stop:
                self._tell_algo(algo, LIVE)
        elif event.execution is Execution.AMENDED:
            self._tell_algo(algo, LIVE)
        elif not any(leg.status.open or leg.filled for leg in algo.legs) and order is algo.stop:
            self._tell_algo(algo, algo.state)

    def _tell_algo(self, algo: Algo, state: str) -> None:
        shown = self._own.shown_algo(self._account(algo.head.account), algo)
        if state != shown["state"]:
            # The legs are newer than the event: what it says is what it is about.
            shown |= {"state": state}
        self._tell(algo.head.account, "orders-algo", self._products.of_engine(algo.head.symbol), shown)

    def _tell(self, account: str, name: str, market: Market | None, data: Json) -> None:
        for client in self._users():
            if client.account is None or client.account.name != account:
                continue
            for channel in client.channels:
                argument = dict(channel)
                if argument["channel"] == name and (market is None or _concerns(argument, market)):
                    self._say(client, channel, [data])

    @staticmethod
    def _say(client: Client, channel: Channel, data: list[Json]) -> None:
        client.say({"arg": dict(channel) | {"uid": "1"}, "data": data})

    def _users(self) -> list[Client]:
        return [] if self.sockets is None else self.sockets.users()

    def _account(self, name: str) -> Account:
        return self._exchange.accounts[name]

    def _now_ms(self) -> int:
        return to_ms(self._clock.now())


def _concerns(argument: dict[str, str], market: Market) -> bool:
    kind = argument.get("instType")
    return (kind in EVERY_KIND or kind == kind_of(market)) and argument.get("instId") in (None, id_of(market))
