"""The books in PostgreSQL.

Invariant: a book is written only over the version it was made from (``StaleBook`` otherwise), so that two writers, or
one that missed the outcome of its commit, can never both spend the same room.
"""

from dataclasses import replace
from datetime import datetime

import asyncpg
from algotrendy_common.database import Transaction
from algotrendy_common.events.order import OrderFilled, OrderTerms
from algotrendy_core.limits import RecentOrder

from algotrendy_risk.domain.account_limits import AccountLimits
from algotrendy_risk.domain.assessment import recent_kept
from algotrendy_risk.domain.book import AccountBook, Unattended
from algotrendy_risk.domain.reservations import Reservation
from algotrendy_risk.errors import StaleBook
from algotrendy_risk.rows import (
    account_values,
    book_from_rows,
    fill_values,
    holding_values,
    reservation_from_row,
    reservation_values,
)

_SAVE_ACCOUNT = """
UPDATE account SET version = $2 + 1, moved_at = $3, anchored = $4, cash = $5, observed_cash = $6, balance_at = $7,
    reconciled = $8, reconciled_at = $9, day = $10, day_opening_equity = $11, day_opening_realised = $12,
    day_opening_fees = $13, day_loss_breached = $14, high_water = $15, flows = $16
WHERE account = $1 AND version = $2
"""

_SAVE_HOLDING = """
INSERT INTO holding (account, venue, symbol, base, quantity, cost, realised_pnl, fees, observed_revision,
                     observed_quantity, observed_average_price, observed_realised_pnl, observed_fees, margined,
                     observed_leverage)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (account, venue, symbol) DO UPDATE SET
    quantity = $5, cost = $6, realised_pnl = $7, fees = $8, observed_revision = $9, observed_quantity = $10,
    observed_average_price = $11, observed_realised_pnl = $12, observed_fees = $13, margined = $14,
    observed_leverage = $15
"""

_SAVE_RESERVATION = """
INSERT INTO reservation (order_id, account, terms, price, cash_ratio, approved_at, expires_at, status, revision, filled,
                         reported_filled, open, source, strategy)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (order_id) DO UPDATE SET status = $8, revision = $9, filled = $10, reported_filled = $11, open = $12
"""


class BookStore:
    # -- books -------------------------------------------------------------------------------------------------

    async def load(self, tx: Transaction, account: str, now: datetime) -> AccountBook | None:
        """The book as committed; None for an account that is not kept."""
        row = await tx.fetch_row("SELECT * FROM account WHERE account = $1", account)
        if row is None:
            return None
        document = await tx.fetch_value(
            "SELECT document FROM account_limits WHERE account = $1 ORDER BY version DESC LIMIT 1", account
        )
        limits = None if document is None else AccountLimits.model_validate(document)
        holdings = await tx.fetch("SELECT * FROM holding WHERE account = $1", account)
        reservations = await tx.fetch("SELECT * FROM reservation WHERE account = $1 AND open", account)
        recent = await tx.fetch(
            "SELECT terms, decided_at, strategy FROM decision WHERE account = $1 AND approved AND decided_at > $2"
            " ORDER BY decided_at",
            account,
            now - recent_kept(limits),
        )
        return book_from_rows(
            row,
            limits,
            holdings,
            reservations,
            tuple(
                RecentOrder(OrderTerms.model_validate(row["terms"]), row["decided_at"], row["strategy"])
                for row in recent
            ),
            await self._unattended(tx, account, now),
        )

    async def _unattended(self, tx: Transaction, account: str, now: datetime) -> Unattended:
        rows = await tx.fetch(
            "SELECT coalesce(strategy, '') AS strategy, sum((seen ->> 'unattended')::numeric) AS notional FROM decision"
            " WHERE account = $1 AND approved AND by_person IS NULL AND decided_at >= $2 AND seen ? 'unattended'"
            " GROUP BY 1",
            account,
            now.replace(hour=0, minute=0, second=0, microsecond=0),
        )
        return Unattended(now.date(), {row["strategy"]: row["notional"] for row in rows})

    async def accounts(self, tx: Transaction) -> list[str]:
        return [row["account"] for row in await tx.fetch("SELECT account FROM account ORDER BY account")]

    async def versions(self, tx: Transaction) -> dict[str, int]:
        return {row["account"]: row["version"] for row in await tx.fetch("SELECT account, version FROM account")}

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
                "INSERT INTO account_limits (account, version, document, set_by, reason)"
                " VALUES ($1, 1, $2, 'settings', 'the account is new')",
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
            "INSERT INTO fill (account, venue, symbol, trade_id, order_id, strategy, side, price, quantity, fee,"
            " fee_currency, time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING",
            *fill_values(fill),
        )
        return status.endswith(" 1")


def is_conflict(error: Exception) -> bool:
    """Two writers met in PostgreSQL itself: the same as a stale book."""
    return isinstance(error, asyncpg.SerializationError | asyncpg.DeadlockDetectedError)
