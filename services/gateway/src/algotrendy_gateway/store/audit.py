"""The audit trail: a chain in which every line's hash covers the line before.

Invariant: numbers have no gap and no line changes; ``verify`` finds the first line that was tampered with.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import asyncpg
from algotrendy_common.database import Database, Transaction
from algotrendy_common.events.ops import AuditRecorded

from algotrendy_gateway.domain.alerts import AuditEntry

# Any number, as long as nothing else of this schema locks it: lines are appended one at a time.
_LOCK = 7_201_405
_START = "0" * 64


def line_hash(before: str, seq: int, time: datetime, fields: dict[str, Any]) -> str:
    """SHA-256 over the hash before and the line as canonical JSON."""
    line = {"seq": seq, "time": time.astimezone(UTC).isoformat(), **fields}
    text = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(f"{before}{text}".encode()).hexdigest()


class AuditTrail:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, transaction: Transaction, event: AuditRecorded) -> None:
        await transaction.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        last = await transaction.fetch_row("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
        seq, before = (1, _START) if last is None else (last["seq"] + 1, last["hash"])
        fields = event.model_dump(include={"actor", "action", "target", "before", "after", "outcome"})
        await transaction.execute(
            "INSERT INTO audit (seq, time, actor, action, target, before, after, outcome, hash)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            seq,
            event.received_time,
            event.actor,
            event.action,
            event.target,
            event.before,
            event.after,
            event.outcome,
            line_hash(before, seq, event.received_time, fields),
        )

    async def newest(self, limit: int, before: int | None = None) -> list[AuditEntry]:
        async with self._database.reading() as connection:
            rows = await connection.fetch(
                "SELECT * FROM audit WHERE $2::bigint IS NULL OR seq < $2 ORDER BY seq DESC LIMIT $1", limit, before
            )
        return [AuditEntry(**dict(row)) for row in rows]

    async def verify(self) -> int | None:
        """The number of the first line that is missing or does not fit its hash; None where all is well."""
        hash_before, seq = _START, 0
        while True:
            async with self._database.reading() as connection:
                rows = await connection.fetch("SELECT * FROM audit WHERE seq > $1 ORDER BY seq LIMIT 5000", seq)
            if not rows:
                return None
            for row in rows:
                if row["seq"] != seq + 1 or row["hash"] != _expected(hash_before, row):
                    return seq + 1
                seq, hash_before = row["seq"], row["hash"]


def _expected(before: str, row: asyncpg.Record) -> str:
    fields = {name: row[name] for name in ("actor", "action", "target", "before", "after", "outcome")}
    return line_hash(before, row["seq"], row["time"], fields)
