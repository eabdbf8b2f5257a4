"""The books in PostgreSQL.

Invariant: a book is written only over the version it was made from (``StaleBook`` otherwise), so that two writers, or
one that missed the outcome of its commit, can never both spend the same room. The approval's path is one statement.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import asyncpg
from algotrendy_common.database import Transaction
from algotrendy_common.events.event import Event
from algotrendy_common.events.order import OrderFilled, OrderRefused, OrderTerms
from algotrendy_common.rpc.risk import EquityPoint
from algotrendy_core.limits import RecentOrder

from algotrendy_risk.domain.account_limits import AccountLimits
from algotrendy_risk.domain.assessment import Approval, recent_kept
from algotrendy_risk.domain.book import AccountBook
from algotrendy_risk.domain.reservations import Reservation
from algotrendy_risk.errors import OrderIdReused, StaleBook
from algotrendy_risk.rows import (
    account_values,
    book_from_rows,
    holding_values,
    reservation_from_row,
    reservation_values,
)

CONSUMER = "risk-order-proposed"

_DECIDED = """
decided AS (
    INSERT INTO decision (order_id, account, approved, code, terms, event, seen, decided_at)
    SELECT $3, $4, $5, $6, $7, $8, $9, $10 FROM first ON CONFLICT (order_id) DO NOTHING RETURNING order_id
)"""

_APPROVE = f"""
WITH fenced AS (
    UPDATE account SET version = version + 1 WHERE account = $4 AND version = $11 RETURNING version
), first AS (
    INSERT INTO inbox (event_id, consumer) SELECT $1, $2 FROM fenced ON CONFLICT DO NOTHING RETURNING event_id
), {_DECIDED}, reserved AS (
    INSERT INTO reservation (order_id, account, terms, price, fee_ratio, approved_at, expires_at, status, revision,
                             filled, reported_filled, open)
    SELECT order_id, $4, $7, $12, $13, $10, $14, $15, 0, 0, 0, true FROM decided
)
SELECT (SELECT count(*) FROM fenced) AS fenced, (SELECT count(*) FROM first) AS first,
       (SELECT count(*) FROM decided) AS decided
"""

_REFUSE = f"""
WITH first AS (
    INSERT INTO inbox (event_id, consumer) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING event_id
), {_DECIDED}
SELECT 1 AS fenced, (SELECT count(*) FROM first) AS first, (SELECT count(*) FROM decided) AS decided
"""

_SAVE_ACCOUNT = """
UPDATE account SET version = $2 + 1, moved_at = $3, anchored = $4, cash = $5, observed_cash = $6, balance_at = $7,
    reconciled = $8, reconciled_at = $9, halted_by = $10, halted_reason = $11, halted_since = $12, day = $13,
    day_opening_equity = $14, day_opening_realised = $15, day_opening_fees = $16, day_loss_breached = $17,
    high_water = $18
WHERE account = $1 AND version = $2
"""

_SAVE_HOLDING = """
INSERT INTO holding (account, venue, symbol, base, quantity, cost, realised_pnl, fees, observed_revision,
                     observed_quantity, observed_average_price, observed_realised_pnl, observed_fees)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (account, venue, symbol) DO UPDATE SET
    quantity = $5, cost = $6, realised_pnl = $7, fees = $8, observed_revision = $9, observed_quantity = $10,
    observed_average_price = $11, observed_realised_pnl = $12, observed_fees = $13
"""

_SAVE_RESERVATION = """
INSERT INTO reservation (order_id, account, terms, price, fee_ratio, approved_at, expires_at, status, revision, filled,
                         reported_filled, open)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (order_id) DO UPDATE SET status = $8, revision = $9, filled = $10, reported_filled = $11, open = $12
