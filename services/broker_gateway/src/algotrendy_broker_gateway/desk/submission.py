"""Approved in, order out: the one place from which an order leaves.

Invariant: the order is committed, with its client order id, before the call; each order is called for once in its life,
whatever is delivered twice, restarted or left unanswered. An answer that is not a clear yes or no is
``outcome_unknown``.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from algotrendy_common.approval import Verifier
from algotrendy_common.bus import Bus
from algotrendy_common.clock import Clock, monotonic_s
from algotrendy_common.database import Database, Transaction
from algotrendy_common.enums import OrderStatus, Severity
from algotrendy_common.errors import InvariantBroken
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.order import OrderApproved, OrderTerms
from algotrendy_common.money import ZERO
from algotrendy_common.telemetry import log
from algotrendy_common.tracing import span
from algotrendy_core.order_states import (
    CancelledAtVenue,
    RejectedByVenue,
    Report,
    SubmissionStarted,
    SubmissionUnanswered,
)
from opentelemetry.trace import SpanKind
from prometheus_client import Counter, Histogram

from algotrendy_broker_gateway.desk import announcements
from algotrendy_broker_gateway.desk.books import Books, Taken
from algotrendy_broker_gateway.desk.entries_out import EntriesOut
from algotrendy_broker_gateway.desk.gate import TradingGate
from algotrendy_broker_gateway.desk.persistence import until_stored
from algotrendy_broker_gateway.desk.preparation import Preparation
from algotrendy_broker_gateway.desk.reports import Reports
from algotrendy_broker_gateway.domain.admission import Gate, admit, refusal_while_waiting
from algotrendy_broker_gateway.domain.cancel_policy import guards_as_booked
from algotrendy_broker_gateway.domain.order_record import OrderRecord
from algotrendy_broker_gateway.domain.outbound_count import OutboundCount, Pass, ProtectiveCount
from algotrendy_broker_gateway.domain.venue_report import VenueReport
from algotrendy_broker_gateway.errors import (
    ForgedApproval,
    OutboundBreach,
    OutcomeUnknown,
    VenueRefused,
)
from algotrendy_broker_gateway.ports import Venue
from algotrendy_broker_gateway.store.accounts import AccountStore
from algotrendy_broker_gateway.store.orders import OrderStore

CONSUMER = "broker_gateway-order-approved"
_NOT_READY_S = 0.5
_BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
SUBMIT_SECONDS = Histogram(
    "algotrendy_submit_seconds", "From an approval's arrival to the call of the venue", ["venue"], buckets=_BUCKETS
)
ANSWER_SECONDS = Histogram(
    "algotrendy_venue_answer_seconds", "From the call of the venue to its answer", ["venue"], buckets=_BUCKETS
)
SUBMITTED = Counter("algotrendy_orders_submitted_total", "Orders by what the venue answered", ["venue", "answer"])


class Submission:
    """One account's. ``in_flight`` are the orders whose call has not come back."""

    def __init__(
        self,
        *,
        account: str,
        venue: Venue,
        verifier: Verifier,
        gate: TradingGate,
        count: OutboundCount,
        exits: ProtectiveCount,
        preparation: Preparation,
        database: Database,
        orders: OrderStore,
        accounts: AccountStore,
        books: Books,
        reports: Reports,
        events: EventFactory,
        bus: Bus,
        clock: Clock,
    ) -> None:
        self._account = account
        self._venue = venue
        self._verifier = verifier
        self._gate = gate
        self._count = count
        self._exits = exits
        self.preparation = preparation
        self._database = database
        self._orders = orders
        self._accounts = accounts
        self._books = books
        self._reports = reports
        self._events = events
        self._bus = bus
        self._clock = clock
        self._log = log("submission")
        self._releasing = asyncio.Lock()
        self._placing: set[str] = set()
        self._called: set[str] = set()
        self.in_flight: dict[str, asyncio.Task[None]] = {}
        self.entries_out = EntriesOut()
        self.on_unknown: Callable[[], None] = lambda: None
        """Told that an outcome became unknown."""
        self.prepare_soon: Callable[[OrderRecord], None] = lambda order: None
        """Asked for what cannot be sent at once."""
        self.wire: Callable[[OrderRecord], OrderTerms] = lambda order: order.terms
        """What the venue is asked for."""

    # -- approvals ---------------------------------------------------------------------------------------------

    async def approved(self, approved: OrderApproved) -> None:
        """Commit the order and call the venue without waiting for its answer. Raises ForgedApproval."""
        started = monotonic_s()
        if not self._verifier.genuine(approved):
            raise ForgedApproval("approval_forged", "risk did not sign this approval", approval_id=approved.approval_id)
        gate = self._gate.state_for(approved.origin.strategy) if approved.terms.account == self._account else None
        now = self._clock.now()
        objection = None
        prepares = False
        if gate is not None:
            objection = self.preparation.refusal(approved.terms, approved.notional, now)
            prepares = gate is Gate.OPEN and not self.preparation.plain(approved.terms)
        admission = admit(approved, Gate.WAITING if prepares else gate, self._venue.name, now, objection)
        order = admission.order
        told = announcements.order_updated(self._events, order, order.created_at)
        outgoing = self._database.outgoing(told)
        client_id = order.client_order_id
        leaves = order.status in (OrderStatus.SUBMITTING, OrderStatus.APPROVED)
        new = leaves and client_id not in self._called and not self._count.knows(client_id)
        if new:
            # Before the commit: where its answer is lost the order is there all the same, and leaves from there.
            self._count.admit(client_id, _pass(approved))
        self._placing.add(order.order_id)
        try:
            if await self._orders.place(approved, CONSUMER, order, admission.history, told, outgoing):
                if admission.submit:
                    self._send(order, started)
                self._database.on_commit([outgoing])
                if prepares and order.status is OrderStatus.APPROVED:
                    self.prepare_soon(order)
                return
        finally:
            self._placing.discard(order.order_id)
        if new:
            self._count.withdraw(client_id)
        await self._known_already(approved)

    async def _known_already(self, approved: OrderApproved) -> None:
        """A repeated delivery, a second approval of one order, or an order that was cancelled before it came."""
        async with self._database.transaction() as tx:
            await self._accounts.lock(tx)
            first = await tx.first_delivery(approved, CONSUMER)
            order = await self._orders.by_id(tx, approved.terms.order_id)
            if order is None and first:
                await self._enter_cancelled(tx, approved)
        if order is None:
            return
        if order.approval_id != approved.approval_id:
            await self._bus.alert(
                Severity.CRITICAL,
                "approved_twice",
                "one order was approved twice; the second approval is not acted upon",
                order_id=order.order_id,
                approval_id=approved.approval_id,
            )
        elif self.stranded(order):
            await self.release_waiting()

    async def _enter_cancelled(self, tx: Transaction, approved: OrderApproved) -> None:
        wanted = await self._orders.early_cancel(tx, approved.terms.order_id)
        gate = Gate.WAITING if approved.terms.account == self._account else None
        admission = admit(approved, gate, self._venue.name, self._clock.now())
        told = announcements.order_updated(self._events, admission.order, admission.order.created_at)
        await self._orders.add(tx, admission.order, admission.history, told)
        await tx.emit(told)
        if admission.order.status is OrderStatus.APPROVED:
            reason = CancelledAtVenue(None, f"cancelled: {wanted}, before it was submitted")
            await self._books.tell_within(tx, admission.order.order_id, reason)

    async def load_waiting(self) -> None:
        """At start: what waited before counts as approved, and what was on its way has an unknown outcome."""
        for order in await self._orders.live(OrderStatus.SUBMITTING):
            lost = SubmissionUnanswered("the gateway ended before the venue's answer was recorded")
            await self._books.tell(order.order_id, lost)
        for order in await self._orders.live(OrderStatus.APPROVED):
            self._count.admit(order.client_order_id, _pass_of(order))
        for symbol, quantity in (await self._accounts.positions()).items():
            self._exits.position(symbol, quantity)
        for order in await self._orders.live():
            self.entries_out.note(order)
            self._remains(order)

    def changed(self, taken: Taken) -> None:
        """The count of exits hears of positions and of its orders as they are committed."""
        if taken.position is not None:
            self._exits.position(taken.order.terms.symbol, taken.position)
        self.entries_out.changed(taken.order)
        self._remains(taken.order)

    def _remains(self, order: OrderRecord) -> None:
        if order.protective:
            at_venue = ZERO if order.held or order.status is OrderStatus.APPROVED else order.rest
            self._exits.remains(order.client_order_id, order.terms.symbol, at_venue)
            for ended in order.ended_client_ids:
                self._exits.remains(ended, order.terms.symbol, ZERO)

    async def release_waiting(self) -> None:
        """Submit or cancel what waited, oldest first, as the gate now says."""
        async with self._releasing:
            for order in await self._orders.live(OrderStatus.SUBMITTING):
                if self.stranded(order):
                    await self._resume(order)
            for order in await self._orders.live(OrderStatus.APPROVED):
                gate = self._gate.state_for(order.origin.strategy)
                refusal = refusal_while_waiting(order, gate, self._clock.now())
                if refusal is not None:
                    await self._still(order, CancelledAtVenue(None, refusal))
                elif gate is Gate.OPEN and not self.preparation.plain(order.terms):
                    self.prepare_soon(order)
                elif gate is Gate.OPEN:
                    started = monotonic_s()
                    taken = await self._still(order, SubmissionStarted())
                    if taken is not None:
                        self._send(taken.order, started)

    async def _still(self, order: OrderRecord, report: Report) -> Taken | None:
        """Apply a report that holds for the order as it was read; None where it went on since, cancelled or sent."""
        async with self._database.transaction() as tx:
            await self._accounts.lock(tx)
            found = await self._orders.by_id(tx, order.order_id)
            if found is None or found.status is not order.status:
                return None
            taken = await self._books.tell_within(tx, order.order_id, report)
        self._books.on_change(taken)
        return taken

    @contextmanager
    def sending(self) -> Iterator[Callable[[str], None]]:
        """Around a commit after which orders are sent: what is named in it is on its way, and stranded only if the
        commit's answer is lost."""
        named: set[str] = set()

        def name(order_id: str) -> None:
            named.add(order_id)
            self._placing.add(order_id)

        try:
            yield name
        except BaseException:
            self._placing -= named
            raise

    def on_its_way(self, order_id: str) -> bool:
        """Its call is out, or about to be made."""
        return order_id in self.in_flight or order_id in self._placing

    def send(self, order: OrderRecord, started: float) -> None:
        """An approved order that was prepared; committed as on its way, inside ``sending``."""
        self._send(order, started)

    def send_leg(self, order: OrderRecord, started: float) -> None:
        """An order that waited here, or its next leg; committed as on its way."""
        if not order.protective and not self._count.knows(order.client_order_id):
            approved = _pass_of(order)
            left = order.terms.model_copy(update={"quantity": order.rest})
            self._count.admit(order.client_order_id, Pass(approved.approval_id, left, approved.notional))
        self._send(order, started)

    def send_exit(self, order: OrderRecord) -> None:
        """An order of the gateway's own; committed as on its way."""
        self._send(order, monotonic_s())

    def stranded(self, order: OrderRecord) -> bool:
        """Committed, though the commit's own answer was lost, and so never called for. Only this process can have
        committed it: what an earlier one left is ``outcome_unknown`` since the start."""
        return (
            order.status is OrderStatus.SUBMITTING
            and order.client_order_id not in self._called
            and order.order_id not in self._placing
        )

    async def _resume(self, order: OrderRecord) -> None:
        if order.protective:
            if self._gate.lets_reductions_out and self.stranded(order):
                self._send(order, monotonic_s())
            return
        gate = self._gate.state_for(order.origin.strategy)
        refusal = refusal_while_waiting(order, gate, self._clock.now())
        # What waited for its price has been acted upon in time: only its approval's own end would be later.
        if refusal is not None and not order.terms.type.triggered:
            await self._still(order, CancelledAtVenue(None, refusal))
        elif (gate is Gate.OPEN or self._fired_guard(order, self.wire(order))) and self.stranded(order):
            self.send_leg(order, monotonic_s())

    # -- the call ----------------------------------------------------------------------------------------------

    def _send(self, order: OrderRecord, started: float) -> None:
        if order.client_order_id in self._called:
            raise OutboundBreach("an order was about to be sent twice", order_id=order.order_id)
        self._called.add(order.client_order_id)
        self.entries_out.note(order)
        self._placing.discard(order.order_id)
        # Eager: the request is on the wire before this returns, so that nothing is waited for in between.
        task = _eagerly(self._submit(order, started))
        if not task.done():
            self.in_flight[order.order_id] = task
            task.add_done_callback(lambda _: self.in_flight.pop(order.order_id, None))

    async def _submit(self, order: OrderRecord, started: float) -> None:
        with span("submit order", kind=SpanKind.CLIENT, order_id=order.order_id, client_id=order.client_order_id):
            terms = self.wire(order)
            if order.protective:
                kept = self._kept_back(order, terms)
            else:
                try:
                    self._count.let_out(order.client_order_id, terms)
                except OutboundBreach as breach:
                    await self._stop(order, breach)
                    return
                gate = self._gate.state_for(order.origin.strategy)
                # It may have closed between the commit and here: then nothing has left.
                goes = gate is Gate.OPEN or self._fired_guard(order, terms)
                kept = None if goes else f"{gate.value}: it closed before the order was sent"
            if kept is not None:
                await self._tell(order, CancelledAtVenue(None, kept))
                return
            called = monotonic_s()
            SUBMIT_SECONDS.labels(self._venue.name).observe(called - started)
            try:
                report = await self._venue.submit(order.client_order_id, terms)
            except VenueRefused as refused:
                SUBMITTED.labels(self._venue.name, "refused").inc()
                await self._tell(order, RejectedByVenue(refused.code, str(refused)))
            except Exception as unknown:  # whatever went wrong, the request may be out
                SUBMITTED.labels(self._venue.name, "unknown").inc()
                expected = isinstance(unknown, OutcomeUnknown)
                self._log.warning("outcome unknown", order_id=order.order_id, error=str(unknown), exc_info=not expected)
                await self._tell(order, SubmissionUnanswered(str(unknown)))
                self.on_unknown()
            else:
                ANSWER_SECONDS.labels(self._venue.name).observe(monotonic_s() - called)
                SUBMITTED.labels(self._venue.name, "accepted").inc()
                await self._accepted(order, report)

    def _fired_guard(self, order: OrderRecord, wire: OrderTerms) -> bool:
        """A strategy's own exit whose price has come here: a halt lets it trade, as it lets one that waits at the
        venue."""
        if wire.type.triggered or not self._gate.lets_reductions_out:
            return False
        return guards_as_booked(order.terms, self._venue.instrument(order.terms.symbol).kind)

    def _kept_back(self, order: OrderRecord, terms: OrderTerms) -> str | None:
        if not self._gate.lets_reductions_out:
            return "waiting: nothing may leave the account"
        objection = self._exits.objection(order.client_order_id, terms)
        return None if objection is None else f"exit_too_large: {objection}"

    async def _accepted(self, order: OrderRecord, report: VenueReport) -> None:
        try:
            await self._reports.take(report)
        except InvariantBroken as broken:
            await self.stop(f"the venue's answer to {order.order_id} cannot be true: {broken}")
        except Exception:  # the venue has it: the next comparison brings it into the books
            self._log.error("answer not recorded", order_id=order.order_id, exc_info=True)

    async def _tell(self, order: OrderRecord, report: Report) -> None:
        await until_stored(lambda: self._books.tell(order.order_id, report))

    async def _stop(self, order: OrderRecord, breach: OutboundBreach) -> None:
        """The count does not add up: nothing leaves any more until a person has looked."""
        await self.stop(str(breach))
        await self._tell(order, CancelledAtVenue(None, f"stopped: {breach}"))

    async def stop(self, reason: str) -> None:
        """Close the gate, over restarts, and tell people."""
        self._gate.stopped = reason
        await self._bus.alert(Severity.CRITICAL, "account_stopped", reason, account=self._account)
        await until_stored(lambda: self._accounts.stop(reason))

    async def lost_track(self, order: OrderRecord) -> None:
        """An order on its way that is neither in flight nor known to the venue: from here it is searched for."""
        await self._tell(order, SubmissionUnanswered("the call ended without an answer being recorded"))
        self.on_unknown()

    async def drain(self, patience_s: float) -> None:
        """Wait for calls that are out; what does not come back is ``outcome_unknown`` at the next start."""
        if self.in_flight:
            await asyncio.wait(tuple(self.in_flight.values()), timeout=patience_s)


def _eagerly(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.Task(work, loop=asyncio.get_running_loop(), eager_start=True)


def _pass(approved: OrderApproved) -> Pass:
    return Pass(approved.approval_id, approved.terms, approved.notional)


def _pass_of(order: OrderRecord) -> Pass:
    assert order.approval_id is not None
    assert order.notional is not None
    return Pass(order.approval_id, order.terms, order.notional)
