"""The books: what the venue says about an order, and what follows from it, in one transaction.

Invariant: a report may come twice, late or by two ways at once; an order's row, its fills, positions, holdings and the
events that tell of them change together or not at all, under the account's lock.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from algotrendy_common.clock import Clock
from algotrendy_common.database import Database, Transaction
from algotrendy_common.enums import OrderSource
from algotrendy_common.errors import InvariantBroken
from algotrendy_common.events.account import PositionChanged
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.order import OrderOrigin, OrderTerms
from algotrendy_common.ids import derived_id
from algotrendy_common.money import ZERO
from algotrendy_core.order_states import EndedLegFilled, FilledAtVenue, Open, Report

from algotrendy_broker_gateway.desk import announcements
from algotrendy_broker_gateway.domain.margin import Margin
from algotrendy_broker_gateway.domain.order_record import OrderRecord, Step, advance, too_early
from algotrendy_broker_gateway.domain.venue_report import VenueOrder, VenueReport, late_steps_of, steps_of
from algotrendy_broker_gateway.ports import VenuePosition
from algotrendy_broker_gateway.store.accounts import AccountStore
from algotrendy_broker_gateway.store.fills import FillStore
from algotrendy_broker_gateway.store.orders import OrderStore

Assets = Callable[[str], tuple[str, str]]
"""Base and quote of a symbol."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a report did to the books."""

    order: OrderRecord
    steps: tuple[Step, ...]
    adopted: bool = False
    """The order was made outside the platform and is in the books from now on."""
    doubled: bool = False
    """The venue holds a second order under a client id of ours: nothing we do makes one, so a person must look."""

    position: Decimal | None = None
    """The account's, after what traded; None where nothing did."""

    @property
    def new_fills(self) -> int:
        return sum(1 for step in self.steps if step.fill is not None)


