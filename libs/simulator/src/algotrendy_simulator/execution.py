"""The trading floor: orders enter and leave the book, waiting ones are set off, positions are liquidated.

Invariant: all trades of one submission are booked before anything reacts to them; what is set off by a trade enters
the book after it, the oldest order first.
"""

from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal

from algotrendy_common.enums import Liquidity, OrderType, Side, TimeInForce
from algotrendy_common.errors import Refused
from algotrendy_common.money import ZERO
from algotrendy_core.matching import NewOrder, OrderRefused

from algotrendy_simulator.changes import Changes
from algotrendy_simulator.events import Execution, TapeTrade
from algotrendy_simulator.ledger import Ledger
from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Order, VenueStatus
from algotrendy_simulator.positions import Holding, reducible
from algotrendy_simulator.settlement import Settlement
from algotrendy_simulator.triggers import due, trailed


class Floor:
    def __init__(
        self,
        ledger: Ledger,
        settlement: Settlement,
        markets: dict[str, Market],
        venue_time_ms: Callable[[], int],
        next_order_id: Iterator[int],
    ) -> None:
        self._ledger = ledger
        self._settlement = settlement
        self._markets = markets
        self._venue_time_ms = venue_time_ms
        self._next_order_id = next_order_id
        self._held_back: dict[int, Order] = {}
        """Open, filled in part, and not in the book until the next trade."""
        self.partial: list[Decimal] = []
        """Fractions by which the next orders that trade at once are filled at first."""

    def restore(self) -> None:
        """Find again what was held back when the journal ended."""
        for order in self._ledger.open_orders():
            if not order.waiting and str(order.order_id) not in self._markets[order.symbol].engine.book:
                self._held_back[order.order_id] = order

    def enter(self, changes: Changes, order: Order) -> None:
        """Match a new order and all that follows from it."""
        self._react(changes, self._submit(changes, order))

    def move(self, changes: Changes, order: Order, replaced: bool) -> None:
        """Bring the book in line with an amended order; it loses its place unless only its quantity fell."""
        if order.order_id in self._held_back:
            return
        book = self._markets[order.symbol].engine.book
        resting = book.get(str(order.order_id))
        assert resting is not None, "an open order that neither waits nor is held back is in the book"
        less = resting.remaining - order.remaining
        changes.touch_book(order.symbol)
        if not replaced and less >= ZERO:
            if less:
                book.reduce(resting.order_id, less)
            return
        book.remove(resting.order_id)
        self.enter(changes, order)

    def cancel(self, changes: Changes, order: Order, cancel_client_order_id: str | None = None) -> None:
        """End an order and the other leg of its pair."""
        sibling = self._ledger.sibling(order)
        self._held_back.pop(order.order_id, None)
        self._settlement.end(changes, order, VenueStatus.CANCELED, Execution.CANCELED, cancel_client_order_id)
        if sibling is not None:
            self._settlement.end(changes, sibling, VenueStatus.CANCELED, Execution.CANCELED)

    def expire(self, changes: Changes, order: Order) -> None:
        sibling = self._ledger.sibling(order)
        for leg in (order, sibling):
            if leg is not None:
                self._held_back.pop(leg.order_id, None)
                self._settlement.end(changes, leg, VenueStatus.EXPIRED, Execution.EXPIRED)

    def settle(self, changes: Changes, printed: list[TapeTrade]) -> None:
        """Take in what the crowd traded."""
        symbols = {trade.symbol for trade in printed}
        self._book(changes, printed)
        self._react(changes, printed)
        for order in [order for order in self._held_back.values() if order.symbol in symbols]:
            del self._held_back[order.order_id]
            if self._reserved(changes, order):
                self._react(changes, self._submit(changes, order))

    def liquidate(self, changes: Changes, holdings: list[Holding]) -> list[Order]:
        """Cancel what is open on the positions' symbols and close them at the market; the closing orders."""
        orders = []
        for holding in holdings:
            order, printed = self._liquidate(changes, holding)
            orders.append(order)
            self._react(changes, printed)
        return orders

    def _submit(self, changes: Changes, order: Order) -> list[TapeTrade]:
        """Match an order and book its trades; it rests, has ended, or is held back then."""
        first = self._first_part(order)
        quantity = order.remaining if first is None else first
        in_force = TimeInForce.IOC if first is not None else order.time_in_force
        new = NewOrder(
            str(order.order_id),
            order.account,
            order.side,
            OrderType.MARKET if order.limit_price is None else OrderType.LIMIT,
            quantity,
            order.limit_price,
            TimeInForce.GTC if in_force is TimeInForce.GTD else in_force,
        )
        outcome, printed = self._markets[order.symbol].submit(new, self._venue_time_ms())
        changes.touch_book(order.symbol)
        if isinstance(outcome, OrderRefused):
            self._settlement.end(changes, order, VenueStatus.EXPIRED, Execution.EXPIRED)
            return []
        self._book(changes, printed)
        if order.remaining and not outcome.rests:
            if first is not None and order.time_in_force is not TimeInForce.IOC:
                self._held_back[order.order_id] = order
            else:
                self._settlement.end(changes, order, VenueStatus.EXPIRED, Execution.EXPIRED)
        return printed

    def _first_part(self, order: Order) -> Decimal | None:
        """The part that an order may trade at first; None is all of it."""
        market = self._markets[order.symbol]
        unable = order.time_in_force in (TimeInForce.FOK, TimeInForce.POST_ONLY) or order.liquidation
        if not self.partial or unable or next(market.engine.walk(order.side, order.limit_price), None) is None:
            return None
        part = market.instrument.round_quantity(order.remaining * self.partial[0])
        if not ZERO < part < order.remaining:
            return None
        self.partial.pop(0)
        return part

    def _book(self, changes: Changes, printed: list[TapeTrade]) -> None:
        """Book the trades to the users among their parties, and put them on the tape."""
        for trade in printed:
            changes.tape.append(trade)
            changes.events.append(trade)
            for text, side, liquidity in (
                (trade.taker_order_id, trade.taker_side, Liquidity.TAKER),
                (trade.maker_order_id, trade.taker_side.opposite, Liquidity.MAKER),
            ):
                order = self._ledger.orders.get(int(text))
                if order is not None:
                    self._settlement.fill(changes, order, trade, side, liquidity)
                    sibling = self._ledger.sibling(order)
                    if sibling is not None:
                        self._settlement.end(changes, sibling, VenueStatus.EXPIRED, Execution.EXPIRED)

    def _react(self, changes: Changes, printed: list[TapeTrade]) -> None:
        """Whatever the trades set off, until nothing more follows."""
        trades = deque(printed)
        while trades:
            trade = trades.popleft()
            self._trim(changes, trade)
            for order in self._due(changes, trade):
                if order.status.open and order.waiting:
                    trades.extend(self._fire(changes, order))
            for holding in self._settlement.underwater(trade.symbol):
                if holding.quantity:
                    trades.extend(self._liquidate(changes, holding)[1])

    def _due(self, changes: Changes, trade: TapeTrade) -> list[Order]:
        """The waiting orders that a trade sets off; the triggers of the trailing ones follow it."""
        found = []
        for order in self._ledger.waiting(trade.symbol):
            if due(order, trade.price):
                found.append(order)
                continue
            moved = trailed(order, trade.price, self._markets[order.symbol].instrument.price_step)
            if moved is not None:
                order.trigger_price = moved
                changes.orders[order.order_id] = order
        return found

    def _fire(self, changes: Changes, order: Order) -> list[TapeTrade]:
        order.waiting = False
        order.updated_ms = self._settlement.now_ms()
        self._settlement.note(changes, order, Execution.TRIGGERED)
        sibling = self._ledger.sibling(order)
        if sibling is not None:
            self._settlement.end(changes, sibling, VenueStatus.EXPIRED, Execution.EXPIRED)
        return self._submit(changes, order) if self._reserved(changes, order) else []

    def _reserved(self, changes: Changes, order: Order) -> bool:
        """Have the order hold what it needs now; else it ends, as a venue ends what cannot be paid any more."""
        try:
            self._settlement.reserve(order, *self._settlement.reservation(order))
        except Refused:
            self._settlement.end(changes, order, VenueStatus.EXPIRED, Execution.EXPIRED)
            return False
        return True

    def _trim(self, changes: Changes, trade: TapeTrade) -> None:
        """Have no reduce-only order of the trade's parties exceed what is left to reduce."""
        parties = {
            self._ledger.orders[int(text)].account
            for text in (trade.taker_order_id, trade.maker_order_id)
            if int(text) in self._ledger.orders
        }
        for order in [order for name in parties for order in self._ledger.open_orders(name, trade.symbol)]:
            holding = self._ledger.holdings.get((order.account, order.symbol))
            if not order.reduce_only or not order.status.open or holding is None:
                continue
            most = reducible(holding, order.side)
            if not most:
                self.cancel(changes, order)
            elif order.remaining > most:
                order.quantity = order.filled + most
                order.updated_ms = self._settlement.now_ms()
                self._settlement.note(changes, order, Execution.AMENDED)
                if not order.waiting:
                    self.move(changes, order, replaced=False)

    def _liquidate(self, changes: Changes, holding: Holding) -> tuple[Order, list[TapeTrade]]:
        for order in self._ledger.open_orders(holding.account, holding.symbol):
            if order.status.open:
                self.cancel(changes, order)
        now_ms = self._settlement.now_ms()
        order_id = next(self._next_order_id)
        order = Order(
            order_id,
            holding.account,
            f"liquidation-{order_id}",
            holding.symbol,
            Side.SELL if holding.quantity > ZERO else Side.BUY,
            OrderType.MARKET,
            TimeInForce.IOC,
            abs(holding.quantity),
            None,
            None,
            ZERO,
            now_ms,
            now_ms,
            reduce_only=True,
            leverage=holding.leverage,
            liquidation=True,
        )
        self._settlement.note(changes, order, Execution.NEW)
        return order, self._submit(changes, order)
