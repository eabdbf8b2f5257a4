"""Lost answers: the venue is asked, with growing pauses, until it is known what became of the order.

Invariant: nothing is sent again, under any id. An order the venue does not know becomes ``lost`` only by
``domain.search``'s rule; then it stays reserved, people are told, and it is taken back when it appears.
"""

import asyncio

from algotrendy_common.bus import Bus
from algotrendy_common.clock import Clock, monotonic_s
from algotrendy_common.enums import Severity
from algotrendy_common.telemetry import log
from algotrendy_core import orders
from algotrendy_core.order_states import NotFoundAtVenue
from prometheus_client import Counter

from algotrendy_broker_gateway.desk.books import Books
from algotrendy_broker_gateway.desk.persistence import STORE_AWAY
from algotrendy_broker_gateway.desk.reports import Reports
from algotrendy_broker_gateway.domain.order_record import OrderRecord
from algotrendy_broker_gateway.domain.search import Patience, Search, next_delay, not_found, unanswered
from algotrendy_broker_gateway.domain.venue_report import VenueReport
from algotrendy_broker_gateway.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.ports import Venue
from algotrendy_broker_gateway.store.accounts import AccountStore
from algotrendy_broker_gateway.store.orders import OrderStore

RESOLVED = Counter("algotrendy_outcomes_resolved_total", "Unknown outcomes by what they turned out to be", ["as"])
_IDLE_S = 5.0
_AT_ONCE = 8


class Resolution:
    """One account's."""

    def __init__(
        self,
        order_store: OrderStore,
        accounts: AccountStore,
        books: Books,
        reports: Reports,
        venue: Venue,
        bus: Bus,
        clock: Clock,
        patience: Patience,
    ) -> None:
        self._orders = order_store
        self._accounts = accounts
        self._books = books
        self._reports = reports
        self._venue = venue
        self._bus = bus
        self._clock = clock
        self._patience = patience
        self._log = log("resolution")
        self._due_s: dict[str, float] = {}
        self._woken = asyncio.Event()
        self._room = asyncio.Semaphore(_AT_ONCE)

    def wake(self) -> None:
        self._woken.set()

    async def forever(self) -> None:
        while True:
            self._woken.clear()
            try:
                pause_s = await self._round()
            except STORE_AWAY as error:
                self._log.warning("PostgreSQL is away", error=repr(error))
                pause_s = 0.5
            try:
                await asyncio.wait_for(self._woken.wait(), pause_s)
            except TimeoutError:
                continue

    async def _round(self) -> float:
        """Ask for every order that is due; returns the seconds until the next one is."""
        searched = await self._orders.searched()
        now_s = monotonic_s()
        known = {order.order_id for order, _ in searched}
        self._due_s = {order_id: due for order_id, due in self._due_s.items() if order_id in known}
        due = []
        for order, search in searched:
            at = self._due_s.setdefault(order.order_id, now_s + next_delay(search, self._patience).total_seconds())
            if at <= now_s:
                due.append((order, search))
        await asyncio.gather(*(self._ask(order, search) for order, search in due))
        pauses = [max(at - monotonic_s(), 0.0) for at in self._due_s.values()]
        return min(pauses, default=_IDLE_S)

    async def _ask(self, order: OrderRecord, search: Search) -> None:
        async with self._room:
            try:
                report = await self._find(order)
            except (VenueUnreachable, VenueRefused) as error:
                self._log.warning("cannot ask for an order", order_id=order.order_id, error=str(error))
                await self._again(order, unanswered(search))
                return
            if report is not None:
                await self._found(order, report)
                return
            search, over = not_found(search, self._clock.now(), self._patience)
            if over:
                await self._give_up(order, search)
            else:
                await self._again(order, search)

    async def _again(self, order: OrderRecord, search: Search) -> None:
        await self._orders.save_search(order.order_id, search)
        self._due_s[order.order_id] = monotonic_s() + next_delay(search, self._patience).total_seconds()

    async def _found(self, order: OrderRecord, report: VenueReport) -> None:
        taken = await self._reports.take(report)
        await self._orders.end_search(order.order_id)
        self._due_s.pop(order.order_id, None)
        RESOLVED.labels(taken.order.status.value).inc()
        self._log.info("outcome known", order_id=order.order_id, status=taken.order.status.value)

    async def _give_up(self, order: OrderRecord, search: Search) -> None:
        """Last of all a cancellation under its id: were it to appear, it should not work."""
        try:
            report = await self._venue.cancel(
                order.terms.symbol, order.venue_client_id, orders.venue_order_id(order.state)
            )
        except (OutcomeUnknown, VenueRefused) as error:
            self._log.warning("cancellation of a lost order unanswered", order_id=order.order_id, error=str(error))
            await self._again(order, unanswered(search))
            return
        if report is not None:
            await self._found(order, report)
            return
        seconds = (self._clock.now() - search.since).total_seconds()
        detail = f"the venue did not know it in {search.not_found} answers, {seconds:.0f} s after its answer was lost"
        await self._books.tell(order.order_id, NotFoundAtVenue(detail))
        self._due_s.pop(order.order_id, None)
        RESOLVED.labels("lost").inc()
        await self._bus.alert(
            Severity.CRITICAL, "order_lost", detail, order_id=order.order_id, client_id=order.client_order_id
        )

    async def _find(self, order: OrderRecord) -> VenueReport | None:
        """By client id, then among the open orders, then behind trades that no order of ours explains."""
        symbol, client_id = order.terms.symbol, order.venue_client_id
        report = await self._venue.order(symbol, client_id)
        if report is not None:
            return report
        for found in await self._venue.open_orders():
            if found.order.client_id == client_id:
                return found
        watermark = await self._accounts.watermark(symbol)
        if watermark is None:
            return None
        page = await self._venue.fills_after(symbol, watermark)
        for venue_order_id in dict.fromkeys(fill.venue_order_id for fill in page.fills):
            found_behind = await self._venue.order_by_venue_id(symbol, venue_order_id)
            if found_behind is not None and found_behind.order.client_id == client_id:
                return found_behind
        return None