"""


class Recorded(StrEnum):
    """What came of writing a decision down."""

    NEW = "new"
    KNOWN = "known"
    """This proposal, or this order, was decided before: nothing was written."""


class RiskStore:
    """Queries of the schema ``risk``; every method works inside the caller's transaction."""

    # -- books -------------------------------------------------------------------------------------------------

    async def load(self, tx: Transaction, account: str, now: datetime) -> AccountBook | None:
        """The book as committed; None for an account that is not kept."""
        row = await tx.fetch_row("SELECT * FROM account WHERE account = $1", account)
        if row is None:
            return None
        limits = await self._limits(tx, account)
        holdings = await tx.fetch("SELECT * FROM holding WHERE account = $1", account)
        reservations = await tx.fetch("SELECT * FROM reservation WHERE account = $1 AND open", account)
        recent = await tx.fetch(
            "SELECT terms, decided_at FROM decision WHERE account = $1 AND approved AND decided_at > $2"
            " ORDER BY decided_at",
            account,
            now - recent_kept(limits),
        )
        return book_from_rows(
            row,
            limits,
            holdings,
            reservations,
            tuple(RecentOrder(OrderTerms.model_validate(row["terms"]), row["decided_at"]) for row in recent),
        )

    async def accounts(self, tx: Transaction) -> list[str]:
        return [row["account"] for row in await tx.fetch("SELECT account FROM account ORDER BY account")]

    async def create(
        self, tx: Transaction, account: str, venue: str, quote: str, limits: AccountLimits, now: datetime
    ) -> None:
        """Keep an account from now on; nothing where it is kept already, its limits are as people left them."""
        created = await tx.execute(
            "INSERT INTO account (account, venue, quote_currency, moved_at) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT DO NOTHING",
            account,
            venue,
            quote,
            now,
        )
        if created.endswith(" 1"):
            await tx.execute(
                "INSERT INTO account_limits (account, version, document, set_by) VALUES ($1, 1, $2, 'settings')",
                account,
                limits.model_dump(mode="json"),
            )

    async def save(self, tx: Transaction, before: AccountBook, after: AccountBook) -> AccountBook:
        """Write what differs; the book as it is now stored. Raises ``StaleBook``."""
        status = await tx.execute(_SAVE_ACCOUNT, *account_values(after))
        if not status.endswith(" 1"):
            raise StaleBook(before.account, before.version)
        changed = [
            holding_values(after.account, holding)
            for key, holding in after.holdings.items()
            if before.holdings.get(key) is not holding
        ]
        if changed:
            await tx.execute_many(_SAVE_HOLDING, changed)
        return replace(after, version=before.version + 1)

    async def save_reservation(self, tx: Transaction, reservation: Reservation) -> None:
        await tx.execute(_SAVE_RESERVATION, *reservation_values(reservation))

    async def reservation(self, tx: Transaction, order_id: str) -> Reservation | None:
        """Open or closed."""
        row = await tx.fetch_row("SELECT * FROM reservation WHERE order_id = $1", order_id)
        return None if row is None else reservation_from_row(row)

    async def first_count(self, tx: Transaction, fill: OrderFilled) -> bool:
        """False where this trade was counted before, under whatever event id."""
        status = await tx.execute(
            "INSERT INTO counted_fill (account, venue, symbol, trade_id, order_id) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT DO NOTHING",
            fill.account,
            fill.venue,
            fill.symbol,
            fill.trade_id,
            fill.order_id,
        )
        return status.endswith(" 1")

    # -- decisions ---------------------------------------------------------------------------------------------

    async def record_approval(
        self, tx: Transaction, proposal: Event, approval: Approval, told: Event, version: int
    ) -> Recorded:
        """Inbox, decision and reservation at once, over ``version`` of the book. Raises ``StaleBook``."""
        held = approval.reservation
        return await self._record(
            tx, _APPROVE, proposal, held.terms, True, "approved", told, dict(approval.seen), held.approved_at,
            (version, held.price, held.fee_ratio, held.expires_at, held.status.value),
        )  # fmt: skip

    async def record_refusal(
        self, tx: Transaction, proposal: Event, told: OrderRefused, decided_at: datetime
    ) -> Recorded:
        seen = {"limit": told.limit, "observed": told.observed}
        return await self._record(tx, _REFUSE, proposal, told.terms, False, told.code, told, seen, decided_at, ())

    async def _record(
        self,
        tx: Transaction,
        sql: str,
        proposal: Event,
        terms: OrderTerms,
        approved: bool,
        code: str,
        told: Event,
        seen: dict[str, Any],
        decided_at: datetime,
        rest: tuple[Any, ...],
    ) -> Recorded:
        row = await tx.fetch_row(
            sql, proposal.event_id, CONSUMER, terms.order_id, terms.account, approved, code,
            terms.model_dump(mode="json"), told.to_json().decode(), seen, decided_at, *rest,
        )  # fmt: skip
        assert row is not None
        if not row["fenced"]:
            raise StaleBook(terms.account, rest[0])
        if row["decided"]:
            return Recorded.NEW
        if row["first"]:
            await self._expect_same_order(tx, terms)
        return Recorded.KNOWN

    async def _expect_same_order(self, tx: Transaction, terms: OrderTerms) -> None:
        known = await tx.fetch_value("SELECT terms FROM decision WHERE order_id = $1", terms.order_id)
        if known is not None and OrderTerms.model_validate(known) != terms:
            raise OrderIdReused(terms.order_id)

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

    # -- equity ------------------------------------------------------------------------------------------------

    async def add_equity(self, tx: Transaction, account: str, point: EquityPoint) -> None:
        await tx.execute(
            "INSERT INTO equity_point (account, time, equity) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            account,
            point.time,
            point.equity,
        )

    async def equity_curve(self, tx: Transaction, account: str, points: int = 500) -> tuple[EquityPoint, ...]:
        """Oldest first, evenly thinned to at most ``points``, the newest always among them."""
        rows = await tx.fetch(
            "SELECT time, equity FROM (SELECT time, equity, row_number() OVER (ORDER BY time DESC) - 1 AS age,"
            " count(*) OVER () AS total FROM equity_point WHERE account = $1) AS numbered"
            " WHERE age % greatest(1, ceil(total::numeric / $2)::bigint) = 0 ORDER BY time",
            account,
            points,
        )
        return tuple(EquityPoint(time=row["time"], equity=row["equity"]) for row in rows)

    async def thin_equity(self, tx: Transaction, older_than: datetime, every: timedelta) -> None:
        """Of old points keep the first of each interval."""
        await tx.execute(
            "DELETE FROM equity_point WHERE time < $1 AND (account, time) NOT IN"
            " (SELECT account, min(time) FROM equity_point WHERE time < $1"
            "  GROUP BY account, date_bin($2::interval, time, 'epoch'::timestamptz))",
            older_than,
            every,
        )

    async def _limits(self, tx: Transaction, account: str) -> AccountLimits | None:
        document = await tx.fetch_value(
            "SELECT document FROM account_limits WHERE account = $1 ORDER BY version DESC LIMIT 1", account
        )
        return None if document is None else AccountLimits.model_validate(document)


def is_conflict(error: Exception) -> bool:
    """Two writers met in PostgreSQL itself: the same as a stale book."""
    return isinstance(error, asyncpg.SerializationError | asyncpg.DeadlockDetectedError)