class Books:
    """One account at one venue."""

    def __init__(
        self,
        database: Database,
        orders: OrderStore,
        accounts: AccountStore,
        fills: FillStore,
        events: EventFactory,
        clock: Clock,
        account: str,
        venue: str,
        assets: Assets,
    ) -> None:
        self._database = database
        self._orders = orders
        self._accounts = accounts
        self._fills = fills
        self._events = events
        self._clock = clock
        self._account = account
        self._venue = venue
        self._assets = assets
        self.on_change: Callable[[Taken], None] = lambda taken: None
        """Told of what was committed, each time."""

    async def tell(self, order_id: str, *reports: Report) -> Taken:
        """Apply what we know ourselves (an answer lost, a refusal) to an order. Raises InvariantBroken without it."""
        async with self._database.transaction() as tx:
            taken = await self.tell_within(tx, order_id, *reports)
        self.on_change(taken)
        return taken

    async def tell_within(self, tx: Transaction, order_id: str, *reports: Report) -> Taken:
        """As ``tell``, in a transaction that the caller has other reasons for."""
        await self._accounts.lock(tx)
        order = await self._orders.by_id(tx, order_id)
        if order is None:
            raise InvariantBroken("an order that was committed is gone", order_id=order_id)
        return await self._apply(tx, order, reports)

    async def take(self, report: VenueReport) -> Taken:
        """Apply what the venue says; an order that nobody here made is adopted."""
        taken = await self._take(report)
        self.on_change(taken)
        return taken

    async def _take(self, report: VenueReport) -> Taken:
        found = report.order
        async with self._database.transaction() as tx:
            await self._accounts.lock(tx)
            order, doubled = await self._orders.at_venue(tx, found.symbol, found.venue_order_id, found.client_id)
            if order is not None:
                if order.of_ended_leg(found.venue_order_id, found.client_id):
                    return await self._apply(tx, order, late_steps_of(report))
                return await self._apply(tx, order, steps_of(report, switching=order.switching), found)
            order = await self._adopt(tx, found)
            taken = await self._apply(tx, order, steps_of(report), found)
            return replace(taken, adopted=True, doubled=doubled)

    async def _apply(
        self, tx: Transaction, order: OrderRecord, reports: Sequence[Report], said: VenueOrder | None = None
    ) -> Taken:
        """``said`` is what the venue says of the order, where the reports are the venue's."""
        steps: list[Step] = []
        held: Decimal | None = None
        counted_before = False
        for report in reports:
            if said is not None and too_early(order, report, said.venue_order_id, said.executed_quantity):
                break
            step = advance(order, report, self._clock.now())
            if step is None:
                counted_before |= isinstance(report, FilledAtVenue | EndedLegFilled)
                continue
            order = step.order
            steps.append(step)
            told = announcements.order_updated(self._events, order, step.time)
            await self._orders.save(tx, step, told)
            if step.fill is None:
                await tx.emit(told)
                continue
            filled = announcements.order_filled(self._events, order, step.fill)
            await self._fills.count(tx, step.fill, filled)
            if order.terms.protection is not None:
                await self._fills.open_bracket(tx, order)
            base, quote = self._assets(step.fill.symbol)
            position, revision, strategies, margin = await self._fills.move(
                tx, step.fill, order.origin.strategy, base, quote, order.terms
            )
            moved = announcements.position_changed(
                self._events, position, revision, strategies, self._account, margin, step.time
            )
            await self._fills.remember(tx, moved)
            await tx.emit(told, filled, moved)
            held = position.quantity
        if held is None and counted_before:
            # It may be this very report, whose commit was done and not answered: nobody has been told of it yet.
            told_last = await self._fills.told(tx, self._venue, order.terms.symbol)
            held = told_last.quantity if told_last else None
        return Taken(order, tuple(steps), position=held)

    async def open_position(self, held: VenuePosition) -> bool:
        """Take over a position that the account had before it was ours; False where we know of one already."""
        async with self._database.transaction() as tx:
            await self._accounts.lock(tx)
            if await self._fills.told(tx, self._venue, held.symbol) is not None:
                return False
            told = self._events.make(
                PositionChanged,
                event_time=held.as_of,
                account=self._account,
                venue=self._venue,
                symbol=held.symbol,
                revision=1,
                quantity=held.quantity,
                average_price=held.entry_price,
                realised_pnl=ZERO,
                fees=ZERO,
                strategies=(),
                margin_mode=held.margin_mode,
                leverage=held.leverage,
                liquidation_price=held.liquidation_price,
            )
            await self._fills.open_position(tx, told)
            await tx.emit(told)
        return True

    async def margins(self, kept: Iterable[VenuePosition]) -> None:
        """Tell what the venue says of the margin of positions that we know to be as it has them."""
        async with self._database.transaction() as tx:
            await self._accounts.lock(tx)
            for held in kept:
                known = await self._fills.told(tx, self._venue, held.symbol)
                margin = Margin(held.margin_mode, held.leverage, held.liquidation_price)
                if known is None or known.quantity != held.quantity or not Margin.of(known).differs(margin):
                    continue
                fields = known.model_dump(exclude={"event_id", "event_time", "received_time", "traceparent"})
                told = self._events.make(
                    PositionChanged,
                    **fields
                    | {
                        "revision": known.revision + 1,
                        "margin_mode": margin.mode,
                        "leverage": margin.leverage,
                        "liquidation_price": margin.liquidation_price,
                    },
                )
                await self._fills.revise(tx, told)
                await tx.emit(told)

    async def _adopt(self, tx: Transaction, found: VenueOrder) -> OrderRecord:
        """An order made by hand or by another program: it gets an id of ours and an origin that says so."""
        now = self._clock.now()
        order = _external(found, self._account, self._venue, now)
        told = announcements.order_updated(self._events, order, found.created_at)
        history = (("open", found.created_at, f"found at the venue as {found.client_id}, made outside the platform"),)
        await self._orders.add(tx, order, history, told)
        await tx.emit(told)
        return order


def _external(found: VenueOrder, account: str, venue: str, now: datetime) -> OrderRecord:
    order_id = derived_id("external-order", venue, account, found.symbol, found.venue_order_id)
    terms = OrderTerms(
        order_id=order_id,
        account=account,
        venue=venue,
        symbol=found.symbol,
        side=found.side,
        type=found.type,
        quantity=found.quantity,
        limit_price=found.limit_price,
        time_in_force=found.time_in_force,
        reduce_only=found.reduce_only,
        trigger_price=found.trigger_price,
        trailing_ratio=found.trailing_ratio,
        margin_mode=found.margin_mode,
        leverage=found.leverage,
    )
    reason = "the venue liquidated a position" if found.liquidation else "made outside the platform"
    return OrderRecord(
        client_order_id=derived_id("external-client-order", venue, account, found.symbol, found.venue_order_id),
        venue_client_id=found.client_id,
        approval_id=None,
        notional=None,
        expires_at=None,
        origin=OrderOrigin(source=OrderSource.EXTERNAL, reason=reason),
        state=Open(terms, found.venue_order_id),
        revision=1,
        created_at=now,
        submitted_at=found.created_at,
    )
