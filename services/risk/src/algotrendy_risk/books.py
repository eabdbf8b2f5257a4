"""The books in memory, one writer an account at a time.

Invariant: a book in memory is a committed one. It changes only after the commit, and whatever fails on the way throws
it out, so that the next reader loads what PostgreSQL really has.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable

from algotrendy_common.clock import Clock
from algotrendy_common.database import Database, Transaction

from algotrendy_risk.domain.book import AccountBook
from algotrendy_risk.errors import StaleBook
from algotrendy_risk.store.books import BookStore, is_conflict

_ATTEMPTS = 5
_UNKNOWN = ""

Work = Callable[[Transaction, AccountBook | None], Awaitable[AccountBook | None]]
"""Reads the book, writes in the transaction, returns the book as it will be once committed (or the same one)."""
Statement = Callable[[AccountBook | None], Awaitable[AccountBook | None]]
"""Like ``Work``, but commits by itself, in one statement."""
Refresh = Callable[[], Awaitable[None]]


class Books:
    def __init__(self, database: Database, store: BookStore, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._books: dict[str, AccountBook] = {}
        self._shown: dict[str, AccountBook] = {}
        """The last ones known, thrown out or not: never to judge by."""
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.accounts: tuple[str, ...] = ()
        self.when_stale: Refresh | None = None
        """Loads what else another writer may have changed."""

    async def load(self) -> None:
        """Read every account that is kept."""
        async with self._database.reading() as tx:
            self.accounts = tuple(await self._store.accounts(tx))
        for account in self.accounts:
            await self.current(account)

    async def current(self, account: str) -> AccountBook | None:
        """The newest book known; loaded where memory has none. None for an account that is not kept."""
        book = self._books.get(account)
        if book is None:
            async with self._database.reading() as tx:
                book = await self._store.load(tx, account, self._clock.now())
            if book is not None:
                self._keep(book)
        return book

    def last_known(self, account: str) -> AccountBook | None:
        """Without asking PostgreSQL, and perhaps behind it: to show, for what must not wait."""
        return self._shown.get(account)

    def _keep(self, book: AccountBook) -> None:
        self._books[book.account] = self._shown[book.account] = book

    async def change(self, account: str, work: Work) -> AccountBook | None:
        """Run ``work`` in one transaction over the newest book, alone on the account; repeated where another process
        was quicker. Raises what ``work`` raises."""

        async def in_transaction(book: AccountBook | None) -> AccountBook | None:
            async with self._database.transaction() as tx:
                return await work(tx, book)

        return await self.decide(account, in_transaction)

    async def decide(self, account: str, statement: Statement) -> AccountBook | None:
        """``change`` for work that is a single statement, and so a transaction of its own."""
        async with self._locks[account if account in self.accounts else _UNKNOWN]:
            for _ in range(_ATTEMPTS):
                book = await self.current(account)
                try:
                    after = await statement(book)
                except StaleBook:
                    self._books.pop(account, None)
                    if self.when_stale is not None:
                        await self.when_stale()
                    continue
                except BaseException as error:
                    # A failed commit may have committed: memory cannot know, PostgreSQL does.
                    self._books.pop(account, None)
                    if isinstance(error, Exception) and is_conflict(error):
                        continue
                    raise
                if after is not None:
                    self._keep(after)
                return after
        raise StaleBook(account, -1)

    async def drop_older(self) -> None:
        """Throw out books that another process has written since; a refusal would not notice."""
        async with self._database.reading() as tx:
            stored = await self._store.versions(tx)
        for account, version in stored.items():
            book = self._books.get(account)
            if book is not None and book.version < version:
                self._books.pop(account, None)

    def forget(self, account: str) -> None:
        """The next reader loads it anew: for changes that reach further than the book itself."""
        self._books.pop(account, None)
