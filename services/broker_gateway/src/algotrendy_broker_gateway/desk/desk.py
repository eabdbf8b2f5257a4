"""One account's desk: its duties put together, their loops, and its start and end.

Invariant: before anything is read from the bus, what was on its way at the last end is known as ``outcome_unknown``.
"""

import asyncio
import contextlib

from algotrendy_common.app import App
from algotrendy_common.approval import Verifier
from algotrendy_common.clock import monotonic_s
from algotrendy_common.database import Database
from algotrendy_common.errors import InvariantBroken, Refused, Retryable
from algotrendy_common.events.account import AssetBalance, BalanceChanged
from algotrendy_common.events.market import QuoteChanged, TradePrinted
from algotrendy_common.events.risk import RiskStateChanged, TradingState
from algotrendy_common.rpc import risk
from algotrendy_common.telemetry import log

from algotrendy_broker_gateway.accounts.lease import Lease
from algotrendy_broker_gateway.accounts.liveness import Liveness
from algotrendy_broker_gateway.desk.books import Books, Taken
from algotrendy_broker_gateway.desk.cancellation import Cancellation
from algotrendy_broker_gateway.desk.gate import TradingGate
from algotrendy_broker_gateway.desk.guard import Guard
from algotrendy_broker_gateway.desk.margin_watch import MarginWatch
from algotrendy_broker_gateway.desk.persistence import STORE_AWAY, until_stored
from algotrendy_broker_gateway.desk.preparation import Preparation
from algotrendy_broker_gateway.desk.readying import Readying
from algotrendy_broker_gateway.desk.reconciliation import Reconciliation
from algotrendy_broker_gateway.desk.reports import Reports
from algotrendy_broker_gateway.desk.resolution import Resolution
from algotrendy_broker_gateway.desk.submission import Submission
from algotrendy_broker_gateway.desk.triggers import Triggers
from algotrendy_broker_gateway.desk.watchdog import Watchdog
from algotrendy_broker_gateway.domain.outbound_count import OutboundCount, ProtectiveCount
from algotrendy_broker_gateway.domain.protection import ProtectionPolicy
from algotrendy_broker_gateway.domain.search import Patience
from algotrendy_broker_gateway.domain.venue_report import VenueReport
from algotrendy_broker_gateway.errors import VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.ports import (
    BalancesReported,
    StreamLost,
    StreamMessage,
    StreamOpened,
    Unreadable,
    Venue,
    VenuePosition,
)
from algotrendy_broker_gateway.settings import AccountSettings, BrokerGatewaySettings
from algotrendy_broker_gateway.store.accounts import AccountStore
from algotrendy_broker_gateway.store.fills import FillStore
from algotrendy_broker_gateway.store.guards import GuardStore
from algotrendy_broker_gateway.store.orders import OrderStore

_EXPIRY_S = 0.5


