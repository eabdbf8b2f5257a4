"""The simulated exchange: accounts, reservations, orders and fills over one matching engine a symbol.

Users' orders and the recorded crowd meet in the same book. Invariant: what accounts own changes by their fills
alone; a change is journaled whole or not at all, and told afterwards.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal

from algotrendy_common.clock import Clock, to_ms
from algotrendy_common.enums import Liquidity, Side
from algotrendy_common.errors import Refused
from algotrendy_common.money import ZERO
from algotrendy_core.fees import fill_fee
from algotrendy_core.matching import NewOrder, OrderRefused

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.admission import check_rules, quantity_of, reservation
from algotrendy_simulator.changes import Changes
from algotrendy_simulator.events import BalancesChanged, BookChanged, Execution, OrderChanged, TapeTrade, VenueEvent
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Fill, Order, OrderRequest, VenueStatus

type Commit = Callable[[Changes], None]
type Listener = Callable[[VenueEvent], None]


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
        self.accounts: dict[str, Account] = {}
        self.orders: dict[int, Order] = {}
        self.fills: list[Fill] = []
        self.listeners: list[Listener] = []
        self._clock = clock
        self._venue_time_ms = venue_time_ms
        self._next_order_id = next_order_id
        self._commit = commit
        self._open: dict[tuple[str, str], Order] = {}
        self._latest: dict[tuple[str, str], Order] = {}
        self._fills_of_order: dict[int, list[Fill]] = {}

    def restore(self, accounts: list[Account], orders: list[Order], fills: list[Fill]) -> None:
        """Take the books back from a journal."""
        self.accounts = {account.name: account for account in accounts}
        for order in orders:
            self._remember(order)
        for fill in fills:
            self._remember_fill(fill)

    def open_account(self, name: str, key: str, secret: str, balances: dict[str, Decimal]) -> Account:
        """Raises Refused where the name or the key is taken."""
        if name in self.accounts or any(account.key == key for account in self.accounts.values()):
            raise Refused("account_taken", "there is an account of this name or key", account=name)
        account = self.accounts[name] = Account(name, key, secret)
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
        if order_id is not None:
            order = self.orders.get(order_id)
        else:
            order = self._latest.get((account.name, client_order_id or ""))
        if order is None or order.account != account.name or order.symbol != symbol:
            return None
        return order

    def open_orders(self, account: Account, symbol: str | None = None) -> list[Order]:
        orders = (order for order in self._open.values() if order.account == account.name)
        return sorted(
            (order for order in orders if symbol is None or order.symbol == symbol), key=lambda order: order.order_id
        )

    def fills_of_order(self, order_id: int) -> list[Fill]:
        return self._fills_of_order.get(order_id, [])

    def market(self, symbol: str) -> Market:
        market = self.markets.get(symbol)
        if market is None:
            raise Refused("unknown_symbol", "no such symbol", symbol=symbol)
        return market

    def place(self, account: Account, request: OrderRequest) -> Order:
        """Accept and match an order.

        Raises Refused with code ``unknown_symbol``, ``duplicate_client_order_id``, ``filter`` (attribute
        ``violations``), ``insufficient_balance`` or ``would_take``; nothing has changed then.
        """
        market = self.market(request.symbol)
        if (account.name, request.client_order_id) in self._open:
            raise Refused("duplicate_client_order_id", "an open order has this id", id=request.client_order_id)
        quantity = quantity_of(market, request)
        check_rules(market, request, quantity)
        asset, reserved = reservation(market, request, quantity)
        if reserved > account.balance(asset).free:
            raise Refused("insufficient_balance", "not enough is free", asset=asset, needed=reserved)
        now_ms = to_ms(self._clock.now())
        order = Order(
            next(self._next_order_id),
            account.name,
            request.client_order_id,
            request.symbol,
            request.side,
            request.type,
            request.time_in_force,
            quantity,
            request.limit_price,
            request.quote_quantity,
            reserved,
            now_ms,
            now_ms,
        )
        new = NewOrder(
            str(order.order_id),
            account.name,
            order.side,
            order.type,
            quantity,
            order.limit_price,
            order.time_in_force,
        )
        outcome, printed = market.submit(new, self._venue_time_ms())
        if isinstance(outcome, OrderRefused):
            raise Refused("would_take", "the order would take liquidity", best=outcome.limit)
        account.lock(asset, reserved)
        self._remember(order)
        changes = Changes()
        self._note(changes, order, Execution.NEW)
        self.settle(changes, printed)
        if not outcome.rests and outcome.remaining:
            self._end(changes, order, VenueStatus.EXPIRED, Execution.EXPIRED)
        self._touch_balances(changes, order)
        changes.events.append(BookChanged(order.symbol))
        self.finish(changes)
        return order

    def cancel(self, account: Account, order: Order, cancel_client_order_id: str | None = None) -> Order:
        """Raises Refused ``unknown_order`` where the order is closed already."""
        if not order.status.open or order.account != account.name:
            raise Refused("unknown_order", "the order is not open", order_id=order.order_id)
        self.markets[order.symbol].engine.cancel(str(order.order_id))
        changes = Changes()
        self._end(changes, order, VenueStatus.CANCELED, Execution.CANCELED, cancel_client_order_id)
        self._touch_balances(changes, order)
        changes.events.append(BookChanged(order.symbol))
        self.finish(changes)
        return order

    def settle(self, changes: Changes, printed: list[TapeTrade]) -> None:
        """Book the trades to the users among their parties, and put them on the tape."""
        for trade in printed:
            changes.tape.append(trade)
            changes.events.append(trade)
            for text, side, liquidity in (
                (trade.taker_order_id, trade.taker_side, Liquidity.TAKER),
                (trade.maker_order_id, trade.taker_side.opposite, Liquidity.MAKER),
            ):
                order = self.orders.get(int(text))
                if order is not None:
                    self._fill(changes, order, trade, side, liquidity)

    def finish(self, changes: Changes) -> None:
        """Journal the changes, then tell them."""
        self._commit(changes)
        for event in [*changes.events, *self._balance_events(changes)]:
            for listener in self.listeners:
                listener(event)

    def _fill(self, changes: Changes, order: Order, trade: TapeTrade, side: Side, liquidity: Liquidity) -> None:
        instrument = self.markets[order.symbol].instrument
        account = self.accounts[order.account]
        value = trade.price * trade.quantity
        fee = fill_fee(instrument, side, trade.price, trade.quantity, liquidity)
        if side is Side.BUY:
            freed = value if order.limit_price is None else order.limit_price * trade.quantity
            account.lock(instrument.quote, -freed)
            account.add(instrument.quote, -value)
            account.add(instrument.base, trade.quantity - fee.amount)
        else:
            freed = trade.quantity
            account.lock(instrument.base, -freed)
            account.add(instrument.base, -trade.quantity)
            account.add(instrument.quote, value - fee.amount)
        order.reserved -= freed
        order.filled += trade.quantity
        order.quote_filled += value
        order.updated_ms = to_ms(self._clock.now())
        order.status = VenueStatus.FILLED if order.filled == order.quantity else VenueStatus.PARTIALLY_FILLED
        fill = Fill(
            trade.trade_id,
            order.symbol,
            order.order_id,
            order.account,
            side,
            trade.price,
            trade.quantity,
            fee.amount,
            fee.asset,
            liquidity,
            order.updated_ms,
        )
        self._remember_fill(fill)
        if order.status is VenueStatus.FILLED:
            self._open.pop((order.account, order.client_order_id), None)
        changes.fills.append(fill)
        self._note(changes, order, Execution.TRADE, fill)
        self._touch_balances(changes, order)

    def _end(
        self,
        changes: Changes,
        order: Order,
        status: VenueStatus,
        execution: Execution,
        cancel_client_order_id: str | None = None,
    ) -> None:
        instrument = self.markets[order.symbol].instrument
        asset = instrument.quote if order.side is Side.BUY else instrument.base
        self.accounts[order.account].lock(asset, -order.reserved)
        order.reserved = ZERO
        order.status = status
        order.updated_ms = to_ms(self._clock.now())
        self._open.pop((order.account, order.client_order_id), None)
        self._note(changes, order, execution, None, cancel_client_order_id)

    def _note(
        self,
        changes: Changes,
        order: Order,
        execution: Execution,
        fill: Fill | None = None,
        cancel_client_order_id: str | None = None,
    ) -> None:
        changes.orders[order.order_id] = order
        changes.events.append(OrderChanged(replace(order), execution, fill, cancel_client_order_id))

    def _touch_balances(self, changes: Changes, order: Order) -> None:
        instrument = self.markets[order.symbol].instrument
        changes.balances |= dict.fromkeys((order.account, asset) for asset in (instrument.base, instrument.quote))

    def _balance_events(self, changes: Changes) -> list[VenueEvent]:
        """Each account's balances once, after the last change to them."""
        touched: dict[str, list[str]] = {}
        for name, asset in changes.balances:
            touched.setdefault(name, []).append(asset)
        now_ms = to_ms(self._clock.now())
        return [BalancesChanged(name, self._balances(name, assets), now_ms) for name, assets in touched.items()]

    def _balances(self, name: str, assets: list[str]) -> tuple[tuple[str, Decimal, Decimal], ...]:
        found = ((asset, self.accounts[name].balance(asset)) for asset in assets)
        return tuple((asset, balance.free, balance.locked) for asset, balance in found)

    def _remember(self, order: Order) -> None:
        self.orders[order.order_id] = order
        self._latest[(order.account, order.client_order_id)] = order
        if order.status.open:
            self._open[(order.account, order.client_order_id)] = order

    def _remember_fill(self, fill: Fill) -> None:
        self.fills.append(fill)
        self._fills_of_order.setdefault(fill.order_id, []).append(fill)
