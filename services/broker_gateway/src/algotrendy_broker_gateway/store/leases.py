"""Leases of accounts in PostgreSQL, whose clock alone decides when one has run out.

Invariant: an account's epoch rises with every taking and never otherwise, so that what was written under an older
epoch can be told from what the present holder writes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from algotrendy_common.database import Database


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """When an account's holder was last heard from, by PostgreSQL's clock; ``silent_s`` counts until now."""

    account: str
    epoch: int
    renewed_at: datetime
    silent_s: float
    released: bool
    """It ended cleanly and nobody has taken over."""


class LeaseStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(
        self,
        accounts: Sequence[str],
        holder: str,
        lease_time: timedelta,
        is_dead: Callable[[str], bool] = lambda holder: False,
    ) -> dict[str, int] | str:
        """All of the accounts or none: their epochs, or who holds one of them and which.

        A holder that is known to be dead sends nothing any more: its lease need not run out.
        """
        wanted = sorted(accounts)
        async with self._database.transaction() as tx:
            await tx.execute(
                "INSERT INTO leases (account, holder, epoch, taken_at, renewed_at, expires_at)"
                " SELECT account, '', 0, now(), now(), '-infinity' FROM unnest($1::text[]) AS account"
                " ON CONFLICT DO NOTHING",
                wanted,
            )
            # Waits for every writer of the present holder: what it has begun is committed and seen, or never will be.
            rows = await tx.fetch(
                "SELECT account, holder, expires_at > clock_timestamp() AS held FROM leases WHERE account = ANY($1)"
                " ORDER BY account FOR UPDATE",
                wanted,
            )
            for row in rows:
                if row["held"] and row["holder"] != holder and not is_dead(row["holder"]):
                    return f"{row['account']} is held by {row['holder']}"
            taken = await tx.fetch(
                "UPDATE leases SET holder = $2, epoch = epoch + 1, taken_at = clock_timestamp(),"
                " renewed_at = clock_timestamp(), expires_at = clock_timestamp() + $3"
                " WHERE account = ANY($1) RETURNING account, epoch",
                wanted,
                holder,
                lease_time,
            )
        return {row["account"]: row["epoch"] for row in taken}

    async def renew(self, epochs: Mapping[str, int], holder: str, lease_time: timedelta) -> bool:
        """False where somebody else has taken one of them; a lease that only ran out is ours again."""
        async with self._database.transaction() as tx:
            status = await tx.execute(
                "UPDATE leases SET renewed_at = clock_timestamp(), expires_at = clock_timestamp() + $4"
                " FROM unnest($1::text[], $2::bigint[]) AS mine (account, epoch)"
                " WHERE leases.account = mine.account AND leases.epoch = mine.epoch AND leases.holder = $3",
                list(epochs),
                list(epochs.values()),
                holder,
                lease_time,
            )
        return status == f"UPDATE {len(epochs)}"

    async def release(self, epochs: Mapping[str, int], holder: str) -> None:
        """At a clean end: the next one need not wait."""
        async with self._database.transaction() as tx:
            await tx.execute(
                "UPDATE leases SET expires_at = '-infinity' FROM unnest($1::text[], $2::bigint[]) AS mine"
                " (account, epoch) WHERE leases.account = mine.account AND leases.epoch = mine.epoch AND holder = $3",
                list(epochs),
                list(epochs.values()),
                holder,
            )

    async def heartbeats(self, accounts: Sequence[str]) -> dict[str, Heartbeat]:
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                "SELECT account, epoch, renewed_at, expires_at = '-infinity' AS released,"
                " extract(epoch FROM clock_timestamp() - renewed_at)::float8 AS silent_s"
                " FROM leases WHERE account = ANY($1) AND epoch > 0",
                list(accounts),
            )
        return {
            row["account"]: Heartbeat(row["account"], row["epoch"], row["renewed_at"], row["silent_s"], row["released"])
            for row in rows
        }
