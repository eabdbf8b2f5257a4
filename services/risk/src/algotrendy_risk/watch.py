"""What risk does as time passes: anchors books, opens days, watches the alarms, halts, and tells everybody the state.

Invariant: a halt is committed before it is told, and is told by the outbox: it survives a restart of anything.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import asyncpg
from algotrendy_common.clock import Clock, to_ms
from algotrendy_common.database import UNREACHABLE, Database, Transaction
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.risk import RiskBreached, RiskStateChanged
from algotrendy_common.money import plain
from algotrendy_common.rpc.risk import EquityPoint
from algotrendy_common.telemetry import log

from algotrendy_risk.books import Books
from algotrendy_risk.domain.book import AccountBook, Halt
from algotrendy_risk.domain.day import Breach, alarms, anchor, resumed, turn
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.domain.state import state_fields
from algotrendy_risk.domain.valuation import value
from algotrendy_risk.ports import Announcer
from algotrendy_risk.store import RiskStore

STATE_EVERY_S = 1.0
_PAUSE_S = 0.05
"""Least time between two states of a busy account."""
_THIN_EVERY = timedelta(hours=1)
_THIN_AFTER = timedelta(hours=24)
_THIN_TO = timedelta(minutes=5)
STORE_AWAY = (*UNREACHABLE, asyncpg.PostgresError, Retryable, TimeoutError)


class Watch:
    def __init__(
        self,
        *,
        books: Books,
        store: RiskStore,
        database: Database,
        market: MarketView,
        events: EventFactory,
        clock: Clock,
        announcer: Announcer,
        settle: timedelta,
        equity_every: timedelta,
    ) -> None:
        self._books = books
        self._store = store
        self._database = database
        self._market = market
        self._events = events
        self._clock = clock
        self._announcer = announcer
        self._settle = settle
        self._equity_every = equity_every
        self._awake = asyncio.Event()
        self._revisions: dict[str, int] = {}
        self._points: dict[str, EquityPoint] = {}
        self._thinned: datetime | None = None
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
                await self._thin()
            except STORE_AWAY as error:
                self._log.warning("the books cannot be kept up now", error=repr(error))
            await asyncio.sleep(_PAUSE_S)

    async def look(self, account: str) -> None:
        """Bring one account up to the present, and tell its state."""
        book = await self._books.current(account)
        if book is None:
            return
        if self._aged(book)[0] is not book:
            book = await self._books.change(account, self._age)
            assert book is not None
        await self._announcer.publish(self.state_of(book))
        await self._keep_equity(book)

    def state_of(self, book: AccountBook) -> RiskStateChanged:
        """Its revision rises over restarts too: it is at least the time in milliseconds."""
        now = self._clock.now()
        revision = max(self._revisions.get(book.account, 0) + 1, to_ms(now))
        self._revisions[book.account] = revision
        return self._events.make(RiskStateChanged, revision=revision, **state_fields(book, self._market, now))

    # -- halts -------------------------------------------------------------------------------------------------

    async def halt(self, account: str | None, by: str, reason: str) -> tuple[RiskStateChanged, ...]:
        """On one account, or on all where ``account`` is None; one that is halted stays so for its first reason."""
        halt = Halt(by, reason, self._clock.now())
        return await self._on(account, lambda book: book if book.halt else replace(book, halt=halt))

    async def resume(self, account: str | None) -> tuple[RiskStateChanged, ...]:
        return await self._on(account, lambda book: book if book.halt is None else resumed(book, self._market))

    async def _on(
        self, account: str | None, change: Callable[[AccountBook], AccountBook]
    ) -> tuple[RiskStateChanged, ...]:
        if account is not None and account not in self._books.accounts:
            raise Refused("account_unknown", f"there is no account {account}", account=account)
        states: list[RiskStateChanged] = []

        async def apply(tx: Transaction, book: AccountBook | None) -> AccountBook | None:
            assert book is not None
            after = change(book)
            state = self.state_of(after)
            if after is not book:
                after = await self._store.save(tx, book, after)
                await tx.emit(state)
            states.append(state)
            return after

        for name in self._books.accounts if account is None else (account,):
            await self._books.change(name, apply)
        self.wake()
        return tuple(states)

    # -- time --------------------------------------------------------------------------------------------------

    def _aged(self, book: AccountBook) -> tuple[AccountBook, tuple[Breach, ...]]:
        now = self._clock.now()
        after = turn(anchor(book, self._market, now, self._settle), self._market, now)
        return alarms(after, self._market, now)

    async def _age(self, tx: Transaction, book: AccountBook | None) -> AccountBook | None:
        assert book is not None
        after, breaches = self._aged(book)
        if after is book:
            return book
        saved = await self._store.save(tx, book, after)
        for breach in breaches:
            await tx.emit(
                self._events.make(
                    RiskBreached,
                    account=book.account,
                    code=breach.code,
                    message=breach.message,
                    limit=plain(breach.limit),
                    observed=plain(breach.observed),
                )
            )
            self._log.warning("limit breached", account=book.account, code=breach.code, observed=str(breach.observed))
        if after.halt is not book.halt:
            await tx.emit(self.state_of(after))
        return saved

    async def _keep_equity(self, book: AccountBook) -> None:
        equity = value(book, self._market).equity
        if equity is None:
            return
        now = self._clock.now()
        last = self._points.get(book.account)
        if last and (equity == last.equity or now - last.time < self._equity_every):
            return
        point = EquityPoint(time=now, equity=equity)
        async with self._database.transaction() as tx:
            await self._store.add_equity(tx, book.account, point)
        self._points[book.account] = point

    async def _thin(self) -> None:
        now = self._clock.now()
        if self._thinned is not None and now - self._thinned < _THIN_EVERY:
            return
        async with self._database.transaction() as tx:
            await self._store.thin_equity(tx, now - _THIN_AFTER, _THIN_TO)
        self._thinned = now