class Desk:
    def __init__(
        self,
        account: AccountSettings,
        settings: BrokerGatewaySettings,
        app: App,
        database: Database,
        venue: Venue,
        lease: Lease,
    ) -> None:
        self.account = account.account
        self.gate = TradingGate()
        self.gate.lease_held = lambda: lease.active
        self.liveness = Liveness(settings.venue_down_after)
        self._settings = settings
        self._app = app
        self._database = database
        self._venue = venue
        self._log = log("desk")
        self._cause: str | None = "start"
        self._wanted = asyncio.Event()
        self._shortly: asyncio.TimerHandle | None = None
        self._late = 0
        """Comparisons in a row that missed fills which the venue counts."""
        self._stream_live = False
        fence = lease.fences[account.account]
        orders = OrderStore(database, account.account, venue.name, fence)
        accounts = AccountStore(database, account.account, venue.name, fence)
        self._accounts = accounts
        books = Books(
            database,
            orders,
            accounts,
            FillStore(account.account),
            app.events,
            app.clock,
            account.account,
            venue.name,
            venue.assets,
        )
        guards = GuardStore(database, account.account, venue.name)
        policy = ProtectionPolicy(**dict(account.protection))
        exits = ProtectiveCount()
        self._books = books
        self._reports = Reports(books, venue, app.bus, account.account, settings.slippage_tolerance)
        self.cancellation = Cancellation(database, orders, accounts, books, self._reports, venue)
        preparation = Preparation(
            database,
            orders,
            accounts,
            guards,
            books,
            self.cancellation,
            exits,
            policy,
            venue,
            account.leverage,
            account.margin_mode,
        )
        self._preparation = preparation
        self.submission = Submission(
            account=account.account,
            venue=venue,
            verifier=Verifier(settings.approval_public_key),
            gate=self.gate,
            count=OutboundCount(settings.notional_tolerance),
            exits=exits,
            preparation=preparation,
            database=database,
            orders=orders,
            accounts=accounts,
            books=books,
            reports=self._reports,
            events=app.events,
            bus=app.bus,
            clock=app.clock,
        )
        self.triggers = Triggers(
            account.account,
            database,
            orders,
            accounts,
            guards,
            books,
            self.cancellation,
            preparation,
            self.submission,
            self.gate,
            venue,
            account.margin_mode,
        )
        self.guard = Guard(
            account.account,
            database,
            orders,
            accounts,
            guards,
            self.cancellation,
            preparation,
            self.submission,
            self.gate,
            policy,
            venue,
            app.events,
            app.clock,
        )
        self.watchdog = Watchdog(account.account, self.guard, guards, policy, app.bus, app.clock)
        self._resolution = Resolution(
            orders, accounts, books, self._reports, venue, app.bus, app.clock, _patience(settings)
        )
        self._reconciliation = Reconciliation(
            account,
            settings,
            database,
            orders,
            accounts,
            self._reports,
            self.submission,
            self.gate,
            venue,
            app.bus,
            app.events,
            app.clock,
        )
        self._reports.on_working = self.cancellation.start
        self._reports.on_incomplete = self._compare_shortly
        self.submission.on_unknown = self._resolution.wake
        self._readying = Readying(
            database,
            orders,
            accounts,
            guards,
            books,
            preparation,
            self.submission,
            self.gate,
            app.clock,
        )
        self.submission.prepare_soon = self._readying.soon
        self._readying.on_watch = self.guard.on_watch = self.triggers.add
        self._readying.on_doubt = self.guard.on_doubt = self.triggers.doubt
        self.submission.wire = self.triggers.wire
        preparation.guarded = self.guard.guarded
        preparation.make_room = self.guard.make_room
        self.guard.on_wanted = self.watchdog.wake
        books.on_change = self._changed
        self._margins = MarginWatch(venue, self._margins_told)
        self._reconciliation.on_positions = self._margins_told
        self._reconciliation.on_opened = lambda held: exits.position(held.symbol, held.quantity)

    # -- start and end -----------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Before anything is read."""
        await self._accounts.make()
        self.gate.stopped = await self._accounts.stopped()
        await self.triggers.load()
        await self.submission.load_waiting()

    async def end(self) -> None:
        self.gate.closing = True
        patience_s = self._settings.stop_timeout.total_seconds() / 2
        if self._shortly is not None:
            self._shortly.cancel()
        await self._readying.drain(patience_s)
        await self.triggers.drain(patience_s)
        await self.submission.drain(patience_s)
        await self.cancellation.drain(1.0)
        await self._venue.close()

    async def problem(self) -> str | None:
        return self.gate.problem()

    def _changed(self, taken: Taken) -> None:
        """Of every change in the books, once it is committed: positions first, then whoever acts on them."""
        self.submission.changed(taken)
        self.triggers.changed(taken)
        self.guard.changed(taken)
        self._margins.changed(taken)

    async def _margins_told(self, kept: tuple[VenuePosition, ...]) -> None:
        self._preparation.heard(kept)
        await self._books.margins(kept)

    async def flatten(self, reason: str, strategy: str | None) -> None:
        """Close every position of the account (or what one strategy has of it) at the market."""
        await self.guard.close(reason, strategy)

    # -- prices ------------------------------------------------------------------------------------------------

    def quote(self, quote: QuoteChanged) -> None:
        self.triggers.quote(quote)
        self.guard.quote(quote.symbol, quote.bid, quote.ask)

    def trade(self, trade: TradePrinted) -> None:
        self.triggers.trade(trade)

    # -- risk's word -------------------------------------------------------------------------------------------

    async def risk_said(self, state: RiskStateChanged) -> None:
        halted = state.trading_state is TradingState.HALTED
        before, self.gate.halted = self.gate.halted, halted
        if halted == before:
            return
        self._log.warning("halt" if halted else "no halt", account=self.account, reason=state.halted_reason)
        await self.submission.release_waiting()
        if halted:
            await self.cancellation.all_working()

    async def _ask_risk(self) -> None:
        """After a start nobody knows whether a halt is on: risk says so when it is asked, or soon by itself."""
        try:
            answer = await self._app.bus.ask(risk.STATE, risk.StateAsked(account=self.account), timeout_s=1.0)
        except (Retryable, Refused) as error:
            self._log.info("risk not heard yet", error=str(error))
        else:
            if self.gate.halted is None:
                await self.risk_said(answer.state)

    # -- loops -------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Connect to the venue, then follow, compare, resolve and keep warm until cancelled."""
        while True:
            try:
                await self._venue.connect()
                self.liveness.answered(monotonic_s())
                break
            except (VenueUnreachable, VenueRefused) as error:
                self.liveness.missed(monotonic_s())
                self._log.warning("the venue does not answer", error=str(error))
                await asyncio.sleep(self._settings.reconcile_retry.total_seconds())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            tasks.create_task(self._compare())
            tasks.create_task(self._resolution.forever())
            tasks.create_task(self._keep_warm())
            tasks.create_task(self.triggers.forever())
            tasks.create_task(self.watchdog.forever())
            tasks.create_task(self._expire())
            tasks.create_task(self._margins.forever())

    async def _follow(self) -> None:
        async with contextlib.aclosing(self._venue.stream()) as stream:
            async for message in stream:
                try:
                    await self._hear(message)
                except InvariantBroken as broken:
                    await self.submission.stop(f"a message of the venue cannot be true: {broken}")

    async def _hear(self, message: StreamMessage) -> None:
        match message:
            case VenueReport():
                await self._reports.take(message)
            case BalancesReported(balances):
                changed = {balance.asset: balance for balance in balances}
                await until_stored(lambda: self._balances_changed(changed))
            case StreamOpened():
                self._stream_live = True
                self.compare_soon("reconnect")
            case StreamLost(detail):
                self._stream_live = False
                self._log.warning("user stream lost", detail=detail)
                self._wanted.set()
            case Unreadable(detail):
                self._log.warning("unread message of the user stream", detail=detail)
                self.compare_soon("timer")

    def compare_soon(self, cause: str) -> None:
        if self._cause != "start":
            self._cause = cause
        self._wanted.set()

    def _compare_shortly(self) -> None:
        """Once, after the pause of a comparison that has to be repeated; a longer one where that has not helped."""
        if self._shortly is None:
            longest_s = self._settings.reconcile_interval.total_seconds()
            pause_s = min(self._settings.reconcile_retry.total_seconds() * 2 ** min(self._late, 10), longest_s)
            self._late += 1
            self._shortly = asyncio.get_running_loop().call_later(pause_s, self._compare_now)

    def _compare_now(self) -> None:
        self._shortly = None
        self.compare_soon("timer")

    async def _compare(self) -> None:
        while True:
            self._wanted.clear()
            cause, self._cause = self._cause or "timer", None
            pause = self._settings.reconcile_interval
            try:
                if not await self._reconciliation.run(cause):
                    pause = self._settings.reconcile_retry
                if self._shortly is None:
                    self._late = 0
                self.liveness.answered(monotonic_s())
            except (VenueUnreachable, VenueRefused, *STORE_AWAY) as error:
                self.gate.reconciled = False
                if isinstance(error, VenueUnreachable):
                    self.liveness.missed(monotonic_s())
                self._cause = self._cause or cause
                pause = self._settings.reconcile_retry
                self._log.warning("comparison not possible", cause=cause, error=repr(error))
            except InvariantBroken as broken:
                await self.submission.stop(f"the books cannot be brought together: {broken}")
            try:
                if self.gate.halted is None:
                    await self._ask_risk()
                await self.submission.release_waiting()
            except STORE_AWAY as error:
                self._log.warning("PostgreSQL is away", error=repr(error))
            if self.gate.halted is None or not self._stream_live:
                pause = min(pause, self._settings.reconcile_retry)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), pause.total_seconds())

    async def _expire(self) -> None:
        """End what is good until a time, where the venue does not."""
        while True:
            await asyncio.sleep(_EXPIRY_S)
            try:
                await self.cancellation.end_overdue(self._app.clock.now())
            except STORE_AWAY as error:
                self._log.warning("PostgreSQL is away", error=repr(error))

    async def _keep_warm(self) -> None:
        """An order must not pay for a handshake."""
        while True:
            await asyncio.sleep(self._settings.keep_warm_interval.total_seconds())
            try:
                await self._venue.ping()
                self.liveness.answered(monotonic_s())
            except (VenueUnreachable, VenueRefused) as error:
                if isinstance(error, VenueUnreachable):
                    self.liveness.missed(monotonic_s())
                self._log.warning("the venue does not answer", error=str(error))

    async def _balances_changed(self, changed: dict[str, AssetBalance]) -> None:
        async with self._database.transaction() as tx:
            await self._accounts.lock(tx)
            known = await self._accounts.balance(tx)
            merged = {balance.asset: balance for balance in known.balances} if known else {}
            merged |= changed
            balances = tuple(balance for _, balance in sorted(merged.items()) if balance.total)
            told = self._app.events.make(
                BalanceChanged, account=self.account, venue=self._venue.name, balances=balances
            )
            await self._accounts.save_balance(tx, told)
            await tx.emit(told)


def _patience(settings: BrokerGatewaySettings) -> Patience:
    return Patience(
        settle_time=settings.settle_time,
        checks=settings.not_found_checks,
        span=settings.not_found_span,
        first_delay=settings.resolve_first_delay,
        longest_delay=settings.resolve_longest_delay,
    )
