"""PostgreSQL for a service: a pool, and transactions that carry the outbox and the inbox.

Invariant: what a service publishes is committed with the change it tells of, and the id of what it took in is committed
with its effect; so delivery may repeat, the effect does not.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from algotrendy_common import subjects
from algotrendy_common.errors import Retryable
from algotrendy_common.events.event import Event

UNREACHABLE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
"""What PostgreSQL being away looks like; a handler that meets it is retried.

A server killed in the middle of a statement shows itself as asyncpg's ``InternalClientError`` too.
"""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A row of the outbox on its way to the bus."""

    event_id: str
    subject: str
    stream: str
    body: bytes


class Transaction:
    """One unit of work. Nothing it emits is published unless it commits."""

    def __init__(
        self, connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], check: Callable[[type[Event]], None]
    ):
        self._connection = connection
        self._check = check
        self.outgoing: list[Outgoing] = []

    async def first_delivery(self, event: Event, consumer: str) -> bool:
        """False where this event's effect is already in the store; then there is nothing to do."""
        status: str = await self._connection.execute(
            "INSERT INTO inbox (event_id, consumer) VALUES ($1, $2) ON CONFLICT DO NOTHING", event.event_id, consumer
        )
        return status.endswith(" 1")

    async def emit(self, *events: Event) -> None:
        """Publish events once this transaction has committed; raises ValueError for an event of another service."""
        rows = [_outgoing(event, self._check) for event in events]
        await self._connection.execute(
            "INSERT INTO outbox (event_id, subject, stream, body)"
            " SELECT event_id, subject, stream, body"
            " FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])"
            " WITH ORDINALITY AS row (event_id, subject, stream, body, position) ORDER BY position",
            [row.event_id for row in rows],
            [row.subject for row in rows],
            [row.stream for row in rows],
            [row.body.decode() for row in rows],
        )
        self.outgoing.extend(rows)

    async def execute(self, sql: str, *arguments: Any) -> str:
        status: str = await self._connection.execute(sql, *arguments)
        return status

    async def execute_many(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        await self._connection.executemany(sql, rows)

    async def fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self._connection.fetch(sql, *arguments)
        return rows

    async def fetch_row(self, sql: str, *arguments: Any) -> asyncpg.Record | None:
        return await self._connection.fetchrow(sql, *arguments)

    async def fetch_value(self, sql: str, *arguments: Any) -> Any:
        return await self._connection.fetchval(sql, *arguments)


class Database:
    """A service's own schema. ``on_commit`` is handed what a committed transaction has to publish."""

    def __init__(
        self,
        url: str,
        *,
        check: Callable[[type[Event]], None],
        size: int = 6,
        idle_limit: timedelta | None = None,
    ) -> None:
        """``idle_limit``: PostgreSQL ends a transaction that says nothing for longer, so that a process that stands
        still in the middle of one does not keep its locks."""
        self._url = url
        self._session = (
            {"idle_in_transaction_session_timeout": str(round(idle_limit.total_seconds() * 1000))} if idle_limit else {}
        )
        self._check = check
        self._size = size
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self.on_commit: Callable[[list[Outgoing]], None] = lambda rows: None

    async def connect(self, patience_s: float = 30.0) -> None:
        """Open the pool, waiting for a server that is still starting; raises ``Retryable`` when patience ends."""
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type(UNREACHABLE),
                wait=wait_exponential_jitter(multiplier=0.1, max=2.0),
                stop=stop_after_delay(patience_s),
                reraise=True,
            ):
                with attempt:
                    self._pool = await asyncpg.create_pool(
                        self._url,
                        min_size=1,
                        max_size=self._size,
                        init=_prepare,
                        reset=_leave,
                        command_timeout=10,
                        server_settings=self._session,
                    )
        except UNREACHABLE as error:
            raise Retryable(f"PostgreSQL does not answer: {error!r}") from error

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Begin; commit when the block ends, roll back when it raises; then hand over what it emitted."""
        async with self.pool.acquire() as connection:
            transaction = Transaction(connection, self._check)
            async with connection.transaction():
                yield transaction
            # Before the connection goes back: what is committed is on its way at once.
            if transaction.outgoing:
                self.on_commit(transaction.outgoing)

    def outgoing(self, event: Event) -> Outgoing:
        """An event as a row of the outbox, for ``statement``; raises as ``Transaction.emit``."""
        return _outgoing(event, self._check)

    async def statement(self, sql: str, *arguments: Any) -> Any:
        """One statement that is a transaction of its own: a single round trip. Returns its first value.

        Where the statement writes outbox rows itself, the caller hands them to ``on_commit`` afterwards.
        """
        async with self.pool.acquire() as connection:
            return await connection.fetchval(sql, *arguments)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """A connection for queries alone."""
        async with self.pool.acquire() as connection:
            yield Transaction(connection, self._check)

    @property
    def pool(self) -> asyncpg.Pool[asyncpg.Record]:
        if self._pool is None:
            raise Retryable("the database is not connected yet")
        return self._pool

    async def answers(self) -> bool:
        """True where PostgreSQL answers now."""
        try:
            async with self.pool.acquire(timeout=1.0) as connection:
                return bool(await connection.fetchval("SELECT true", timeout=1.0))
        except (*UNREACHABLE, Retryable, TimeoutError):
            return False


def _outgoing(event: Event, check: Callable[[type[Event]], None]) -> Outgoing:
    check(type(event))
    stream = subjects.subject_of(type(event)).stream
    if stream is None:
        raise ValueError(f"{event.kind} is kept in no stream")
    return Outgoing(event.event_id, subjects.address(event), stream.name, event.to_json())


async def _prepare(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


async def _leave(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Nothing here changes a session (``SET LOCAL`` ends with its transaction): a reset would be a round trip lost."""
    if connection.is_in_transaction():
        await connection.reset()
