"""The simulated exchange: what an account can do with orders, over one matching engine a symbol.

Users' orders and the recorded crowd meet in the same book; orders that wait for a price wait outside it and are set
off by the trades on the tape. Invariant: what accounts own changes by their fills alone; a change is journaled whole
or not at all, and told afterwards.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from algotrendy_common.clock import Clock
from algotrendy_common.enums import MarginMode, OrderType, Side, TimeInForce
from algotrendy_common.errors import Refused
from algotrendy_common.money import ZERO
from algotrendy_core.fees import ChargedIn
from algotrendy_core.instruments import Rule, Violation

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.admission import check_leverage, check_rules, first_trigger, on_margin, quantity_of
from algotrendy_simulator.changes import Changes
from algotrendy_simulator.delivery import Delivery, Listener
from algotrendy_simulator.events import BalancesChanged, BookChanged, Execution, TapeTrade, VenueEvent
from algotrendy_simulator.execution import Floor
from algotrendy_simulator.ledger import Ledger
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Fill, Order, OrderRequest
from algotrendy_simulator.positions import Holding, Position, reducible
from algotrendy_simulator.settlement import Settlement
from algotrendy_simulator.triggers import crossed

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
        self._next_order_id = next_order_id
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
        market = self.market(request.symbol)
        self.ledger.check_client_id(account.name, request.client_order_id)
        check_leverage(market, request.leverage)
        quantity = quantity_of(market, request)
        trigger = first_trigger(market, request)
        check_rules(market, quantity, request.limit_price, trigger)
        if request.stop_limit_price is not None:
            check_rules(market, quantity, request.stop_limit_price)
        if request.reduce_only:
            quantity = self._reduction(account, market, request.side, quantity, request.leverage)
        if request.type is OrderType.OCO:
            return self._place_pair(account, market, request, quantity, trigger)
        order = self._draft(account, request, request.type, quantity, request.limit_price, trigger)
        self._check_takes(market, order)
        self._settlement.reserve(order, *self._settlement.reservation(order))
        changes = Changes()
        self._settlement.note(changes, order, Execution.NEW)
        if not order.waiting:
            self._floor.enter(changes, order)
        self.finish(changes)
        return order

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
        Raises Refused ``unknown_order``, ``duplicate_client_order_id``, ``filter``, ``would_trigger``, ``would_take``
        or ``insufficient_balance``; nothing has changed then.
        """
        self._check_open(account, order)
        if client_order_id is not None and client_order_id != order.client_order_id:
            self.ledger.check_client_id(account.name, client_order_id)
        market = self.markets[order.symbol]
        before = order.quantity, order.limit_price, order.trigger_price
        asked = quantity or before[0], limit_price or before[1], trigger_price or before[2]
        if asked[0] <= order.filled:
            violation = Violation(Rule.MIN_QUANTITY, order.filled, asked[0])
            raise Refused("filter", "no less than what is filled", violations=(violation,))
        check_rules(market, asked[0] - order.filled, asked[1], asked[2] if order.waiting else None)
        if order.waiting and asked[2] is not None and crossed(order.type, order.side, asked[2], market.last_price):
            raise Refused("would_trigger", "the order would trigger at once", last=market.last_price)
        order.quantity, order.limit_price, order.trigger_price = asked
        try:
            if not order.waiting and asked[1] != before[1]:
                self._check_takes(market, order)
            self._reserve_pair(order, quantity)
        except Refused:
            order.quantity, order.limit_price, order.trigger_price = before
            raise
        if client_order_id is not None:
            self.ledger.rename(order, client_order_id)
        changes = Changes()
        order.updated_ms = self._settlement.now_ms()
        self._settlement.note(changes, order, Execution.AMENDED)
        sibling = self.ledger.sibling(order)
        if sibling is not None and quantity is not None:
            sibling.quantity = quantity
            self._settlement.note(changes, sibling, Execution.AMENDED)
        for leg in (order, sibling):
            if leg is not None and not leg.waiting:
                self._floor.move(changes, leg, replaced=leg is order and asked[1] != before[1])
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

    def fill_partially(self, fraction: Decimal, orders: int = 1) -> None:
        """Have the next ``orders`` that trade at once do so with a fraction, and with the rest at the next trade."""
        self._floor.partial = [fraction] * orders

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

    def _place_pair(
        self, account: Account, market: Market, request: OrderRequest, quantity: Decimal, trigger: Decimal | None
    ) -> Order:
        stop_id = request.stop_client_order_id or f"{request.client_order_id}s"
        self.ledger.check_client_id(account.name, stop_id)
        limit = self._draft(account, request, OrderType.LIMIT, quantity, request.limit_price, None)
        self._check_takes(market, limit)
        stop_type = OrderType.STOP if request.stop_limit_price is None else OrderType.STOP_LIMIT
        stop = self._draft(account, request, stop_type, quantity, request.stop_limit_price, trigger)
        stop.client_order_id = stop_id
        if stop.time_in_force is TimeInForce.POST_ONLY:
            stop.time_in_force = TimeInForce.GTC
        limit.sibling, stop.sibling = stop.order_id, limit.order_id
        asset, needed = self._settlement.reservation(limit)
        self._settlement.reserve(limit, asset, max(needed, self._settlement.reservation(stop)[1]))
        changes = Changes()
        for leg in (limit, stop):
            self._settlement.note(changes, leg, Execution.NEW)
        self._floor.enter(changes, limit)
        self.finish(changes)
        return limit

    def _draft(
        self,
        account: Account,
        request: OrderRequest,
        type_: OrderType,
        quantity: Decimal,
        limit_price: Decimal | None,
        trigger: Decimal | None,
    ) -> Order:
        now_ms = self._settlement.now_ms()
        return Order(
            next(self._next_order_id),
            account.name,
            request.client_order_id,
            request.symbol,
            request.side,
            type_,
            request.time_in_force,
            quantity,
            limit_price,
            request.quote_quantity,
            ZERO,
            now_ms,
            now_ms,
            trigger_price=trigger,
            trailing_ratio=request.trailing_ratio,
            good_until_ms=request.good_until_ms,
            reduce_only=request.reduce_only,
            waiting=type_.triggered,
            leverage=request.leverage,
            activation_price=request.trigger_price if type_ is OrderType.TRAILING_STOP else None,
            list_client_order_id=request.list_client_order_id,
        )

    def _reduction(
        self, account: Account, market: Market, side: Side, quantity: Decimal, leverage: Decimal | None
    ) -> Decimal:
        """As much of a reduce-only order as there is to reduce; of assets, the balance is the position."""
        if not on_margin(market, leverage):
            if side is Side.BUY:
                raise Refused("reduce_only", "buying reduces nothing here", symbol=market.wire_symbol)
            return quantity
        most = reducible(self.ledger.holding(account.name, market.wire_symbol), side)
        if not most:
            raise Refused("reduce_only", "there is nothing to reduce", symbol=market.wire_symbol)
        return min(quantity, most)

    def _check_takes(self, market: Market, order: Order) -> None:
        """Raises Refused ``would_take`` for a post-only order that would."""
        if order.time_in_force is not TimeInForce.POST_ONLY or order.waiting:
            return
        best = next(market.engine.walk(order.side, order.limit_price), None)
        if best is not None:
            raise Refused("would_take", "the order would take liquidity", best=best[0])

    def _reserve_pair(self, order: Order, quantity: Decimal | None) -> None:
        """What an amended order needs now; a pair's reservation is its limit leg's."""
        sibling = self.ledger.sibling(order)
        if sibling is None:
            self._settlement.reserve(order, *self._settlement.reservation(order))
            return
        kept = sibling.quantity
        sibling.quantity = quantity or kept
        asset, needed = self._settlement.reservation(order)
        needed = max(needed, self._settlement.reservation(sibling)[1])
        sibling.quantity = kept
        self._settlement.reserve(sibling if order.waiting else order, asset, needed)

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
