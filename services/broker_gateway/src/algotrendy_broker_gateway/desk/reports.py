"""What follows from a venue's report beyond the books: fills it counts but did not bring, alarms, wanted cancellations.

Invariant: after ``take`` the order's fills add up to what the venue says was executed; where the venue cannot list them
yet the order stays as it was, and a comparison soon asks again.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from algotrendy_common.bus import Bus
from algotrendy_common.enums import Severity
from algotrendy_common.money import ZERO
from algotrendy_common.telemetry import log
from algotrendy_core import orders
from algotrendy_core.order_states import CancelledAtVenue
from prometheus_client import Counter

from algotrendy_broker_gateway.desk.books import Books, Taken
from algotrendy_broker_gateway.desk.persistence import until_stored
from algotrendy_broker_gateway.domain.order_record import OrderRecord
from algotrendy_broker_gateway.domain.outbound_count import check_executed
from algotrendy_broker_gateway.domain.venue_report import Standing, VenueReport
from algotrendy_broker_gateway.errors import VenueUnreachable
from algotrendy_broker_gateway.ports import Venue, VenuePosition

FILLS = Counter("algotrendy_fills_total", "Fills counted", ["account"])
ADOPTED = Counter("algotrendy_orders_adopted_total", "Orders made outside the platform", ["account"])


class Reports:
    def __init__(self, books: Books, venue: Venue, bus: Bus, account: str, slippage: Decimal) -> None:
        self._slippage = slippage
        self._books = books
        self._venue = venue
        self._bus = bus
        self._account = account
        self._log = log("reports")
        self.on_working: Callable[[OrderRecord], None] = lambda order: None
        """Told of an order that is working though its cancellation is wanted."""
        self.on_incomplete: Callable[[], None] = lambda: None
        """Told that the venue has counted fills that it does not list yet."""

    async def take(self, report: VenueReport) -> Taken:
        """Into the books, again and again until they are reachable.

        Raises InvariantBroken, after what happened is in the books, where it exceeds what was approved.
        """
        taken = await until_stored(lambda: self._books.take(report))
        if taken.order.traded_at(report.order.venue_order_id) < report.order.executed_quantity:
            taken = await self._complete(report, taken)
            if taken.order.traded_at(report.order.venue_order_id) < report.order.executed_quantity:
                self.on_incomplete()
        if _cut_short(report, taken.order):
            ended = CancelledAtVenue(report.order.venue_order_id, "cut short: it was for more than the venue let it be")
            told = await until_stored(lambda: self._books.tell(taken.order.order_id, ended))
            taken = replace(told, steps=taken.steps + told.steps, adopted=taken.adopted, doubled=taken.doubled)
        self._count(taken)
        if taken.adopted and report.order.liquidation:
            await self._bus.alert(
                Severity.CRITICAL,
                "position_liquidated",
                f"the venue liquidated a position in {report.order.symbol}",
                account=self._account,
                order_id=taken.order.order_id,
            )
        if taken.doubled:
            await self._bus.alert(
                Severity.CRITICAL,
                "order_doubled",
                "the venue holds a second order under one of our client ids",
                account=self._account,
                client_id=report.order.client_id,
                venue_order_id=report.order.venue_order_id,
            )
        over = orders.overfilled_quantity(taken.order.state)
        if over and taken.new_fills:
            await self._bus.alert(
                Severity.CRITICAL,
                "order_overfilled",
                f"the venue traded {over} more than was ordered",
                account=self._account,
                order_id=taken.order.order_id,
            )
        self._check_executed(taken)
        if taken.order.cancel_requested and taken.order.working:
            self.on_working(taken.order)
        return taken

    async def open_position(self, held: VenuePosition) -> bool:
        """As ``Books.open_position``; whoever guards positions hears of it."""
        return await until_stored(lambda: self._books.open_position(held))

    def _check_executed(self, taken: Taken) -> None:
        order = taken.order
        if not taken.new_fills or order.notional is None or order.approval_id is None:
            return
        executed = sum((fill.notional for fill in orders.fills_of(order.state)), ZERO)
        check_executed(order.terms, executed, order.notional, self._slippage, order.approval_id)

    async def _complete(self, report: VenueReport, taken: Taken) -> Taken:
        found = report.order
        try:
            fills = await self._venue.fills_of(found.symbol, found.venue_order_id)
        except VenueUnreachable as error:
            self._log.warning("fills missing for now", order_id=taken.order.order_id, error=str(error))
            return taken
        completed = await until_stored(lambda: self._books.take(replace(report, fills=fills)))
        return replace(completed, steps=taken.steps + completed.steps, adopted=taken.adopted, doubled=taken.doubled)

    def _count(self, taken: Taken) -> None:
        FILLS.labels(self._account).inc(taken.new_fills)
        if taken.adopted:
            ADOPTED.labels(self._account).inc()
            self._log.warning("order adopted", order_id=taken.order.order_id, client_id=taken.order.venue_client_id)


def _cut_short(report: VenueReport, order: OrderRecord) -> bool:
    """Done at the venue with everything that traded in the books, and yet not all that was asked for: a reduction of
    more than the position is made smaller by the venue, and says no more of the rest."""
    found = report.order
    if found.standing is not Standing.DONE or order.switching or not order.working:
        return False
    return order.traded_at(found.venue_order_id) == found.executed_quantity
