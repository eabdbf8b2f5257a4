"""QuestDB's two protocols on one address, with one login: SQL over ``/exec``, rows over ``/write``.

Invariant: nothing is written before the tables are there, for a row without its table would make one without keys.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import questdb

from algotrendy_ingest.errors import StoreAway
from algotrendy_ingest.metrics import ROWS_WRITTEN
from algotrendy_ingest.store import tables

_TIMEOUT_S = 5.0
_COPY_TIMEOUT_S = 900.0
YEAR = timedelta(days=365)

type Row = tuple[dict[str, str | None], dict[str, Any], datetime]
"""Symbols, columns and event time."""


class Quest:
    """One server. Every method raises ``StoreAway`` where it does not answer or will not."""

    def __init__(self, url: str, *, retention: timedelta = YEAR, candle_retention: timedelta = YEAR) -> None:
        self.retention = retention
        self.candle_retention = candle_retention
        parts = urlsplit(url)
        login = (unquote(parts.username or ""), unquote(parts.password or ""))
        address = f"{parts.hostname}:{parts.port or 9000}"
        self._http = httpx.AsyncClient(
            base_url=f"{parts.scheme}://{address}", auth=login if parts.username else None, timeout=_TIMEOUT_S
        )
        secret = f"username={login[0]};password={login[1]};" if parts.username else ""
        # Version 3 is the one that carries decimals; asking the server for its versions would need it to be up.
        # Retrying is left to whoever brought the rows: they still have them.
        self._configuration = (
            f"{parts.scheme}::addr={address};{secret}protocol_version=3;auto_flush=off;"
            f"retry_timeout=0;request_timeout={int(_TIMEOUT_S * 1000)};"
        )
        self._sender: questdb.Sender | None = None
        self._writing = asyncio.Lock()
        self._migrated = False

    async def close(self) -> None:
        if self._sender is not None:
            self._sender.close(False)
        await self._http.aclose()

    # -- tables ----------------------------------------------------------------------------------------------

    async def migrate(self) -> None:
        """Make what is not there yet, and set how long rows are kept where it is not what was asked for."""
        for statement in tables.statements(self.retention, self.candle_retention):
            await self.command(statement)
        for [name] in await self.command("SELECT view_name FROM materialized_views() WHERE view_status = 'invalid'"):
            # Its table was dropped and made anew; no refreshing brings it back.
            await self.command(f"DROP MATERIALIZED VIEW IF EXISTS {name}")
        for timeframe in tables.DERIVED:
            await self.command(tables.view_statement(timeframe, self.candle_retention))
        await self._set_retention()
        self._migrated = True

    async def _set_retention(self) -> None:
        for name, value, unit, is_view in await self.command(
            "SELECT table_name, ttlValue, ttlUnit, matView FROM tables()"
        ):
            if name not in tables.TABLES and not is_view:
                continue
            wanted = self.candle_retention if tables.is_candles(name) else self.retention
            if tables.days_of(value, unit) != wanted.days:
                kind = "MATERIALIZED VIEW" if is_view else "TABLE"
                await self.command(f"ALTER {kind} {name} SET TTL {wanted.days} DAYS")

    async def rebuild(self, name: str) -> None:
        """A table anew, with the rows that can be read of the old one; what was written and not applied is gone."""
        anew = f"{name}_rebuilt"
        async with self._writing:
            await self.command(f"DROP TABLE IF EXISTS {anew}")
            await self.command(tables.statement(name, self.retention, self.candle_retention, called=anew))
            await self.command(f"INSERT INTO {anew} SELECT * FROM {name}", timeout_s=_COPY_TIMEOUT_S)
            await self.applied(anew)
            await self.command(f"DROP TABLE {name}")
            await self.command(f"RENAME TABLE {anew} TO {name}")
            await self.migrate()

    async def applied(self, name: str) -> None:
        """Until all that was written to a table can be read."""
        behind = f"SELECT 1 FROM wal_tables() WHERE name = '{name}' AND writerTxn < sequencerTxn"
        async with asyncio.timeout(_COPY_TIMEOUT_S):
            while await self.command(behind):
                await asyncio.sleep(0.1)

    # -- rows ------------------------------------------------------------------------------------------------

    async def write(self, table: str, rows: Iterable[Row]) -> None:
        """All of them in one transaction, or none."""
        async with self._writing:
            if not self._migrated:
                await self.migrate()
            try:
                sender = await self._connected()
                buffer = sender.new_buffer()
                add, nanos, count = buffer.row, questdb.TimestampNanos.from_datetime, 0
                for symbols, columns, time in rows:
                    add(table, symbols=symbols, columns=columns, at=nanos(time))
                    count += 1
                if count:
                    await asyncio.to_thread(sender.flush, buffer, transactional=True)
            except questdb.QuestDBError as error:
                self._migrated = False  # what comes back may be another server, with nothing in it
                raise StoreAway(f"QuestDB does not write: {error}"[:300], table=table) from error
        ROWS_WRITTEN.labels(table).inc(count)

    async def _connected(self) -> questdb.Sender:
        if self._sender is None:
            sender = questdb.Sender.from_conf(self._configuration)
            await asyncio.to_thread(sender.establish)
            self._sender = sender
        return self._sender

    # -- questions -------------------------------------------------------------------------------------------

    async def ask(self, sql: str) -> list[Any]:
        """Rows of an answer, after the tables are there."""
        if not self._migrated:
            await self.migrate()
        return await self.command(sql)

    async def command(self, sql: str, timeout_s: float = _TIMEOUT_S) -> list[Any]:
        """The same whatever is there yet."""
        try:
            answer = await self._http.get("/exec", params={"query": sql, "nm": "true"}, timeout=timeout_s)
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise StoreAway(f"QuestDB does not answer: {error!r}") from error
        if answer.status_code != httpx.codes.OK:
            raise StoreAway(f"QuestDB refuses: {body.get('error', answer.status_code)}", sql=sql)
        rows: list[Any] = body.get("dataset", [])
        return rows
