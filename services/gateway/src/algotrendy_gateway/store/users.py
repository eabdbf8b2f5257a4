"""Users and their roles.

Invariant: what ends a user's right to be here (disabling, a new password, another role) raises the session epoch in the
same statement, so no session outlives it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

import asyncpg
from algotrendy_common.database import Database, Transaction

from algotrendy_gateway.domain.roles import Role

_COLUMNS = "username, display_name, role, password_hash, enabled, session_epoch"


@dataclass(frozen=True, slots=True)
class User:
    username: str
    display_name: str
    role: Role
    password_hash: str
    enabled: bool
    session_epoch: int

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self:
        return cls(**(dict(row) | {"role": Role(row["role"])}))


class Users:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, username: str) -> User | None:
        async with self._database.reading() as connection:
            row = await connection.fetch_row(f"SELECT {_COLUMNS} FROM users WHERE username = $1", username)
        return None if row is None else User.of(row)

    async def all(self) -> list[User]:
        async with self._database.reading() as connection:
            rows = await connection.fetch(f"SELECT {_COLUMNS} FROM users ORDER BY username")
        return [User.of(row) for row in rows]

    async def add(
        self, transaction: Transaction, username: str, display_name: str, role: Role, password_hash: str, at: datetime
    ) -> bool:
        """False where the name is taken; nothing is changed then."""
        status = await transaction.execute(
            "INSERT INTO users (username, display_name, role, password_hash, created_at)"
            " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            username,
            display_name,
            role,
            password_hash,
            at,
        )
        return status.endswith(" 1")

    async def set_password(self, transaction: Transaction, username: str, password_hash: str) -> bool:
        """Also ends the user's sessions; False where there is no such user."""
        status = await transaction.execute(
            "UPDATE users SET password_hash = $2, session_epoch = session_epoch + 1 WHERE username = $1",
            username,
            password_hash,
        )
        return status.endswith(" 1")

    async def set_enabled(self, transaction: Transaction, username: str, enabled: bool) -> bool:
        """Also ends the user's sessions; False where there is no such user."""
        status = await transaction.execute(
            "UPDATE users SET enabled = $2, session_epoch = session_epoch + 1 WHERE username = $1", username, enabled
        )
        return status.endswith(" 1")

    async def upgrade_hash(self, username: str, old: str, new: str) -> None:
        """The same password under today's cost; sessions stay."""
        async with self._database.transaction() as transaction:
            await transaction.execute(
                "UPDATE users SET password_hash = $3 WHERE username = $1 AND password_hash = $2", username, old, new
            )
