"""Questions from other services, answered from what was published, word for word.

Invariant: reads only.
"""

from datetime import datetime

from algotrendy_common.database import Database
from algotrendy_common.events.account import AccountReconciled, BalanceChanged, PositionChanged, ProtectionChanged
from algotrendy_common.events.order import OrderFilled, OrderUpdated
from algotrendy_common.rpc.broker_gateway import OrderHistory, OrderStep


class Questions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def orders(
        self, account: str, open_only: bool, limit: int, before: datetime | None
    ) -> tuple[OrderUpdated, ...]:
        """Newest first."""
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                "SELECT document FROM orders WHERE account = $1"
                " AND (NOT $2 OR status NOT IN ('filled', 'cancelled', 'rejected', 'refused'))"
                " AND ($3::timestamptz IS NULL OR created_at < $3) ORDER BY created_at DESC LIMIT $4",
                account,
                open_only,
                before,
                limit,
            )
        return tuple(OrderUpdated.from_json(row["document"]) for row in rows)

    async def order(self, order_id: str) -> OrderHistory | None:
        async with self._database.reading() as tx:
            document = await tx.fetch_value("SELECT document FROM orders WHERE order_id = $1", order_id)
            if document is None:
                return None
            steps = await tx.fetch(
                "SELECT status, time, detail FROM order_steps WHERE order_id = $1 ORDER BY step", order_id
            )
            fills = await tx.fetch(
                "SELECT document FROM fills WHERE order_id = $1 ORDER BY event_time, trade_id", order_id
            )
        return OrderHistory(
            order=OrderUpdated.from_json(document),
            steps=tuple(OrderStep(status=row["status"], time=row["time"], detail=row["detail"]) for row in steps),
            fills=tuple(OrderFilled.from_json(row["document"]) for row in fills),
        )

    async def fills(self, account: str, limit: int) -> tuple[OrderFilled, ...]:
        """Newest first."""
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                "SELECT document FROM fills WHERE account = $1 ORDER BY event_time DESC, trade_id DESC LIMIT $2",
                account,
                limit,
            )
        return tuple(OrderFilled.from_json(row["document"]) for row in rows)

    async def positions(self, account: str) -> tuple[PositionChanged, ...]:
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                "SELECT document FROM positions WHERE account = $1 AND strategy = '' AND document IS NOT NULL"
                " ORDER BY symbol",
                account,
            )
        return tuple(PositionChanged.from_json(row["document"]) for row in rows)

    async def protections(self, account: str) -> tuple[ProtectionChanged, ...]:
        async with self._database.reading() as tx:
            rows = await tx.fetch("SELECT document FROM protections WHERE account = $1 ORDER BY symbol", account)
        return tuple(ProtectionChanged.from_json(row["document"]) for row in rows)

    async def balances(self, account: str) -> tuple[BalanceChanged | None, AccountReconciled | None]:
        async with self._database.reading() as tx:
            row = await tx.fetch_row("SELECT balance, reconciled FROM accounts WHERE account = $1", account)
        if row is None:
            return None, None
        return (
            BalanceChanged.from_json(row["balance"]) if row["balance"] else None,
            AccountReconciled.from_json(row["reconciled"]) if row["reconciled"] else None,
        )
