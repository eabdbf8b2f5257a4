"""The paper venue's books in PostgreSQL.

Invariant: orders, fills and balances that one event changed are stored together, and never under an old epoch.
"""

from collections.abc import Mapping
from decimal import Decimal

from algotrendy_common.database import Database

from algotrendy_broker_gateway.domain.fence import Fence
from algotrendy_broker_gateway.domain.paper_exchange import Changes, PaperExchange, PaperFill, PaperOrder


class PaperStore:
    """One account's."""

    def __init__(self, database: Database, account: str, fence: Fence) -> None:
        self._database = database
        self._account = account
        self._fence = fence

    async def load(self, exchange: PaperExchange, opening: Mapping[str, Decimal]) -> None:
        """Fill an exchange with what is stored; ``opening`` are the balances of an account that never was."""
        async with self._database.transaction() as tx:
            rows = await tx.fetch("SELECT asset, total FROM paper_balances WHERE account = $1", self._account)
            if not rows:
                await tx.execute(
                    "INSERT INTO paper_balances (account, asset, total)"
                    " SELECT $1, * FROM unnest($2::text[], $3::numeric[])",
                    self._account,
                    list(opening),
                    list(opening.values()),
                )
            exchange.balances = {row["asset"]: row["total"] for row in rows} or dict(opening)
            working = await tx.fetch(
                "SELECT document FROM paper_orders WHERE account = $1 AND working ORDER BY venue_order_id",
                self._account,
            )
            exchange.orders = {
                order.venue_order_id: order for order in map(_order, (row["document"] for row in working))
            }
            exchange.last_order_id = await tx.fetch_value(
                "SELECT coalesce(max(venue_order_id), 0) FROM paper_orders WHERE account = $1", self._account
            )
            exchange.last_trade_id = await tx.fetch_value(
                "SELECT coalesce(max(trade_id), 0) FROM paper_fills WHERE account = $1", self._account
            )

    async def save(self, changes: Changes, balances: Mapping[str, Decimal]) -> None:
        """Raises LeaseLost where another gateway has the account."""
        orders, fills, assets = list(changes.orders.values()), changes.fills, sorted(changes.assets)
        async with self._database.transaction() as tx:
            self._fence.check(
                await tx.fetch_value("SELECT epoch FROM leases WHERE account = $1 FOR KEY SHARE", self._account)
            )
            await tx.execute_many(
                "INSERT INTO paper_orders (account, venue_order_id, client_id, working, document)"
                " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account, venue_order_id)"
                " DO UPDATE SET working = excluded.working, document = excluded.document",
                [
                    (self._account, one.venue_order_id, one.client_id, one.standing == "working", one.model_dump_json())
                    for one in orders
                ],
            )
            await tx.execute_many(
                "INSERT INTO paper_fills (account, trade_id, symbol, venue_order_id, document)"
                " VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                [
                    (self._account, fill.trade_id, fill.symbol, fill.venue_order_id, fill.model_dump_json())
                    for fill in fills
                ],
            )
            await tx.execute_many(
                "INSERT INTO paper_balances (account, asset, total) VALUES ($1, $2, $3)"
                " ON CONFLICT (account, asset) DO UPDATE SET total = excluded.total",
                [(self._account, asset, balances[asset]) for asset in assets],
            )

    async def order_of_client(self, client_id: str) -> PaperOrder | None:
        return await self._one("client_id = $2", client_id)

    async def order(self, venue_order_id: int) -> PaperOrder | None:
        return await self._one("venue_order_id = $2", venue_order_id)

    async def fills_of(self, venue_order_id: int) -> tuple[PaperFill, ...]:
        return await self._fills("venue_order_id = $2", venue_order_id)

    async def fills_after(self, symbol: str, trade_id: int) -> tuple[PaperFill, ...]:
        return await self._fills("symbol = $2 AND trade_id > $3", symbol, trade_id)

    async def _one(self, condition: str, value: object) -> PaperOrder | None:
        async with self._database.reading() as tx:
            found = await tx.fetch_value(
                f"SELECT document FROM paper_orders WHERE account = $1 AND {condition}", self._account, value
            )
        return _order(found) if found else None

    async def _fills(self, condition: str, *values: object) -> tuple[PaperFill, ...]:
        async with self._database.reading() as tx:
            rows = await tx.fetch(
                f"SELECT document FROM paper_fills WHERE account = $1 AND {condition} ORDER BY trade_id",
                self._account,
                *values,
            )
        return tuple(PaperFill.model_validate_json(row["document"]) for row in rows)


def _order(document: str) -> PaperOrder:
    return PaperOrder.model_validate_json(document)
