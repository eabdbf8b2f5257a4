"""The simulated exchange: what an account can do with orders, over one matching engine a symbol.

Users' orders and the recorded crowd meet in the same book; orders that wait for a price wait outside it and are set
off by the trades on the tape. Invariant: what accounts own changes by their fills alone; a change is journaled whole
or not at all, and told afterwards.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from algotrendy_common.clock import Clock
from algotrendy_common.enums import MarginMode
from algotrendy_common.errors import Refused
from algotrendy_core.fees import ChargedIn

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.admission import check_leverage
from algotrendy_simulator.amendment import Amendment
from algotrendy_simulator.changes import Changes
from algotrendy_simulator.delivery import Delivery, Listener
from algotrendy_simulator.events import BalancesChanged, BookChanged, Execution, TapeTrade, VenueEvent
from algotrendy_simulator.execution import Floor
from algotrendy_simulator.intake import Intake
from algotrendy_simulator.ledger import Ledger
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Fill, Order, OrderRequest
from algotrendy_simulator.positions import Holding, Position
from algotrendy_simulator.settlement import Settlement

type Commit = Callable[[Changes], None]


class Exchange:
    def __init__(
        self,
        markets: dict[str, Market],
        clock: Clock,
        venue_time_ms: Callable[[], int],
        next_order_id: Iterator[int],
        commit: Commit,
    ) -> None:
        self.markets = markets
        self.ledger = Ledger()
        self.delivery = Delivery()
        self._settlement = Settlement(self.ledger, markets, clock)
        self._floor = Floor(self.ledger, self._settlement, markets, venue_time_ms, next_order_id)
        self._intake = Intake(self.ledger, self._settlement, next_order_id)
        self._amendment = Amendment(self.ledger, self._settlement, self._floor, markets)
        self._commit = commit

    @property
    def accounts(self) -> dict[str, Account]:
        return self.ledger.accounts

    @property
    def orders(self) -> dict[int, Order]:
        return self.ledger.orders

    @property
    def fills(self) -> list[Fill]:
        return self.ledger.fills

    @property
    def listeners(self) -> list[Listener]:
        return self.delivery.listeners

    def restore(
        self,
        accounts: list[Account],
        orders: list[Order],
        fills: list[Fill],
        holdings: list[Holding] | None = None,
    ) -> None:
        """Take the books back from a journal."""
        self.ledger.restore(accounts, orders, fills, holdings or [])
        self._floor.restore()

    def charge_spot_fees_in(self, asset: ChargedIn) -> None:
        """In the quote currency on both sides, for venues that do; what a fill brings in pays otherwise."""
        self._settlement.spot_fees = asset

    def open_account(
        self,
        name: str,
        key: str,
        secret: str,
        balances: dict[str, Decimal],
        passphrase: str = "",
        may_withdraw: bool = False,
    ) -> Account:
        """Raises Refused where the name or the key is taken."""
        if name in self.accounts or self.account_of_key(key) is not None:
            raise Refused("account_taken", "there is an account of this name or key", account=name)
        account = self.accounts[name] = Account(name, key, secret, passphrase, may_withdraw=may_withdraw)
        changes = Changes(accounts=[account])
        for asset, amount in balances.items():
            account.add(asset, amount)
            changes.balances[name, asset] = None
        self.finish(changes)
        return account

    def account_of_key(self, key: str) -> Account | None:
        return next((account for account in self.accounts.values() if account.key == key), None)

    def find_order(
        self, account: Account, symbol: str, order_id: int | None, client_order_id: str | None
    ) -> Order | None:
        """By id, else the latest one of that client id."""
        return self.ledger.find(account, symbol, order_id, client_order_id)

    def open_orders(self, account: Account, symbol: str | None = None) -> list[Order]:
        return self.ledger.open_orders(account.name, symbol)

    def fills_of_order(self, order_id: int) -> list[Fill]:
        return self.ledger.fills_of_order(order_id)

    def positions(self, account: Account) -> list[Position]:
        """The open ones, at their markets' last prices."""
        return [self._settlement.position(holding) for holding in self.ledger.held(account.name)]

    def market(self, symbol: str) -> Market:
        market = self.markets.get(symbol)
        if market is None:
            raise Refused("unknown_symbol", "no such symbol", symbol=symbol)
        return market

    def place(self, account: Account, request: OrderRequest) -> Order:
        """Accept an order: match it, or have it wait for its price. Of a pair, the limit leg is returned.

        Raises Refused with code ``unknown_symbol``, ``duplicate_client_order_id``, ``leverage``, ``filter`` (attribute
        ``violations``), ``reduce_only``, ``would_trigger``, ``insufficient_balance`` or ``would_take``; nothing has
        changed then.
        """
        legs = self._intake.accept(account, self.market(request.symbol), request)
        changes = Changes()
        for leg in legs:
            self._settlement.note(changes, leg, Execution.NEW)
        if not legs[0].waiting:
            self._floor.enter(changes, legs[0])
        self.finish(changes)
        return legs[0]

    def amend(
        self,
        account: Account,
        order: Order,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        trigger_price: Decimal | None = None,
        client_order_id: str | None = None,
    ) -> Order:
        """Change an open order; ``quantity`` is its whole new one, with what is filled.

        ``client_order_id`` is the id it has from then on. Its place in the queue is kept where only the quantity falls.
        Raises Refused ``unknown_order``, ``duplicate_client_order_id``, ``filter``, ``reduce_only``, ``would_trigger``,
        ``would_take`` or ``insufficient_balance``; nothing has changed then.
        """
        self._check_open(account, order)
        changes = Changes()
        self._amendment.amend(changes, order, quantity, limit_price, trigger_price, client_order_id)
        self.finish(changes)
        return order

    def cancel(self, account: Account, order: Order, cancel_client_order_id: str | None = None) -> Order:
        """Cancel an order, and the other leg of its pair. Raises Refused ``unknown_order`` where it is closed."""
        self._check_open(account, order)
        changes = Changes()
        self._floor.cancel(changes, order, cancel_client_order_id)
        self.finish(changes)
        return order

    def cancel_all(self, account: Account, symbol: str | None = None) -> list[Order]:
        """Cancel what is open; the orders that were."""
        orders = self.open_orders(account, symbol)
        changes = Changes()
        for order in orders:
            if order.status.open:
                self._floor.cancel(changes, order)
        self.finish(changes)
        return orders

    def set_leverage(
        self, account: Account, symbol: str, leverage: Decimal, mode: MarginMode = MarginMode.CROSS
    ) -> None:
        """Raises Refused ``unknown_symbol``, ``leverage``, ``position_open`` or ``insufficient_balance``."""
        check_leverage(self.market(symbol), leverage)
        changes = Changes()
        self._settlement.set_margin(changes, self.ledger.holding(account.name, symbol), leverage, mode)
        self.finish(changes)

    def margin_settings(self, account: Account, symbol: str) -> tuple[Decimal, MarginMode]:
        """Leverage and mode set for a symbol."""
        holding = self.ledger.holdings.get((account.name, symbol), Holding(account.name, symbol))
        return holding.leverage, holding.margin_mode

    def arm_dead_man(self, account: Account, timeout_ms: int) -> int | None:
        """Cancel all of the account's orders at the returned wall time unless it is armed again; 0 disarms (None)."""
        account.dead_man_ms = self._settlement.now_ms() + timeout_ms if timeout_ms else None
        self.finish(Changes(accounts=[account]))
        return account.dead_man_ms

    def liquidate(self, account: Account, symbol: str | None = None) -> list[Order]:
        """Close positions as if their margin were gone; the orders that did."""
        changes = Changes()
        orders = self._floor.liquidate(changes, self.ledger.held(account.name, symbol))
        self.finish(changes)
        return orders

    def pay_funding(self, symbol: str, rate: Decimal) -> int:
        """Settle funding of a perpetual among all who hold it; how many. Raises Refused ``unknown_symbol``."""
        self.market(symbol)
        held = self.ledger.held(symbol=symbol)
        changes = Changes()
        for holding in held:
            self._settlement.pay_funding(changes, holding, rate)
        self.finish(changes)
        return len(held)

    def fill_partially(self, fraction: Decimal, orders: int = 1) -> None:
        """Have the next ``orders`` that trade at once do so with a fraction, and with the rest at the next trade."""
        self._floor.partial = [fraction] * orders

    def undisturb(self) -> None:
        """Fill and tell as usual again."""
        self._floor.partial.clear()
        self.delivery.undisturb()

    def keep_time(self) -> None:
        """End what has lived until its time, and what an account left behind that armed its dead-man's switch."""
        now_ms = self._settlement.now_ms()
        changes = Changes()
        for order in self.ledger.open_orders():
            if order.good_until_ms is not None and order.good_until_ms <= now_ms and order.status.open:
                self._floor.expire(changes, order)
        for account in self.accounts.values():
            if account.dead_man_ms is not None and account.dead_man_ms <= now_ms:
                account.dead_man_ms = None
                changes.accounts.append(account)
                for order in self.open_orders(account):
                    if order.status.open:
                        self._floor.cancel(changes, order)
        if changes.orders or changes.accounts:
            self.finish(changes)

    def settle(self, changes: Changes, printed: list[TapeTrade]) -> None:
        """Book the tape's trades to the users among their parties, and set off what waited for them."""
        self._floor.settle(changes, printed)

    def finish(self, changes: Changes) -> None:
        """Journal the changes, then tell them."""
        told = {event.symbol for event in changes.events if isinstance(event, BookChanged)}
        changes.events += [BookChanged(symbol) for symbol in changes.books if symbol not in told]
        self._commit(changes)
        self.delivery.tell([*changes.events, *self._balance_events(changes)])

    def _check_open(self, account: Account, order: Order) -> None:
        if not order.status.open or order.account != account.name:
            raise Refused("unknown_order", "the order is not open", order_id=order.order_id)

    def _balance_events(self, changes: Changes) -> list[VenueEvent]:
        """Each account's balances once, after the last change to them."""
        touched: dict[str, list[str]] = {}
        for name, asset in changes.balances:
            touched.setdefault(name, []).append(asset)
        now_ms = self._settlement.now_ms()
        return [BalancesChanged(name, self._balances(name, assets), now_ms) for name, assets in touched.items()]

    def _balances(self, name: str, assets: list[str]) -> tuple[tuple[str, Decimal, Decimal], ...]:
        found = ((asset, self.accounts[name].balance(asset)) for asset in assets)
        return tuple((asset, balance.free, balance.locked) for asset, balance in found)
