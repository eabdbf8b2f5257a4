"""What risk does as time passes: anchors books, opens days, watches the alarms, and tells everybody the state.

Invariant: telling the state needs nothing but memory, so that it goes on while PostgreSQL is away.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from algotrendy_common.clock import Clock, to_ms
from algotrendy_common.database import Database, Transaction
from algotrendy_common.enums import HaltLevel
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.risk import RiskBreached, RiskStateChanged
from algotrendy_common.money import plain
from algotrendy_common.rpc.risk import EquityPoint
from algotrendy_common.telemetry import log

from algotrendy_risk.books import Books
from algotrendy_risk.domain.book import AccountBook
from algotrendy_risk.domain.day import Breach, alarms, anchor, turn
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.domain.portfolio import Scope, Tracks
from algotrendy_risk.domain.results import Point
from algotrendy_risk.domain.state import state_fields
from algotrendy_risk.domain.valuation import value
from algotrendy_risk.halting import KillSwitch
from algotrendy_risk.ports import STORE_AWAY, Announcer
from algotrendy_risk.store.books import BookStore
from algotrendy_risk.store.results import ResultStore

STATE_EVERY_S = 1.0
_PAUSE_S = 0.05
"""Least time between two states of a busy account."""
_RAISE_EVERY = timedelta(seconds=1)
_SWEEP_EVERY = timedelta(milliseconds=500)
_THIN_EVERY = timedelta(hours=1)
_THIN_AFTER = timedelta(hours=24)
_THIN_TO = timedelta(minutes=5)


class Watch:
    def __init__(
        self,
        *,
        books: Books,
        store: BookStore,
        results: ResultStore,
        database: Database,
        market: MarketView,
        tracks: Tracks,
        kill_switch: KillSwitch,
        events: EventFactory,
        clock: Clock,
        announcer: Announcer,
        settle: timedelta,
        equity_every: timedelta,
    ) -> None:
        self._books = books
        self._store = store
        self._results = results
        self._database = database
        self._market = market
        self._tracks = tracks
        self._kill_switch = kill_switch
        self._events = events
        self._clock = clock
        self._announcer = announcer
        self._settle = settle
        self._equity_every = equity_every
        self._awake = asyncio.Event()
        self.expire: Callable[[datetime], Awaitable[None]] | None = None
        """Ends what has waited too long for a person."""
        self.refresh: Callable[[], Awaitable[None]] | None = None
        """Reads what another process may have stored: halts, switches."""
        self._revisions: dict[str, int] = {}
        self._points: dict[Scope, Point] = {}
        self._bases: dict[Scope, Decimal] = {}
        self._thinned: datetime | None = None
        self._swept: datetime | None = None
        self._raised: dict[str, datetime] = {}
        self._log = log("risk")

    def wake(self) -> None:
        """Something changed: tell it soon."""
        self._awake.set()

    async def watch_forever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(STATE_EVERY_S):
                    await self._awake.wait()
            except TimeoutError:
                pass
            self._awake.clear()
            try:
                for account in self._books.accounts:
                    await self.look(account)
                await self._now_and_then()
                await self._thin()
            except STORE_AWAY as error:
                self._log.warning("the books cannot be kept up now", error=repr(error))
            await asyncio.sleep(_PAUSE_S)

    async def look(self, account: str) -> None:
        """Bring one account up to the present, and tell its state."""
        book = await self._books.current(account)
        if book is None:
            return
        await self._announcer.publish(self.state_of(book))
        after, breaches = self._aged(book)
        if after is not book and (breaches or self._worth_writing(book, after)):
            book = await self._books.change(account, self._age)
            assert book is not None
            await self._announcer.publish(self.state_of(book))
        for breach in breaches:
            if breach.code == "max_drawdown":
                await self._kill_switch.engage((HaltLevel.ACCOUNT, account), "risk", breach.message)
                await self._tell(account, breach)
        await self._keep_equity(book)

    def _worth_writing(self, book: AccountBook, after: AccountBook) -> bool:
        """In a rising market the highest equity changes with every quote: once a second is enough."""
        now = self._clock.now()
        last = self._raised.get(book.account)
        only_higher = replace(after, high_water=book.high_water) == book
        if only_higher and book.high_water is not None and last is not None and now - last < _RAISE_EVERY:
            return False
        self._raised[book.account] = now
        return True

    async def _now_and_then(self) -> None:
        now = self._clock.now()
        if self._swept is not None and now - self._swept < _SWEEP_EVERY:
            return
        self._swept = now
        if self.refresh is not None:
            await self.refresh()
        if self.expire is not None:
            await self.expire(now)

    async def tell_states(self) -> None:
        """At once and out of memory alone."""
        for account in self._books.accounts:
            book = self._books.last_known(account)
            if book is not None:
                await self._announcer.publish(self.state_of(book))

    def state_of(self, book: AccountBook) -> RiskStateChanged:
        """Its revision rises over restarts too: it is at least the time in milliseconds."""
        now = self._clock.now()
        revision = max(self._revisions.get(book.account, 0) + 1, to_ms(now))
        self._revisions[book.account] = revision
        return self._events.make(RiskStateChanged, revision=revision, **self._fields(book, now))

    def _fields(self, book: AccountBook, now: datetime) -> dict[str, Any]:
        return state_fields(book, self._market, self._kill_switch.board.over(book.account), now)

    # -- time --------------------------------------------------------------------------------------------------

    def _aged(self, book: AccountBook) -> tuple[AccountBook, tuple[Breach, ...]]:
        now = self._clock.now()
        after = turn(anchor(book, self._market, now, self._settle), self._market, now)
        return alarms(after, self._market, halted=self._kill_switch.board.over(book.account) is not None)

    async def _age(self, tx: Transaction, book: AccountBook | None) -> AccountBook | None:
        assert book is not None
        after, breaches = self._aged(book)
        if after is book:
            return book
        saved = await self._store.save(tx, book, after)
        for breach in breaches:
            if breach.code != "max_drawdown":  # told with the halt that it brings
                await tx.emit(self._breach(book.account, breach))
        return saved

    async def _tell(self, account: str, breach: Breach) -> None:
        async with self._database.transaction() as tx:
            await tx.emit(self._breach(account, breach))

    def _breach(self, account: str, breach: Breach) -> RiskBreached:
        self._log.warning("limit breached", account=account, code=breach.code, observed=str(breach.observed))
        return self._events.make(
            RiskBreached,
            account=account,
            code=breach.code,
            message=breach.message,
            limit=plain(breach.limit),
            observed=plain(breach.observed),
        )

    async def _keep_equity(self, book: AccountBook) -> None:
        equity = value(book, self._market).equity
        if equity is None:
            return
        now = self._clock.now()
        if self._due((book.account, None), equity, now):
            point = Point(now, equity, book.flows)
            async with self._database.transaction() as tx:
                await self._results.add_point(tx, book.account, point)
            self._points[(book.account, None)] = point
        for strategy in self._tracks.strategies(book.account):
            await self._keep_strategy(book.account, strategy, equity, now)

    async def _keep_strategy(self, account: str, strategy: str, equity: Decimal, now: datetime) -> None:
        """A strategy's curve is the account's own as if the strategy alone had traded on it."""
        track = self._tracks.by_scope[(account, strategy)]
        open_pnl = track.unrealised(self._market.mark)
        base = await self._base(account, strategy, equity)
        if open_pnl is None or not self._due((account, strategy), base + track.realised + open_pnl, now):
            return
        point = EquityPoint(time=now, equity=base + track.realised + open_pnl)
        async with self._database.transaction() as tx:
            await self._results.add_strategy_point(tx, account, strategy, point)
        self._points[(account, strategy)] = Point(point.time, point.equity)

    async def _base(self, account: str, strategy: str, equity: Decimal) -> Decimal:
        """The account's equity when the strategy's curve began, less what it had made by then."""
        known = self._bases.get((account, strategy))
        if known is not None:
            return known
        async with self._database.transaction() as tx:
            base = await self._results.strategy_base(tx, account, strategy, equity)
        self._bases[(account, strategy)] = base
        return base

    def _due(self, scope: Scope, equity: Decimal, now: datetime) -> bool:
        last = self._points.get(scope)
        return last is None or (equity != last.equity and now - last.time >= self._equity_every)

    async def _thin(self) -> None:
        now = self._clock.now()
        if self._thinned is not None and now - self._thinned < _THIN_EVERY:
            return
        async with self._database.transaction() as tx:
            await self._results.thin(tx, now - _THIN_AFTER, _THIN_TO)
        self._thinned = now
