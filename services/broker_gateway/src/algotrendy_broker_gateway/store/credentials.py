"""Sealed credentials in PostgreSQL, a row an account.

Invariant: only ciphertext passes here.
"""

from dataclasses import dataclass
from datetime import datetime

from algotrendy_common.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class SealedCredentials:
    credential_id: str
    account: str
    venue: str
    key_hint: str
    key_version: int
    wrapped_key: bytes
    sealed: bytes
    stored_at: datetime | None = None


_COLUMNS = "credential_id, account, venue, key_hint, key_version, wrapped_key, sealed, stored_at"


class CredentialStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, sealed: SealedCredentials) -> None:
        """Replaces what the account had."""
        async with self._database.transaction() as tx:
            await tx.execute("DELETE FROM credentials WHERE account = $1", sealed.account)
            await tx.execute(
                "INSERT INTO credentials (credential_id, account, venue, key_hint, key_version, wrapped_key, sealed)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7)",
                sealed.credential_id,
                sealed.account,
                sealed.venue,
                sealed.key_hint,
                sealed.key_version,
                sealed.wrapped_key,
                sealed.sealed,
            )

    async def of(self, account: str) -> SealedCredentials | None:
        async with self._database.reading() as tx:
            rows = await _rows(tx, "account = $1", account)
        return rows[0] if rows else None

    async def every(self) -> list[SealedCredentials]:
        async with self._database.reading() as tx:
            return await _rows(tx, "true")

    async def older_than(self, tx: Transaction, version: int, after: str, limit: int) -> list[SealedCredentials]:
        """Rows that an older key wraps, by id from ``after`` on, for update."""
        return await _rows(
            tx,
            "key_version < $1 AND credential_id > $2 ORDER BY credential_id LIMIT $3 FOR UPDATE",
            version,
            after,
            limit,
        )

    async def rewrap(self, tx: Transaction, credential_id: str, version: int, wrapped_key: bytes) -> None:
        await tx.execute(
            "UPDATE credentials SET key_version = $2, wrapped_key = $3 WHERE credential_id = $1",
            credential_id,
            version,
            wrapped_key,
        )

    async def remove(self, account: str) -> bool:
        async with self._database.transaction() as tx:
            return (await tx.execute("DELETE FROM credentials WHERE account = $1", account)).endswith(" 1")


async def _rows(tx: Transaction, condition: str, *values: object) -> list[SealedCredentials]:
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM credentials WHERE {condition}", *values)
    return [SealedCredentials(**dict(row)) for row in rows]
