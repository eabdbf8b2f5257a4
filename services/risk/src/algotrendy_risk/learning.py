"""Asks the other services for what no event tells in time: instruments, first quotes, whether the books still agree.

Invariant: no answer changes nothing. What is not confirmed grows old, and what is too old is refused.
"""

import asyncio
from datetime import datetime, timedelta

from algotrendy_common.clock import Clock
from algotrendy_common.enums import OrderStatus, Severity
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.telemetry import log

from algotrendy_risk.books import Books
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.handlers import Handlers
from algotrendy_risk.ports import STORE_AWAY, Announcer, Platform

_INSTRUMENTS_EVERY = timedelta(minutes=5)
_EARLIER = timedelta(minutes=1)
"""How far two services' clocks may be apart."""
_SOON_S = 0.5
"""Between rounds while something is missing: nothing can be approved without it."""


class Learning:
    def __init__(
        self,
        *,
        platform: Platform,
        handlers: Handlers,
        books: Books,
        market: MarketView,
        clock: Clock,
        announcer: Announcer,
        every: timedelta,
        overdue_after: timedelta,
    ) -> None:
        self._platform = platform
        self._handlers = handlers
        self._books = books
        self._market = market
        self._clock = clock
        self._announcer = announcer
        self._every = every
        self._overdue_after = overdue_after
        self._instruments_at = clock.now() - _INSTRUMENTS_EVERY
        self._told: set[str] = set()
        self._missing: dict[str, str] = {}
        """What could not be learnt in the last round, and why."""
        self._log = log("risk")

    async def learn_forever(self) -> None:
        while True:
            await self.learn()
            await asyncio.sleep(_SOON_S if self._missing else self._every.total_seconds())

    async def learn(self) -> None:
        """One round; whoever does not answer is asked again in the next."""
        await self._market_data()
        for account in self._books.accounts:
            try:
                await self._confirm(account)
                await self._look_for_overdue(account)
                book = await self._books.current(account)
                if book is not None and not book.anchored:
                    # The books just taken can be relied on once they are heard a second time.
                    self._miss(f"books of {account}", "heard once")
                    continue
            except (Refused, *STORE_AWAY) as error:
                self._miss(f"books of {account}", str(error))
            else:
                self._missing.pop(f"books of {account}", None)

    async def _market_data(self) -> None:
        fresh = self._clock.now() - self._instruments_at < _INSTRUMENTS_EVERY
        # Ingest answers for the venues it has reached: the one of an account may come later than the others.
        if fresh and self._market.instruments and self._venues() <= {venue for venue, _ in self._market.instruments}:
            return
        try:
            for info in await self._platform.instruments():
                self._market.take_instrument(info)
            for quote in await self._platform.quotes():
                self._market.take_quote(quote)
        except (Refused, Retryable) as error:
            self._miss("instruments", str(error))
            return
        if not self._market.instruments:
            self._miss("instruments", "ingest has none")
            return
        self._missing.pop("instruments", None)
        self._instruments_at = self._clock.now()

    def _venues(self) -> set[str]:
        return {book.venue for name in self._books.accounts if (book := self._books.last_known(name)) is not None}

    def _miss(self, what: str, why: str) -> None:
        """Say it when it begins and when its cause changes, not in every round."""
        if self._missing.get(what) != why:
            self._log.warning("not learnt yet", what=what, error=why)
        self._missing[what] = why

    async def _confirm(self, account: str) -> None:
        asked_at = self._clock.now()
        positions = await self._platform.positions(account)
        answer = await self._platform.balances(account)
        balances = (answer.balance,) if answer.balance else ()
        reconciled = (answer.reconciled,) if answer.reconciled else ()
        await self._handlers.take_account(account, *positions.positions, *balances, *reconciled)
        self._market.looked[account] = asked_at
        if answer.reconciled and answer.reconciled.ok:
            self._market.take_confirmation(account, asked_at)

    async def _look_for_overdue(self, account: str) -> None:
        """An approval whose order nobody spoke of stays reserved until the broker gateway says what became of it."""
        book = await self._books.current(account)
        if book is None:
            return
        now = self._clock.now()
        overdue = {
            order_id
            for order_id, row in book.reservations.items()
            if row.status is OrderStatus.APPROVED and row.expires_at and now - row.expires_at > self._overdue_after
        }
        if not overdue:
            return
        oldest = min(book.reservations[order_id].approved_at for order_id in overdue) - _EARLIER
        before: datetime | None = None
        while overdue and (before is None or before > oldest):
            page = await self._platform.orders(account, before)
            for order in page:
                if order.terms.order_id in overdue:
                    await self._handlers.take_order(order)
                    overdue.discard(order.terms.order_id)
            earliest = min((order.created_at for order in page), default=None)
            if earliest is None or (before is not None and earliest >= before):
                break
            before = earliest
        for order_id in overdue - self._told:
            self._told.add(order_id)
            await self._announcer.alert(
                Severity.WARNING,
                "approval_unanswered",
                "an approved order was never heard of; its exposure stays reserved",
                order_id=order_id,
                account=account,
            )
