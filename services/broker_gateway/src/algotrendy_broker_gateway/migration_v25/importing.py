"""From a 2.5 export into the broker gateway's schema.

Invariant: these rows are a record beside the books; none of them is an order or a position that the desk acts on.
"""

from pathlib import Path

import asyncpg
from algotrendy_common.migration_v25 import TableResult, read_table, result_of

from algotrendy_broker_gateway.migration_v25.rows import ORDERS, POSITIONS, order_of, position_of
from algotrendy_broker_gateway.store.migrated import MigratedBooks


async def import_books(folder: Path, postgres_url: str, *, dry_run: bool) -> list[TableResult]:
    """Raises Refused for a folder that is no export, what asyncpg raises where PostgreSQL does not answer."""
    orders = read_table(folder / "orders.csv", "orders", ORDERS, order_of)
    positions = read_table(folder / "positions.csv", "positions", POSITIONS, position_of)
    connection = await asyncpg.connect(postgres_url)
    try:
        books = MigratedBooks(connection)
        orders_before = await books.orders(orders.accepted)
        positions_before = await books.positions(positions.accepted)
        other_orders = orders.contradicted_by(orders_before)
        other_positions = positions.contradicted_by(positions_before)
        if not dry_run:
            await books.write(orders.accepted, positions.accepted)
        return [
            result_of(
                orders, "PostgreSQL broker_gateway.v25_orders", orders_before,
                None if dry_run else await books.orders(orders.accepted), other_orders,
            ),
            result_of(
                positions, "PostgreSQL broker_gateway.v25_positions", positions_before,
                None if dry_run else await books.positions(positions.accepted), other_positions,
            ),
        ]  # fmt: skip
    finally:
        await connection.close()
