"""Fills and equity over time, for the portfolio."""

from datetime import datetime, timedelta
from decimal import Decimal

from algotrendy_common.database import Transaction
from algotrendy_common.rpc.risk import EquityPoint

from algotrendy_risk.domain.portfolio import Trade
from algotrendy_risk.domain.results import Point
from algotrendy_risk.rows import trade_from_row

_TABLES = ("equity_point", "strategy_equity_point")


class ResultStore:
    async def trades(self, tx: Transaction) -> list[Trade]:
        """Every fill that is kept whole, in the order in which it happened."""
        rows = await tx.fetch("SELECT * FROM fill WHERE price IS NOT NULL ORDER BY time, counted_at, trade_id")
        return [trade_from_row(row) for row in rows]

    async def add_point(self, tx: Transaction, account: str, point: Point) -> None:
        await tx.execute(
            "INSERT INTO equity_point (account, time, equity, flows) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            account,
            point.time,
            point.equity,
            point.flows,
        )

    async def add_strategy_point(self, tx: Transaction, account: str, strategy: str, point: EquityPoint) -> None:
        await tx.execute(
            "INSERT INTO strategy_equity_point (account, strategy, time, equity) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT DO NOTHING",
            account,
            strategy,
            point.time,
            point.equity,
        )

    async def strategy_base(self, tx: Transaction, account: str, strategy: str, equity: Decimal) -> Decimal:
        """What a strategy's curve stands on, kept from its first point on."""
        base: Decimal = await tx.fetch_value(
            "WITH made AS (INSERT INTO strategy_base (account, strategy, base) VALUES ($1, $2, $3)"
            " ON CONFLICT DO NOTHING RETURNING base)"
            " SELECT base FROM made UNION ALL SELECT base FROM strategy_base WHERE account = $1 AND strategy = $2",
            account,
            strategy,
            equity,
        )
        return base

    async def points(self, tx: Transaction, account: str) -> list[Point]:
        """Oldest first."""
        rows = await tx.fetch("SELECT time, equity, flows FROM equity_point WHERE account = $1 ORDER BY time", account)
        return [Point(row["time"], row["equity"], row["flows"]) for row in rows]

    async def strategy_points(self, tx: Transaction, account: str, strategy: str) -> list[Point]:
        rows = await tx.fetch(
            "SELECT time, equity FROM strategy_equity_point WHERE account = $1 AND strategy = $2 ORDER BY time",
            account,
            strategy,
        )
        return [Point(row["time"], row["equity"]) for row in rows]

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

    async def thin(self, tx: Transaction, older_than: datetime, every: timedelta) -> None:
        """Of old points keep the first of each interval."""
        for table, owner in zip(_TABLES, ("account", "account, strategy"), strict=True):
            await tx.execute(
                f"DELETE FROM {table} WHERE time < $1 AND ({owner}, time) NOT IN"
                f" (SELECT {owner}, min(time) FROM {table} WHERE time < $1"
                f"  GROUP BY {owner}, date_bin($2::interval, time, 'epoch'::timestamptz))",
                older_than,
                every,
            )
