"""PostgreSQL as the gateway sees it through asyncpg: the real ``Database`` runs on this pool, the real SQL on SQLite.

Invariant: transactions come one after the other, so each sees all that committed before it; what had not committed when
its process died, or when the server went away, never happened.
"""

import asyncio
import random
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.faults.order_sim.postgres_dialect import opened, run
from tests.faults.order_sim.process import Process
from tests.faults.order_sim.virtual_loop import VirtualClock, VirtualLoop

_ROOT = Path(__file__).resolve().parents[3]
MIGRATIONS = (
    *sorted(_ROOT.glob("libs/common/src/algotrendy_common/migrations/*.sql")),
    *sorted(_ROOT.glob("services/broker_gateway/migrations/*.sql")),
)
_MEANING = (
    ("INSERT INTO orders", "intent"),
    ("UPDATE orders SET cancel_requested", "cancel_wanted"),
    ("UPDATE orders", "outcome"),
    ("searches", "search"),
    ("SET reconciled", "reconciliation"),
    ("watermarks", "watermark"),
    ("entries", "opening"),
    ("leases", "lease"),
    ("early_cancels", "cancel_wanted"),
)
_CHANGE = re.compile(r"\b(INSERT|UPDATE|DELETE)\b")


Record = dict[str, Any]
"""A row; asyncpg's own can be asked in the same way."""


class VirtualPostgres:
    """The server: its data, its time, its bad days."""

    def __init__(self, loop: VirtualLoop, chance: random.Random, lost_commits: float) -> None:
        self.loop = loop
        self.chance = chance
        self.lost_commits = lost_commits
        """Share of commits whose own answer is lost."""
        self.away_until_s = 0.0
        migrations = [path for path in MIGRATIONS if not path.name.endswith(".rollback.sql")]
        self.data = opened(migrations, VirtualClock(loop).now)
        self.turn = asyncio.Lock()
        self.on_commit: Callable[[bool], None] = lambda told: None
        """Called with whether the outbox has grown."""
        self.commit_answers_lost = 0

    @property
    def away(self) -> bool:
        return self.loop.now_s < self.away_until_s

    def rows(self, sql: str, *arguments: Any) -> list[dict[str, Any]]:
        """What is committed, asked from outside."""
        return run(self.data, sql, arguments)[0]


class Pool:
    """One process's connections."""

    def __init__(self, server: VirtualPostgres, process: Process) -> None:
        self._server = server
        self._process = process

    def acquire(self, timeout: float | None = None) -> "Connection":
        return Connection(self._server, self._process)

    async def close(self) -> None:
        pass


class Connection:
    """Also the block for which it was acquired."""

    def __init__(self, server: VirtualPostgres, process: Process) -> None:
        self._server = server
        self._process = process
        self._inside = False
        self._did: list[str] = []

    async def __aenter__(self) -> "Connection":
        return self

    async def __aexit__(self, *reason: object) -> None:
        pass

    def transaction(self) -> "_Transaction":
        return _Transaction(self)

    async def begin(self) -> None:
        server = self._server
        self._process.check()
        await server.turn.acquire()
        try:
            await asyncio.sleep(server.chance.uniform(0.0002, 0.002))
            self._reachable()
            server.data.execute("BEGIN")
        except BaseException:
            server.turn.release()
            raise
        self._inside, self._did = True, []

    async def end(self, failed: bool) -> None:
        server = self._server
        try:
            if not failed:
                await self._about_to_commit()
        except BaseException:
            failed = True
            raise
        finally:
            self._inside = False
            server.data.execute("ROLLBACK" if failed else "COMMIT")
            if not failed:
                server.on_commit(_tells(tuple(self._did)))
            server.turn.release()
        if not failed:
            self._committed()

    async def _about_to_commit(self) -> None:
        await asyncio.sleep(self._server.chance.uniform(0.0005, 0.004))
        self._reachable()
        if self._did:
            self._process.step(f"{_meaning(tuple(self._did))}: before its commit")

    def _committed(self) -> None:
        if not self._did:
            return
        self._process.step(f"{_meaning(tuple(self._did))}: after its commit")
        if self._server.chance.random() < self._server.lost_commits:
            self._server.commit_answers_lost += 1
            raise ConnectionResetError("the answer to the commit was lost")

    def _reachable(self) -> None:
        self._process.check()
        if self._server.away:
            raise ConnectionResetError("PostgreSQL is away")

    async def _run(self, sql: str, arguments: Sequence[Any]) -> tuple[list[Record], int]:
        if self._inside:
            self._process.check()
            if _changes(sql):
                self._did.append(sql)
            return run(self._server.data, sql, arguments)
        if _changes(sql):
            async with self.transaction():
                return await self._run(sql, arguments)
        self._process.check()
        async with self._server.turn:
            await asyncio.sleep(self._server.chance.uniform(0.0002, 0.002))
            self._reachable()
            return run(self._server.data, sql, arguments)

    async def execute(self, sql: str, *arguments: Any) -> str:
        _, touched = await self._run(sql, arguments)
        verb = sql.split(maxsplit=1)[0].upper()
        return f"{verb} {'0 ' if verb == 'INSERT' else ''}{max(touched, 0)}"

    async def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            await self._run(sql, row)

    async def fetch(self, sql: str, *arguments: Any) -> list[Record]:
        found, _ = await self._run(sql, arguments)
        return found

    async def fetchrow(self, sql: str, *arguments: Any) -> Record | None:
        found = await self.fetch(sql, *arguments)
        return found[0] if found else None

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        found = await self.fetchrow(sql, *arguments)
        return next(iter(found.values())) if found else None


class _Transaction:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __aenter__(self) -> None:
        await self._connection.begin()

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        await self._connection.end(failed=kind is not None)


@cache
def _changes(sql: str) -> bool:
    return _CHANGE.search(sql) is not None


@cache
def _tells(statements: tuple[str, ...]) -> bool:
    return any("INTO outbox" in sql for sql in statements)


@cache
def _meaning(statements: tuple[str, ...]) -> str:
    text = "\n".join(statements)
    if "INSERT INTO protections" in text:
        return "exit" if "INSERT INTO orders" in text else "guard"
    before, watched, after = text.partition("INSERT INTO watches")
    if watched and "SET switching" in after:
        return "leg ended"
    if watched:
        return "trigger" if "UPDATE orders" in before else "held" if "UPDATE orders" in after else "watch"
    return next((meaning for words, meaning in _MEANING if words in text), "books")
