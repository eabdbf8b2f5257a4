"""Approved orders that cannot be sent at once: what has to go first goes, then they are committed and sent, or held.

Invariant: it leaves by the same door as any other (``Submission``), after the same last look at the gate; until it is
committed as on its way it is an approved order like others, so that a restart finds it and begins anew.
"""

import asyncio
from collections.abc import Callable

from algotrendy_common.clock import Clock, monotonic_s
from algotrendy_common.database import Database
from algotrendy_common.enums import OrderStatus
from algotrendy_common.telemetry import log
from algotrendy_core.order_states import CancelledAtVenue, HeldByGateway, SubmissionStarted

from algotrendy_broker_gateway.desk.books import Books, Taken
from algotrendy_broker_gateway.desk.gate import TradingGate
from algotrendy_broker_gateway.desk.persistence import STORE_AWAY, until_stored
from algotrendy_broker_gateway.desk.preparation import Never, Preparation, Ready
from algotrendy_broker_gateway.desk.submission import Submission
from algotrendy_broker_gateway.domain.admission import Gate, refusal_while_waiting
from algotrendy_broker_gateway.domain.order_record import OrderRecord
from algotrendy_broker_gateway.domain.triggers import Watch
from algotrendy_broker_gateway.errors import LeaseLost, VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.store.accounts import AccountStore
from algotrendy_broker_gateway.store.guards import GuardStore
from algotrendy_broker_gateway.store.orders import OrderStore

_NOT_READY_S = 0.5


class Readying:
    """One account's."""

    def __init__(
        self,
        database: Database,
        orders: OrderStore,
        accounts: AccountStore,
        guards: GuardStore,
        books: Books,
        preparation: Preparation,
        submission: Submission,
        gate: TradingGate,
        clock: Clock,
    ) -> None:
        self._database = database
        self._orders = orders
        self._accounts = accounts
        self._guards = guards
        self._books = books
        self._preparation = preparation
        self._submission = submission
        self._gate = gate
        self._clock = clock
        self._log = log("readying")
        self._preparing: dict[str, asyncio.Task[None]] = {}
        self.on_watch: Callable[[Watch], None] = lambda watch: None
        """Told of a price that is to be waited for."""
        self.on_doubt: Callable[[], None] = lambda: None
        """Told that the answer of a commit was lost: a price that is to be waited for may be in the store alone."""

    def soon(self, order: OrderRecord) -> None:
        if order.order_id not in self._preparing:
            task = asyncio.create_task(self._prepare(order))
            self._preparing[order.order_id] = task
            task.add_done_callback(lambda _: self._preparing.pop(order.order_id, None))

    async def _prepare(self, order: OrderRecord) -> None:
        """Everything that has to go first, then the order itself; what fails is tried again with the next release."""
        started = monotonic_s()
        try:
            async with self._preparation.room_for(order):
                verdict = await self._preparation.ready(order, self._clock.now())
                while verdict is None and refusal_while_waiting(order, Gate.OPEN, self._clock.now()) is None:
                    self._log.warning("an order cannot leave yet", order_id=order.order_id)
                    await asyncio.sleep(_NOT_READY_S)
                    verdict = await self._preparation.ready(order, self._clock.now())
                if verdict is None:
                    return
                taken = await until_stored(lambda: self._commit_prepared(order, verdict))
                if taken is None:
                    return
                if isinstance(verdict, Ready) and verdict.watch is not None:
                    self.on_watch(verdict.watch)
                if taken.order.status is OrderStatus.SUBMITTING:
                    self._submission.send(taken.order, started)
            self._books.on_change(taken)
        except (VenueUnreachable, VenueRefused, LeaseLost) as error:
            self._log.warning("an order cannot leave yet", order_id=order.order_id, error=str(error))
        except Exception:  # it waits, approved, until it can leave or its approval ends
            self._log.error("an order could not be prepared", order_id=order.order_id, exc_info=True)

    async def _commit_prepared(self, order: OrderRecord, verdict: Ready | Never) -> Taken | None:
        try:
            with self._submission.sending() as name:
                return await self._commit(order, verdict, name)
        except STORE_AWAY:
            self.on_doubt()
            raise

    async def _commit(self, order: OrderRecord, verdict: Ready | Never, name: Callable[[str], None]) -> Taken | None:
        async with self._database.transaction() as tx:
            await self._accounts.lock(tx)
            found = await self._orders.by_id(tx, order.order_id)
            if found is None or found.status is not OrderStatus.APPROVED:
                return None  # cancelled meanwhile
            refusal = refusal_while_waiting(found, self._gate.state_for(found.origin.strategy), self._clock.now())
            if refusal is not None:
                return await self._books.tell_within(tx, order.order_id, CancelledAtVenue(None, refusal))
            if isinstance(verdict, Never):
                return await self._books.tell_within(tx, order.order_id, CancelledAtVenue(None, verdict.reason))
            quantity = verdict.quantity
            if not verdict.hold:  # what is held is cut to size when its price has come
                quantity, nothing = await self._preparation.reducible(tx, found, quantity)
                if nothing is not None:
                    return await self._books.tell_within(tx, order.order_id, CancelledAtVenue(None, nothing))
            if verdict.watch is not None:
                await self._guards.save_watch(tx, verdict.watch)
            if not verdict.hold:
                name(order.order_id)
            begun = HeldByGateway(quantity) if verdict.hold else SubmissionStarted(quantity)
            return await self._books.tell_within(tx, order.order_id, begun)

    async def drain(self, patience_s: float) -> None:
        if self._preparing:
            await asyncio.wait(tuple(self._preparing.values()), timeout=patience_s)
