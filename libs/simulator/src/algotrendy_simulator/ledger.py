"""What the exchange remembers: accounts, orders, fills and margin holdings, with the ways to find them.

Invariant: an order is among the open ones exactly while its status is open, and among the waiting ones exactly while
it waits for its price.
"""

from algotrendy_common.errors import Refused

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.orders import Fill, Order
from algotrendy_simulator.positions import Holding


class Ledger:
    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.orders: dict[int, Order] = {}
        self.fills: list[Fill] = []
        self.holdings: dict[tuple[str, str], Holding] = {}
        self._open: dict[tuple[str, str], Order] = {}
        self._latest: dict[tuple[str, str], Order] = {}
        self._waiting: dict[str, dict[int, Order]] = {}
        self._fills_of_order: dict[int, list[Fill]] = {}

    def restore(self, accounts: list[Account], orders: list[Order], fills: list[Fill], holdings: list[Holding]) -> None:
        self.accounts.update((account.name, account) for account in accounts)
        for order in orders:
            self.remember(order)
        for fill in fills:
            self.remember_fill(fill)
        self.holdings.update(((holding.account, holding.symbol), holding) for holding in holdings)

    def remember(self, order: Order) -> None:
        """A new order, or one whose state changed."""
        self.orders[order.order_id] = order
        name = order.account, order.client_order_id
        waiting = self._waiting.setdefault(order.symbol, {})
        if order.status.open:
            self._latest[name] = self._open[name] = order
        else:
            self._latest.setdefault(name, order)
            if self._latest[name].order_id < order.order_id:
                self._latest[name] = order
            if self._open.get(name) is order:
                del self._open[name]
        if order.status.open and order.waiting:
            waiting[order.order_id] = order
        else:
            waiting.pop(order.order_id, None)

    def rename(self, order: Order, client_order_id: str) -> None:
        """Give an open order another client id; under the old one it is not found any more."""
        for index in (self._open, self._latest):
            index.pop((order.account, order.client_order_id), None)
        order.client_order_id = client_order_id
        self.remember(order)

    def remember_fill(self, fill: Fill) -> None:
        self.fills.append(fill)
        self._fills_of_order.setdefault(fill.order_id, []).append(fill)

    def fills_of_order(self, order_id: int) -> list[Fill]:
        return self._fills_of_order.get(order_id, [])

    def find(self, account: Account, symbol: str, order_id: int | None, client_order_id: str | None) -> Order | None:
        """By id, else the latest one of that client id."""
        if order_id is not None:
            order = self.orders.get(order_id)
        else:
            order = self._latest.get((account.name, client_order_id or ""))
        if order is None or order.account != account.name or order.symbol != symbol:
            return None
        return order

    def check_client_id(self, account: str, client_order_id: str) -> None:
        """Raises Refused ``duplicate_client_order_id`` where an open order has it."""
        if (account, client_order_id) in self._open:
            raise Refused("duplicate_client_order_id", "an open order has this id", id=client_order_id)

    def open_orders(self, account: str | None = None, symbol: str | None = None) -> list[Order]:
        """In the order of their ids."""
        found = (
            order
            for order in self._open.values()
            if (account is None or order.account == account) and (symbol is None or order.symbol == symbol)
        )
        return sorted(found, key=lambda order: order.order_id)

    def waiting(self, symbol: str) -> list[Order]:
        """Those that wait for a price of this symbol, the oldest first."""
        return sorted(self._waiting.get(symbol, {}).values(), key=lambda order: order.order_id)

    def sibling(self, order: Order) -> Order | None:
        """The other leg of a pair while it is open."""
        other = self.orders.get(order.sibling) if order.sibling is not None else None
        return other if other is not None and other.status.open else None

    def holding(self, account: str, symbol: str) -> Holding:
        """The account's holding, to be changed; an empty one where there was none."""
        return self.holdings.setdefault((account, symbol), Holding(account, symbol))

    def held(self, account: str | None = None, symbol: str | None = None) -> list[Holding]:
        """Those with a quantity."""
        return [
            holding
            for holding in self.holdings.values()
            if holding.quantity
            and (account is None or holding.account == account)
            and (symbol is None or holding.symbol == symbol)
        ]
