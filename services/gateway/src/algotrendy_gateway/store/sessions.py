"""Sessions, their refresh tokens and their stream tickets.

Invariant: of any number of uses of one refresh token exactly one succeeds; any other use ends the whole session.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from algotrendy_common.database import Database, Transaction

from algotrendy_gateway.domain.roles import Role


class EndReason(StrEnum):
    LOGOUT = "logout"
    REUSE = "refresh_token_reused"


@dataclass(frozen=True, slots=True)
class SessionOwner:
    """A live session and whose it is."""

    session_id: str
    username: str
    display_name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Rotated:
    """The token was good and is now used up."""

    owner: SessionOwner
    expires_at: datetime
    """Of the session."""


@dataclass(frozen=True, slots=True)
class Reused:
    """The token had been used before: its session is ended."""

    session_id: str
    username: str


_LIVE = "u.enabled AND s.ended_at IS NULL AND s.expires_at > $2 AND s.epoch = u.session_epoch"


def digest(secret: str) -> bytes:
    """Tokens are random, so a plain hash is enough; only the hash is stored."""
    return hashlib.sha256(secret.encode()).digest()


class Sessions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self, transaction: Transaction, owner: SessionOwner, epoch: int, at: datetime, expires_at: datetime
    ) -> None:
        await transaction.execute(
            "INSERT INTO sessions (session_id, username, epoch, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
            owner.session_id,
            owner.username,
            epoch,
            at,
            expires_at,
        )

    async def add_refresh_token(
        self, transaction: Transaction, token: str, session_id: str, at: datetime, expires_at: datetime
    ) -> None:
        await transaction.execute(
            "INSERT INTO refresh_tokens (token_hash, session_id, issued_at, expires_at) VALUES ($1, $2, $3, $4)",
            digest(token),
            session_id,
            at,
            expires_at,
        )

    async def use_refresh_token(self, transaction: Transaction, token: str, at: datetime) -> Rotated | Reused | None:
        """None where the token is unknown, expired, or its session has ended."""
        # The row lock makes the uses of one token queue up behind each other.
        row = await transaction.fetch_row(
            "SELECT t.used_at, t.expires_at > $2 AS fresh, s.session_id, s.expires_at, s.ended_at,"
            f" u.username, u.display_name, u.role, {_LIVE} AS live"
            " FROM refresh_tokens t JOIN sessions s USING (session_id) JOIN users u USING (username)"
            " WHERE t.token_hash = $1 FOR UPDATE OF t, s",
            digest(token),
            at,
        )
        if row is None:
            return None
        if row["used_at"] is not None:
            await self.end(transaction, row["session_id"], EndReason.REUSE, at)
            return Reused(row["session_id"], row["username"])
        if not (row["live"] and row["fresh"]):
            return None
        await transaction.execute("UPDATE refresh_tokens SET used_at = $2 WHERE token_hash = $1", digest(token), at)
        owner = SessionOwner(row["session_id"], row["username"], row["display_name"], Role(row["role"]))
        return Rotated(owner, row["expires_at"])

    async def end(self, transaction: Transaction, session_id: str, reason: EndReason, at: datetime) -> None:
        await transaction.execute(
            "UPDATE sessions SET ended_at = $3, end_reason = $2 WHERE session_id = $1 AND ended_at IS NULL",
            session_id,
            reason,
            at,
        )

    async def owner_of_token(self, transaction: Transaction, token: str) -> tuple[str, str] | None:
        """Session and user of a refresh token, used or not."""
        row = await transaction.fetch_row(
            "SELECT session_id, username FROM refresh_tokens JOIN sessions USING (session_id) WHERE token_hash = $1",
            digest(token),
        )
        return None if row is None else (row["session_id"], row["username"])

    async def live(self, session_id: str, at: datetime) -> SessionOwner | None:
        """Whose session it is; None where it has ended."""
        async with self._database.reading() as connection:
            row = await connection.fetch_row(
                "SELECT s.session_id, u.username, u.display_name, u.role FROM sessions s JOIN users u USING (username)"
                f" WHERE s.session_id = $1 AND {_LIVE}",
                session_id,
                at,
            )
        return None if row is None else SessionOwner(**(dict(row) | {"role": Role(row["role"])}))

    async def live_among(self, session_ids: list[str], at: datetime) -> set[str]:
        """Those of the sessions that have not ended."""
        async with self._database.reading() as connection:
            rows = await connection.fetch(
                "SELECT s.session_id FROM sessions s JOIN users u USING (username)"
                f" WHERE s.session_id = ANY($1) AND {_LIVE}",
                session_ids,
                at,
            )
        return {row["session_id"] for row in rows}

    # -- stream tickets ----------------------------------------------------------------------------------------

    async def add_ticket(self, ticket: str, session_id: str, account: str, expires_at: datetime) -> None:
        async with self._database.transaction() as transaction:
            # A ticket lost in a crash costs its owner one more request, so it need not be on disk.
            await transaction.execute("SET LOCAL synchronous_commit = off")
            await transaction.execute(
                "INSERT INTO stream_tickets (ticket_hash, session_id, account, expires_at) VALUES ($1, $2, $3, $4)",
                digest(ticket),
                session_id,
                account,
                expires_at,
            )

    async def use_ticket(self, ticket: str, at: datetime) -> tuple[SessionOwner, str] | None:
        """The ticket's session and account, once; None where it is unknown, used, late, or its session has ended."""
        async with self._database.transaction() as transaction:
            row = await transaction.fetch_row(
                "DELETE FROM stream_tickets WHERE ticket_hash = $1"
                " RETURNING session_id, account, expires_at > $2 AS good",
                digest(ticket),
                at,
            )
        if row is None or not row["good"]:
            return None
        owner = await self.live(row["session_id"], at)
        return None if owner is None else (owner, row["account"])

    async def prune(self, at: datetime) -> None:
        """Forget what can no longer let anybody in."""
        async with self._database.transaction() as transaction:
            await transaction.execute("DELETE FROM stream_tickets WHERE expires_at < $1", at)
            await transaction.execute("DELETE FROM sessions WHERE expires_at < $1", at)
