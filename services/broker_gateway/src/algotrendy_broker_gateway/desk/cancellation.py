"""Working orders gone: asked for by somebody, or all of them by a halt.

Invariant: a cancellation only asks; what became of the order is what the venue then reports. Asking twice is harmless.
"""

import asyncio
from datetime import datetime

from algotrendy_common.database import Database
from algotrendy_common.enums import OrderStatus
from algotrendy_common.events.order import OrderCancelRequested
from algotrendy_common.telemetry import log
from algotrendy_core import orders
from algotrendy_core.order_states import CancelledAtVenue

from algotrendy_broker_gateway.desk.books import Books, Taken
from algotrendy_broker_gateway.desk.persistence import until_stored
from algotrendy_broker_gateway.desk.reports import Reports
from algotrendy_broker_gateway.domain.cancel_policy import guards_as_booked
from algotrendy_broker_gateway.domain.order_record import OrderRecord
from algotrendy_broker_gateway.domain.venue_report import Standing
from algotrendy_broker_gateway.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.ports import Venue
from algotrendy_broker_gateway.store.accounts import AccountStore
from algotrendy_broker_gateway.store.orders import OrderStore

CONSUMER = "broker_gateway-order-cancel-requested"
_ATTEMPT_DELAYS_S = (0.2, 0.5, 1.0, 2.0)


class Cancellation:
    """One account's."""

    def __init__(
        self,
        database: Database,
        order_store: OrderStore,
        accounts: AccountStore,
        books: Books,
        reports: Reports,
        venue: Venue,
    ) -> None:
        self._database = database
        self._orders = order_store
        self._accounts = accounts
        self._books = books
        self._reports = reports
        self._venue = venue
        self._log = log("cancellation")
        self._underway: dict[str, asyncio.Task[None]] = {}

    async def requested(self, event: OrderCancelRequested) -> None:
        async with self._database.transaction() as tx:
            if not await tx.first_delivery(event, CONSUMER):
                return
            await self._accounts.lock(tx)
            order = await self._orders.by_id(tx, event.order_id)
            if order is None:
                await self._orders.cancel_early(tx, event)
                return
            if order.status is OrderStatus.APPROVED or order.held:
                reason = CancelledAtVenue(None, f"cancelled: {event.requested_by}: {event.reason}")
                await self._books.tell_within(tx, order.order_id, reason)
                return
            if order.status.terminal:
                return
            await self._orders.want_cancelled(tx, order.order_id)
        if order.working:
            self.start(order)

    async def all_working(self, strategy: str | None = None) -> int:
        """Want every live order gone (of one strategy, where it is named), and ask for those that are working; the
        others are asked for when they appear. Returns how many were asked for.

        Exits stay: whoever halts an account does not want its positions bare.
        """
        asked = 0
        for order in await self._orders.live():
            if order.status is OrderStatus.APPROVED or order.protective:
                continue
            if strategy is not None and order.origin.strategy != strategy:
                continue
            if guards_as_booked(order.terms, self._venue.instrument(order.terms.symbol).kind):
                continue
            if order.held:
                await self.end_held(order, "halted: trading on the account is halted")
                continue
            if not order.cancel_requested:
                await until_stored(lambda order_id=order.order_id: self._want(order_id))  # type: ignore[misc]
            if order.working:
                self.start(order)
                asked += 1
        return asked

    async def gone(self, order_id: str, patience_s: float) -> OrderRecord | None:
        """Ask the venue until it has answered, or patience ends; the order as it is known then."""
        order = await self._orders.now(order_id)
        if order is not None and order.held:
            await self.end_held(order, "cancelled: asked for")
        elif order is not None and order.working:
            self.start(order)
            underway = self._underway.get(order_id)
            if underway is not None:
                await asyncio.wait((underway,), timeout=patience_s)
        return await self._orders.now(order_id)

    async def end_held(self, order: OrderRecord, reason: str) -> None:
        """Nothing of it is at the venue: its end is ours to say."""

        async def end() -> Taken | None:
            async with self._database.transaction() as tx:
                await self._accounts.lock(tx)
                found = await self._orders.by_id(tx, order.order_id)
                if found is None or not found.held:
                    return None
                return await self._books.tell_within(tx, order.order_id, CancelledAtVenue(None, reason))

        taken = await until_stored(end)
        if taken is not None:
            self._books.on_change(taken)

    async def end_overdue(self, now: datetime) -> None:
        """Orders whose time is over, where the venue has no such end of its own (or is late)."""
        for order in await self._orders.overdue(now):
            if order.held:
                await self.end_held(order, "expired: its time was over")
            elif order.working and not order.switching:
                await until_stored(lambda order_id=order.order_id: self._want(order_id))  # type: ignore[misc]
                self.start(order)

    async def _want(self, order_id: str) -> None:
        async with self._database.transaction() as tx:
            await self._orders.want_cancelled(tx, order_id)

    def start(self, order: OrderRecord) -> None:
        """Ask the venue, unless that is under way."""
        if order.order_id not in self._underway:
            task = asyncio.create_task(self._cancel(order))
            self._underway[order.order_id] = task
            task.add_done_callback(lambda _: self._underway.pop(order.order_id, None))

    async def drain(self, patience_s: float) -> None:
        if self._underway:
            await asyncio.wait(tuple(self._underway.values()), timeout=patience_s)

    async def _cancel(self, order: OrderRecord) -> None:
        symbol, client_id = order.terms.symbol, order.venue_client_id
        for delay_s in (*_ATTEMPT_DELAYS_S, None):
            try:
                report = await self._venue.cancel(symbol, client_id, orders.venue_order_id(order.state))
                if report is None:  # nothing works under this id any more: the venue says what became of it
                    report = await self._venue.order(symbol, client_id)
                if report is None:
                    return
                taken = await self._reports.take(report)
                if report.order.standing is Standing.WORKING or not taken.order.working:
                    return
                self._log.info("ended, and its last fills are not listed yet", order_id=order.order_id)
            except VenueRefused as refused:
                self._log.error("cancellation refused", order_id=order.order_id, error=str(refused))
                return
            except (OutcomeUnknown, VenueUnreachable) as error:
                self._log.warning("cancellation unanswered", order_id=order.order_id, error=str(error))
            if delay_s is not None:
                await asyncio.sleep(delay_s)
        # The next comparison finds the order still working and its cancellation still wanted.
