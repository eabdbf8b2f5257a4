"""Orders and positions of 2.5 in PostgreSQL.

Invariant: a row that is there is never changed, and all rows of one import are stored together or none.
"""

from collections.abc import Sequence
from dataclasses import astuple, fields
from datetime import UTC, datetime
from typing import Any

import asyncpg

from algotrendy_broker_gateway.migration_v25.rows import OldOrder, OldPosition


class MigratedBooks:
    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def orders(self, wanted: Sequence[OldOrder]) -> list[OldOrder]:
        """Those that are there under the keys of ``wanted``."""
        rows = await self._connection.fetch(
            f"SELECT {_columns(OldOrder)} FROM v25_orders WHERE order_id = ANY($1)", [row.order_id for row in wanted]
        )
        return [OldOrder(**_in_utc(row)) for row in rows]

    async def positions(self, wanted: Sequence[OldPosition]) -> list[OldPosition]:
        keys = {row.key for row in wanted}
        rows = await self._connection.fetch(
            f"SELECT {_columns(OldPosition)} FROM v25_positions WHERE account = ANY($1)",
            list({row.account for row in wanted}),
        )
        return [found for row in rows if (found := OldPosition(**_in_utc(row))).key in keys]

    async def write(self, orders: Sequence[OldOrder], positions: Sequence[OldPosition]) -> None:
        async with self._connection.transaction():
            await self._insert("v25_orders", OldOrder, orders)
            await self._insert("v25_positions", OldPosition, positions)

    async def _insert(self, table: str, kind: type, rows: Sequence[Any]) -> None:
        places = ", ".join(f"${number}" for number in range(1, len(fields(kind)) + 1))
        await self._connection.executemany(
            f"INSERT INTO {table} ({_columns(kind)}) VALUES ({places}) ON CONFLICT DO NOTHING",
            [astuple(row) for row in rows],
        )


def _columns(kind: type) -> str:
    return ", ".join(field.name for field in fields(kind))


def _in_utc(row: asyncpg.Record) -> dict[str, Any]:
    return {name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in dict(row).items()}
