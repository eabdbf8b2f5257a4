"""Orders that wait for a price here, because their venue cannot hold them; and those that go on in legs.

Invariant: of one order at most one leg is at the venue at a time: the next is committed only when the venue has
confirmed the end of the one before, and carries what is left. What fired is stored before anything is done about it, so
that a restart goes on where this process ended.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from algotrendy_common.clock import monotonic_s
from algotrendy_common.database import Database
from algotrendy_common.enums import MarginMode, OrderStatus, OrderType
from algotrendy_common.events.market import QuoteChanged, TradePrinted
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.telemetry import log
from algotrendy_core.order_states import CancelledAtVenue, SubmissionStarted
from prometheus_client import Counter

from algotrendy_broker_gateway.desk.books import Books, Taken
from algotrendy_broker_gateway.desk.cancellation import Cancellation
from algotrendy_broker_gateway.desk.gate import TradingGate
from algotrendy_broker_gateway.desk.persistence import STORE_AWAY, until_stored
from algotrendy_broker_gateway.desk.preparation import Preparation
from algotrendy_broker_gateway.desk.submission import Submission
from algotrendy_broker_gateway.domain.admission import Gate
from algotrendy_broker_gateway.domain.cancel_policy import guards_as_booked
from algotrendy_broker_gateway.domain.handling import on_the_wire
from algotrendy_broker_gateway.domain.margin import borrows, effective_mode
from algotrendy_broker_gateway.domain.order_record import OrderRecord
from algotrendy_broker_gateway.domain.triggers import Fired, Watch, after_sending, price_for, seen
from algotrendy_broker_gateway.ports import Venue
from algotrendy_broker_gateway.store.accounts import AccountStore
from algotrendy_broker_gateway.store.guards import GuardStore
from algotrendy_broker_gateway.store.orders import OrderStore

TRIGGERED = Counter("algotrendy_orders_triggered_total", "Prices that came", ["account", "fired"])
_PAUSE_S = 0.5
_CANCEL_PATIENCE_S = 10.0


class Triggers:
    """One account's."""

    def __init__(
        self,
        account: str,
        database: Database,
        orders: OrderStore,
        accounts: AccountStore,
        guards: GuardStore,
        books: Books,
        cancellation: Cancellation,
        preparation: Preparation,
        submission: Submission,
        gate: TradingGate,
        venue: Venue,
        margin_mode: MarginMode,
    ) -> None:
        self._margin_mode = margin_mode
        self._account = account
        self._database = database
        self._orders = orders
        self._accounts = accounts
        self._guards = guards
        self._books = books
        self._cancellation = cancellation
        self._preparation = preparation
        self._submission = submission
        self._gate = gate
        self._venue = venue
        self._log = log("triggers")
        self._watches: dict[str, Watch] = {}
        self._unsaved: set[str] = set()
        self._doubted = False
        self._firing: dict[str, asyncio.Task[None]] = {}

    # -- what is watched ---------------------------------------------------------------------------------------

    async def load(self) -> None:
        async with self._database.reading() as tx:
            for watch in await self._guards.watches(tx):
                self._watches[watch.order_id] = watch

    def add(self, watch: Watch) -> None:
        """Its row is committed."""
        self._watches[watch.order_id] = watch

    def doubt(self) -> None:
        """The answer of a commit was lost: its row may be there, and whoever tries again finds nothing left to add."""
        self._doubted = True

    async def _recall(self) -> None:
        """Under the account's lock, behind which a commit without an answer has ended one way or the other."""
        self._doubted = False
        try:
            async with self._database.transaction() as tx:
                await self._accounts.lock(tx)
                stored = await self._guards.watches(tx)
        except STORE_AWAY:
            self._doubted = True
            raise
        for watch in stored:
            self._watches.setdefault(watch.order_id, watch)

    def changed(self, taken: Taken) -> None:
        """What has ended is watched no more."""
        if taken.order.status.terminal:
            self._watches.pop(taken.order.order_id, None)
            self._unsaved.discard(taken.order.order_id)

    def wire(self, order: OrderRecord) -> OrderTerms:
        """What its present leg asks of the venue."""
        watch = self._watches.get(order.order_id)
        leg = watch.leg if watch is not None else None
        wire = on_the_wire(order.terms, self._venue.capabilities, order.rest, leg)
        mode = effective_mode(wire, self._margin_mode)
        if mode is not wire.margin_mode:
            wire = wire.model_copy(update={"margin_mode": mode})
        if wire.reduce_only and not borrows(wire):
            return wire.model_copy(update={"reduce_only": False})
        return wire

    # -- prices ------------------------------------------------------------------------------------------------

    def quote(self, quote: QuoteChanged) -> None:
        for watch in self._of(quote.symbol):
            self._see(watch, price_for(watch.side, quote.bid, quote.ask))

    def trade(self, trade: TradePrinted) -> None:
        for watch in self._of(trade.symbol):
            self._see(watch, trade.price)

    def _of(self, symbol: str) -> list[Watch]:
        return [watch for watch in self._watches.values() if watch.symbol == symbol]

    def _see(self, watch: Watch, price: Decimal) -> None:
        after = seen(watch, price)
        if after is watch:
            return
        self._watches[watch.order_id] = after
        if after.fired is not None:
            TRIGGERED.labels(self._account, after.fired.value).inc()
            self._fire(after)
        else:
            self._unsaved.add(watch.order_id)

    async def forever(self) -> None:
        """Store how far trailing stops have come, and go on with what could not be done at once."""
        while True:
            await asyncio.sleep(_PAUSE_S)
            try:
                if self._doubted:
                    await self._recall()
                await self._save()
            except STORE_AWAY as error:
                self._log.warning("PostgreSQL is away", error=repr(error))
            for watch in tuple(self._watches.values()):
                if watch.fired is not None:
                    self._fire(watch)

    async def _save(self) -> None:
        unsaved, self._unsaved = self._unsaved, set()
        try:
            if unsaved:
                async with self._database.transaction() as tx:
                    await self._accounts.lock(tx)
                    for order_id in unsaved & self._watches.keys():
                        if order_id in self._firing:
                            continue  # it stores its watch with what it does
                        await self._guards.save_watch(tx, self._watches[order_id])
        except STORE_AWAY:
            self._unsaved |= unsaved
            raise

    async def drain(self, patience_s: float) -> None:
        if self._firing:
            await asyncio.wait(tuple(self._firing.values()), timeout=patience_s)

    # -- when a price has come ---------------------------------------------------------------------------------

    def _fire(self, watch: Watch) -> None:
        if watch.order_id not in self._firing:
            task = asyncio.create_task(self._go(watch))
            self._firing[watch.order_id] = task
            task.add_done_callback(lambda _: self._firing.pop(watch.order_id, None))

    async def _go(self, watch: Watch) -> None:
        try:
            await self._proceed(watch)
        except STORE_AWAY as error:
            self._log.warning("PostgreSQL is away", error=repr(error))
        except Exception:  # the loop comes back to it: a stop must not be forgotten because of one failure
            self._log.error("a triggered order could not be sent", order_id=watch.order_id, exc_info=True)

    async def _proceed(self, watch: Watch) -> None:
        order = await self._orders.now(watch.order_id)
        if order is None or order.status.terminal:
            self._watches.pop(watch.order_id, None)
            return
        if not self._may_leave(order):
            self._unsaved.add(watch.order_id)  # it has fired, also for whoever starts after us
            return
        if not self._open_to(order) and order.terms.type is OrderType.OCO and watch.fired is Fired.TAKE:
            # A halt wants nothing in the book that is no guard: the take-profit waits on, and its stop with it.
            self._watches[watch.order_id] = replace(watch, fired=None)
            return
        if order.working:
            if not order.switching:
                await until_stored(lambda: self._begin(watch))
            order = await self._cancellation.gone(watch.order_id, _CANCEL_PATIENCE_S)
        if order is None or not order.held:
            return
        async with self._preparation.room_for(order):
            await self._next(watch)

    def _may_leave(self, order: OrderRecord) -> bool:
        if self._open_to(order):
            return True
        guards = order.protective or guards_as_booked(order.terms, self._venue.instrument(order.terms.symbol).kind)
        return guards and self._gate.lets_reductions_out

    def _open_to(self, order: OrderRecord) -> bool:
        """To anything of whoever the order is of."""
        return self._gate.state_for(order.origin.strategy) is Gate.OPEN

    async def _begin(self, watch: Watch) -> None:
        """From here a cancellation at the venue ends the leg and not the order."""
        async with self._database.transaction() as tx:
            await self._accounts.lock(tx)
            await self._guards.save_watch(tx, watch)
            await self._orders.begin_switch(tx, watch.order_id)

    async def _next(self, watch: Watch) -> None:
        """Commit the next leg for what is left, then send it."""
        started = monotonic_s()
        try:
            taken, sends = await until_stored(lambda: self._commit(watch))
        except BaseException:
            self._watches[watch.order_id] = watch
            raise
        if taken is None:
            return
        if sends:
            self._submission.send_leg(taken.order, started)
        self._books.on_change(taken)

    async def _commit(self, watch: Watch) -> tuple[Taken | None, bool]:
        with self._submission.sending() as name:
            return await self._commit_leg(watch, name)

    async def _commit_leg(self, watch: Watch, name: Callable[[str], None]) -> tuple[Taken | None, bool]:
        async with self._database.transaction() as tx:
            await self._accounts.lock(tx)
            order = await self._orders.by_id(tx, watch.order_id)
            if order is None or not order.held:
                return None, False
            if order.cancel_requested:
                return await self._books.tell_within(tx, order.order_id, CancelledAtVenue(None, "cancelled")), False
            halted = not self._open_to(order)
            quantity, refusal = await self._preparation.reducible(tx, order, only_reduces=halted)
            if refusal is not None:
                return await self._books.tell_within(tx, order.order_id, CancelledAtVenue(None, refusal)), False
            if order.submitted_at is not None:
                order = await self._orders.next_leg(tx, order)
            name(order.order_id)
            taken = await self._books.tell_within(tx, order.order_id, SubmissionStarted(quantity))
            assert taken.order.status is OrderStatus.SUBMITTING
            after = after_sending(watch, order.terms)
            await self._guards.save_watch(tx, after)
            # Before the commit: where its answer is lost, the leg leaves from the books, and as the one it is.
            self._watches[watch.order_id] = after
            return taken, True
