"""Decisions: each is one statement that is its own transaction, so that one round trip lies between a proposal and the
approval's way out.

Invariant: inbox, decision, reservation and outbox are written together or not at all; over the book's version, and not
where a halt is engaged that the writer has not heard of.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from algotrendy_common.database import Outgoing, Transaction
from algotrendy_common.events.order import OrderRefused, OrderTerms

from algotrendy_risk.domain.assessment import Approval
from algotrendy_risk.errors import OrderIdReused, StaleBook

PROPOSAL = "risk-order-proposed"

Run = Callable[..., Awaitable[Any]]
"""Executes a statement and gives its first value: ``Database.statement`` or ``Transaction.fetch_value``."""

_TAIL = """
decided AS (
    INSERT INTO decision (order_id, account, approved, code, terms, event, seen, decided_at, strategy, notional,
                          by_person)
    SELECT $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 FROM first ON CONFLICT (order_id) DO NOTHING
    RETURNING order_id
), told AS (
    INSERT INTO outbox (event_id, subject, stream, body) SELECT $14, $15, $16, $8 FROM decided
)"""

_HALTED = """
SELECT FROM halt WHERE engaged AND ((level = 'global') OR (level = 'account' AND key = $4)
                                    OR (level = 'strategy' AND key = $11))
"""

_APPROVE = f"""
WITH fenced AS (
    UPDATE account SET version = version + 1
    WHERE account = $4 AND version = $17 AND ($18::boolean OR NOT EXISTS ({_HALTED}))
    RETURNING version
), first AS (
    INSERT INTO inbox (event_id, consumer) SELECT $1, $2 FROM fenced ON CONFLICT DO NOTHING RETURNING event_id
), {_TAIL}, reserved AS (
    INSERT INTO reservation (order_id, account, terms, price, cash_ratio, approved_at, expires_at, status, revision,
                             filled, reported_filled, open, source, strategy)
    SELECT order_id, $4, $7, $19, $20, $10, $21, $22, 0, 0, 0, true, $23, $11 FROM decided
)
SELECT (SELECT count(*) FROM fenced) * 4 + (SELECT count(*) FROM first) * 2 + (SELECT count(*) FROM decided)
"""

_REFUSE = f"""
WITH first AS (
    INSERT INTO inbox (event_id, consumer) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING event_id
), {_TAIL}
SELECT 4 + (SELECT count(*) FROM first) * 2 + (SELECT count(*) FROM decided)
"""


class Recorded(StrEnum):
    """What came of writing a decision down."""

    NEW = "new"
    KNOWN = "known"
    """This proposal, or this order, was decided before: nothing was written."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision as it is written: what led to it, and the event that tells of it."""

    event_id: str
    consumer: str
    terms: OrderTerms
    strategy: str | None
    told: Outgoing
    decided_at: datetime
    by_person: str | None = None


class DecisionStore:
    async def approve(
        self, run: Run, verdict: Verdict, approval: Approval, version: int, *, past_halts: bool
    ) -> Recorded:
        """Over ``version`` of the book. Raises ``StaleBook``, also where a halt was engaged elsewhere."""
        held = approval.reservation
        seen = approval.seen | {"unattended": str(approval.unattended)}
        return await self._record(
            run, _APPROVE, verdict, True, "approved", seen, approval.notional, version,
            (version, past_halts, held.price, held.cash_ratio, held.expires_at, held.status.value, held.source.value),
        )  # fmt: skip

    async def refuse(self, run: Run, verdict: Verdict, refused: OrderRefused) -> Recorded:
        seen = {"limit": refused.limit, "observed": refused.observed}
        return await self._record(run, _REFUSE, verdict, False, refused.code, seen, None, 0, ())

    async def _record(
        self,
        run: Run,
        sql: str,
        verdict: Verdict,
        approved: bool,
        code: str,
        seen: dict[str, Any],
        notional: Decimal | None,
        version: int,
        rest: tuple[Any, ...],
    ) -> Recorded:
        terms, told = verdict.terms, verdict.told
        outcome = await run(
            sql, verdict.event_id, verdict.consumer, terms.order_id, terms.account, approved, code,
            terms.model_dump(mode="json"), told.body.decode(), seen, verdict.decided_at, verdict.strategy, notional,
            verdict.by_person, told.event_id, told.subject, told.stream, *rest,
        )  # fmt: skip
        if not outcome & 4:
            raise StaleBook(terms.account, version)
        if outcome & 1:
            return Recorded.NEW
        if outcome & 2:
            known = await run("SELECT terms FROM decision WHERE order_id = $1", terms.order_id)
            if known is not None and OrderTerms.model_validate(known) != terms:
                raise OrderIdReused(terms.order_id)
        return Recorded.KNOWN

    async def refusals(
        self, tx: Transaction, account: str, limit: int, order_id: str | None
    ) -> tuple[OrderRefused, ...]:
        """Newest first."""
        rows = await tx.fetch(
            "SELECT event FROM decision WHERE account = $1 AND NOT approved AND ($3::text IS NULL OR order_id = $3)"
            " ORDER BY decided_at DESC LIMIT $2",
            account,
            limit,
            order_id,
        )
        return tuple(OrderRefused.from_json(row["event"]) for row in rows)
