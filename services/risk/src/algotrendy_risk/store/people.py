"""What people command: halts, switches, limits, approvals. Nothing here is ever overwritten without a trace."""

from dataclasses import dataclass
from datetime import datetime

from algotrendy_common.database import Transaction
from algotrendy_common.events.order import OrderProposed
from algotrendy_common.events.risk import ApprovalRequested
from algotrendy_common.rpc.risk import AccountLimitsSet

from algotrendy_risk.domain.account_limits import AccountLimits
from algotrendy_risk.domain.halts import Halt
from algotrendy_risk.rows import halt_from_row, halt_values

_SAVE_HALT = """
WITH stepped AS (
    INSERT INTO halt_step (level, key, revision, document) VALUES ($1, $2, $3, $11)
    ON CONFLICT DO NOTHING RETURNING revision
)
INSERT INTO halt (level, key, revision, engaged, by_whom, reason, flatten, since, release_asked_by, release_asked_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM stepped
ON CONFLICT (level, key) DO UPDATE SET
    revision = $3, engaged = $4, by_whom = $5, reason = $6, flatten = $7, since = $8, release_asked_by = $9,
    release_asked_at = $10
WHERE halt.revision < $3
"""


@dataclass(frozen=True, slots=True)
class Pending:
    """An order that waits for a person."""

    proposal: OrderProposed
    request: ApprovalRequested


class HaltStore:
    async def load(self, tx: Transaction) -> list[Halt]:
        return [halt_from_row(row) for row in await tx.fetch("SELECT * FROM halt")]

    async def save(self, tx: Transaction, halt: Halt, acted: str) -> bool:
        """False where as new a revision is stored; every step is kept, with who acted in it."""
        document = {
            "engaged": halt.engaged, "by": halt.by, "reason": halt.reason, "flatten": halt.flatten,
            "release_asked_by": halt.release_asked_by, "acted": acted,
        }  # fmt: skip
        status = await tx.execute(_SAVE_HALT, *halt_values(halt), document)
        return status.endswith(" 1")


class SwitchStore:
    """Strategies that the throttle switched off."""

    async def off(self, tx: Transaction) -> dict[str, str]:
        """Why, by strategy."""
        rows = await tx.fetch("SELECT strategy, reason FROM strategy_switch WHERE is_off")
        return {row["strategy"]: row["reason"] for row in rows}

    async def switch_off(self, tx: Transaction, strategy: str, account: str, reason: str, now: datetime) -> None:
        await tx.execute(
            "INSERT INTO strategy_switch (strategy, is_off, account, reason, off_since) VALUES ($1, true, $2, $3, $4)"
            " ON CONFLICT (strategy) DO UPDATE SET is_off = true, account = $2, reason = $3, off_since = $4"
            " WHERE NOT strategy_switch.is_off",
            strategy,
            account,
            reason,
            now,
        )

    async def enable(self, tx: Transaction, strategy: str, by: str, reason: str, now: datetime) -> bool:
        """False where it is not off."""
        status = await tx.execute(
            "UPDATE strategy_switch SET is_off = false, enabled_by = $2, enabled_reason = $3, enabled_at = $4"
            " WHERE strategy = $1 AND is_off",
            strategy,
            by,
            reason,
            now,
        )
        return status.endswith(" 1")

    async def enabled_at(self, tx: Transaction) -> dict[str, datetime]:
        rows = await tx.fetch("SELECT strategy, enabled_at FROM strategy_switch WHERE enabled_at IS NOT NULL")
        return {row["strategy"]: row["enabled_at"] for row in rows}


class LimitsStore:
    async def history(self, tx: Transaction, account: str) -> tuple[AccountLimitsSet, ...]:
        """Newest first."""
        rows = await tx.fetch("SELECT * FROM account_limits WHERE account = $1 ORDER BY version DESC", account)
        return tuple(
            AccountLimitsSet(
                account=row["account"], version=row["version"], document=row["document"], set_by=row["set_by"],
                set_at=row["set_at"], reason=row["reason"],
            )
            for row in rows
        )  # fmt: skip

    async def add(
        self, tx: Transaction, account: str, version: int, limits: AccountLimits, by: str, reason: str
    ) -> AccountLimitsSet:
        row = await tx.fetch_row(
            "INSERT INTO account_limits (account, version, document, set_by, reason) VALUES ($1, $2, $3, $4, $5)"
            " RETURNING document, set_at",
            account,
            version,
            limits.model_dump(mode="json"),
            by,
            reason,
        )
        assert row is not None
        return AccountLimitsSet(
            account=account, version=version, document=row["document"], set_by=by, set_at=row["set_at"], reason=reason
        )


class ApprovalStore:
    async def ask(self, tx: Transaction, proposal: OrderProposed, request: ApprovalRequested) -> bool:
        """False where the order waits, or waited, already."""
        status = await tx.execute(
            "INSERT INTO pending_approval (order_id, account, state, proposal, request, asked_at, expires_at)"
            " VALUES ($1, $2, 'waiting', $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            request.terms.order_id,
            request.terms.account,
            proposal.to_json().decode(),
            request.to_json().decode(),
            request.received_time,
            request.expires_at,
        )
        return status.endswith(" 1")

    async def ask_again(self, tx: Transaction, request: ApprovalRequested) -> None:
        await tx.execute(
            "UPDATE pending_approval SET request = $2, expires_at = $3 WHERE order_id = $1",
            request.terms.order_id,
            request.to_json().decode(),
            request.expires_at,
        )

    async def known(self, tx: Transaction, order_id: str) -> Pending | None:
        """Waiting or not."""
        row = await tx.fetch_row("SELECT proposal, request FROM pending_approval WHERE order_id = $1", order_id)
        return None if row is None else _pending(row["proposal"], row["request"])

    async def waiting(self, tx: Transaction, order_id: str) -> Pending | None:
        """For update."""
        row = await tx.fetch_row(
            "SELECT proposal, request FROM pending_approval WHERE order_id = $1 AND state = 'waiting' FOR UPDATE",
            order_id,
        )
        return None if row is None else _pending(row["proposal"], row["request"])

    async def all_waiting(self, tx: Transaction) -> tuple[Pending, ...]:
        """Oldest first."""
        rows = await tx.fetch(
            "SELECT proposal, request FROM pending_approval WHERE state = 'waiting' ORDER BY asked_at, order_id"
        )
        return tuple(_pending(row["proposal"], row["request"]) for row in rows)

    async def expired(self, tx: Transaction, now: datetime) -> list[tuple[str, str]]:
        """Order and account of those that nobody decided on in time."""
        rows = await tx.fetch(
            "SELECT order_id, account FROM pending_approval WHERE state = 'waiting' AND expires_at <= $1", now
        )
        return [(row["order_id"], row["account"]) for row in rows]

    async def close(
        self, tx: Transaction, order_id: str, state: str, by: str | None, reason: str, now: datetime
    ) -> None:
        await tx.execute(
            "UPDATE pending_approval SET state = $2, decided_by = $3, reason = $4, decided_at = $5 WHERE order_id = $1",
            order_id,
            state,
            by,
            reason,
            now,
        )


def _pending(proposal: str, request: str) -> Pending:
    return Pending(OrderProposed.from_json(proposal), ApprovalRequested.from_json(request))
