"""Our books against the venue's: at start, when the user stream came back, and on a timer.

Invariant: nothing is submitted before the first comparison that ends well, and nothing while the last one did not. What
the venue knows better is adopted (orders, fills, deposits) and said; what we cannot explain is said and stays.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from algotrendy_common.bus import Bus
from algotrendy_common.clock import Clock, monotonic_s
from algotrendy_common.database import Database
from algotrendy_common.enums import OrderStatus, Severity
from algotrendy_common.events.account import (
    AccountReconciled,
    AssetBalance,
    BalanceChanged,
    ReconciliationDifference,
)
from algotrendy_common.events.event import EventFactory
from algotrendy_common.money import ZERO
from algotrendy_common.telemetry import log
from algotrendy_core import orders
from prometheus_client import Gauge, Histogram

from algotrendy_broker_gateway.desk.gate import TradingGate
from algotrendy_broker_gateway.desk.reports import Reports
from algotrendy_broker_gateway.desk.submission import Submission
from algotrendy_broker_gateway.domain.balances import adoptable, differences, small
from algotrendy_broker_gateway.domain.order_record import OrderRecord
from algotrendy_broker_gateway.domain.position_check import PositionDifference, position_differences
from algotrendy_broker_gateway.domain.search import Search
from algotrendy_broker_gateway.errors import VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.ports import Venue, VenuePosition
from algotrendy_broker_gateway.settings import AccountSettings, BrokerGatewaySettings
from algotrendy_broker_gateway.store.accounts import AccountStore
from algotrendy_broker_gateway.store.orders import OrderStore

RECONCILE_SECONDS = Histogram("algotrendy_reconcile_seconds", "A comparison with the venue", ["account"])
RECONCILED = Gauge("algotrendy_account_reconciled", "1 where the last comparison ended well", ["account"])
_READS = 4
_PAUSE_S = 0.1
_FUNDING = Decimal("0.01")
"""Share by which what is paid for holding a derivative may change its settlement asset between two comparisons."""


class Reconciliation:
    """One account's."""

    def __init__(
        self,
        account: AccountSettings,
        settings: BrokerGatewaySettings,
        database: Database,
        order_store: OrderStore,
        accounts: AccountStore,
        reports: Reports,
        submission: Submission,
        gate: TradingGate,
        venue: Venue,
        bus: Bus,
        events: EventFactory,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._symbols = account.symbols
        self._account = account.account
        self._database = database
        self._orders = order_store
        self._accounts = accounts
        self._reports = reports
        self._submission = submission
        self._gate = gate
        self._venue = venue
        self._bus = bus
        self._events = events
        self._clock = clock
        self._log = log("reconciliation")
        self._told: frozenset[str] = frozenset()
        self.on_positions: Callable[[tuple[VenuePosition, ...]], Awaitable[None]] = _unheard
        """Told of positions as the venue keeps them."""

        self.on_opened: Callable[[VenuePosition], None] = lambda held: None
        """Told of a position that was there before us."""

    async def run(self, cause: str) -> bool:
        """One comparison; True where trading may go on. Raises VenueUnreachable where the venue cannot be asked."""
        started = monotonic_s()
        found: list[ReconciliationDifference] = []
        symbols = self._listed({*self._symbols, *await self._orders.symbols()})
        await self._begin_watermarks(symbols)
        live = [order for order in await self._orders.live() if self._asked_for(order)]
        for order in live:
            found += await self._compare_order(order)
        for report in await self._venue.open_orders():
            taken = await self._reports.take(report)
            if taken.adopted:
                found.append(_adopted_order(taken.order, report.order.standing.value))
                symbols.add(report.order.symbol)
        await self._begin_watermarks(symbols)
        if not await self._accounts.opened_now():
            found += await self._open_positions()
        adopted_fills, balance_differences = await self._compare_balances(symbols)
        found += balance_differences
        found += await self._compare_positions()
        ok = all(difference.adopted for difference in found)
        self._gate.reconciled = ok
        RECONCILED.labels(self._account).set(ok)
        duration_s = monotonic_s() - started
        RECONCILE_SECONDS.labels(self._account).observe(duration_s)
        await self._say(cause, ok, len(live), adopted_fills, tuple(found), duration_s)
        return ok

    def _listed(self, symbols: set[str]) -> set[str]:
        """What the venue does not list has no trades there: an order that was refused for it is in the books too."""
        found = set()
        for symbol in symbols:
            try:
                self._venue.instrument(symbol)
            except VenueRefused as no:
                self._log.warning("not compared", symbol=symbol, error=str(no))
            else:
                found.add(symbol)
        return found

    def _asked_for(self, order: OrderRecord) -> bool:
        return (
            order.status is not OrderStatus.APPROVED
            and not self._submission.on_its_way(order.order_id)
            and not self._submission.stranded(order)
        )

    # -- orders ------------------------------------------------------------------------------------------------

    async def _compare_order(self, order: OrderRecord) -> Iterable[ReconciliationDifference]:
        report = await self._venue.order(order.terms.symbol, order.venue_client_id)
        if report is not None and _another(order, report.order.venue_order_id):
            known = orders.venue_order_id(order.state)
            assert known is not None
            report = await self._venue.order_by_venue_id(order.terms.symbol, known)
        if report is not None:
            taken = await self._reports.take(report)
            if taken.order.revision == order.revision or order.status is OrderStatus.OUTCOME_UNKNOWN:
                return ()
            return (
                ReconciliationDifference(
                    what="order",
                    key=order.order_id,
                    ours=order.status.value,
                    venues=taken.order.status.value,
                    adopted=True,
                ),
            )
        if order.status is OrderStatus.SUBMITTING and self._asked_for(order):
            await self._submission.lost_track(order)
        if order.working:
            # One empty answer is no verdict: the search goes on from here as for a lost answer.
            await self._orders.save_search(order.order_id, Search(self._clock.now()))
            return (
                ReconciliationDifference(
                    what="order", key=order.order_id, ours=order.status.value, venues="not found", adopted=False
                ),
            )
        return ()

    # -- fills -------------------------------------------------------------------------------------------------

    async def _begin_watermarks(self, symbols: Iterable[str]) -> None:
        """The first time, what the account traded before is part of its opening."""
        for symbol in sorted(symbols):
            if await self._accounts.watermark(symbol) is None:
                await self._accounts.move_watermark(symbol, await self._venue.fills_cursor(symbol))

    async def _adopt_fills(self, symbols: Iterable[str]) -> int:
        """Every fill since the watermark is in the books afterwards; returns how many were not before.

        Raises VenueUnreachable where the venue names a fill and denies its order: then nothing is skipped.
        """
        adopted = 0
        for symbol in sorted(symbols):
            watermark = await self._accounts.watermark(symbol)
            assert watermark is not None
            page = await self._venue.fills_after(symbol, watermark)
            fills = page.fills
            for venue_order_id in dict.fromkeys(fill.venue_order_id for fill in fills):
                report = await self._venue.order_by_venue_id(symbol, venue_order_id)
                if report is None:
                    raise VenueUnreachable("a fill without an order", symbol=symbol, venue_order_id=venue_order_id)
                own = tuple(fill for fill in fills if fill.venue_order_id == venue_order_id)
                taken = await self._reports.take(replace(report, fills=own))
                adopted += taken.new_fills
            if page.cursor != watermark:
                await self._accounts.move_watermark(symbol, page.cursor)
        return adopted

    # -- balances ----------------------------------------------------------------------------------------------

    async def _compare_balances(self, symbols: Iterable[str]) -> tuple[int, list[ReconciliationDifference]]:
        """The venue answers one question after the other, so the balances count only where our books stood still."""
        adopted = 0
        for attempt in range(_READS):
            adopted += await self._adopt_fills(symbols)
            before = await self._accounts.holdings_now()
            balances = await self._venue.balances()
            adopted += await self._adopt_fills(symbols)
            settled = await self._settle(before, balances, last=attempt == _READS - 1)
            if settled is not None:
                return adopted, settled
            await asyncio.sleep(_PAUSE_S * (attempt + 1))
        raise VenueUnreachable("fills came too fast for a comparison", account=self._account)

    async def _settle(
        self, before: Mapping[str, Decimal], balances: tuple[AssetBalance, ...], last: bool
    ) -> list[ReconciliationDifference] | None:
        """Compare and record; None where it is worth reading again."""
        venues = {balance.asset: balance.total for balance in balances}
        now = self._clock.now()
        settling = {self._venue.assets(symbol)[1] for symbol in await self._accounts.borrowed_positions()}
        async with self._database.transaction() as tx:
            await self._accounts.lock(tx)
            expected = await self._accounts.holdings(tx)
            if expected != before:
                return None
            differing = differences(expected, venues, self._settings.balance_tolerance)
            if not await self._accounts.opened(tx):
                await self._accounts.open(tx, {one.asset: one.amount for one in differing}, now)
                differing = ()
            elif differing and not last:
                return None
            paid = tuple(one for one in small(differing, _FUNDING) if one.asset in settling)
            await self._accounts.enter(tx, "funding", {one.asset: one.amount for one in paid}, now)
            differing = tuple(one for one in differing if one not in paid)
            taken = adoptable(differing, self._settings.adopt_balance_differences)
            await self._accounts.enter(tx, "transfer", {one.asset: one.amount for one in taken}, now)
            known = await self._accounts.balance(tx)
            if known is None or known.balances != balances:
                told = self._events.make(
                    BalanceChanged, account=self._account, venue=self._venue.name, balances=balances
                )
                await self._accounts.save_balance(tx, told)
                await tx.emit(told)
        lived_with = small(differing, self._settings.difference_threshold)
        return [
            *(replace(one, what="funding").described(adopted=True) for one in paid),
            *(one.described(one in taken or one in lived_with) for one in differing),
        ]

    # -- positions ---------------------------------------------------------------------------------------------

    async def _open_positions(self) -> list[ReconciliationDifference]:
        """The first time, as with balances: what is held already was opened before the first fill that we count."""
        found = []
        for held in await self._venue.positions():
            if await self._reports.open_position(held):
                self.on_opened(held)
                opened = PositionDifference(held.symbol, ZERO, held.quantity)
                found.append(opened.described(threshold=Decimal(1)))
        return found

    async def _compare_positions(self) -> list[ReconciliationDifference]:
        """Derivatives and margin: the venue keeps them itself. Of what is paid in full the balances have said it."""
        before = await self._accounts.borrowed_positions()
        kept = await self._venue.positions()
        theirs = {held.symbol: held.quantity for held in kept}
        ours = await self._accounts.borrowed_positions()
        if ours != before:  # a fill came between: the next comparison has a still picture
            return []
        await self.on_positions(kept)
        differing = position_differences(ours, theirs)
        return [one.described(self._settings.difference_threshold) for one in differing]

    # -- what is said ------------------------------------------------------------------------------------------

    async def _say(
        self,
        cause: str,
        ok: bool,
        checked: int,
        fills: int,
        found: tuple[ReconciliationDifference, ...],
        duration_s: float,
    ) -> None:
        now = self._clock.now()
        told = self._events.make(
            AccountReconciled,
            account=self._account,
            venue=self._venue.name,
            ok=ok,
            cause=cause,
            orders_checked=checked,
            fills_adopted=fills,
            differences=found,
            duration_ms=round(duration_s * 1000, 3),
            checked_at=now,
        )
        async with self._database.transaction() as tx:
            await self._accounts.save_reconciled(tx, told)
            await tx.emit(told)
        unexplained = frozenset(f"{one.what} {one.key}" for one in found if not one.adopted)
        if unexplained - self._told:
            await self._bus.alert(
                Severity.CRITICAL,
                "books_differ",
                "our books and the venue's differ, no new orders leave: " + ", ".join(sorted(unexplained)),
                account=self._account,
            )
        self._told = unexplained


async def _unheard(positions: tuple[VenuePosition, ...]) -> None:
    return None


def _another(order: OrderRecord, venue_order_id: str) -> bool:
    known = orders.venue_order_id(order.state)
    return known is not None and known != venue_order_id


def _adopted_order(order: OrderRecord, standing: str) -> ReconciliationDifference:
    return ReconciliationDifference(what="order", key=order.order_id, ours="none", venues=standing, adopted=True)
