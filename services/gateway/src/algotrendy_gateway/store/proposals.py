"""Orders and backtests that were asked for here.

Invariant: one id, one request: the first wins, and the same again changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime

import asyncpg
from algotrendy_common.database import Database, Transaction
from algotrendy_common.events.backtest import BacktestSpec
from algotrendy_common.events.order import OrderOrigin, OrderTerms


@dataclass(frozen=True, slots=True)
class Proposal:
    terms: OrderTerms
    origin: OrderOrigin
    proposed_at: datetime


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    run_id: str
    spec: BacktestSpec
    requested_by: str
    requested_at: datetime


class Proposals:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, transaction: Transaction, proposal: Proposal) -> bool:
        """False where the order id is taken."""
        status = await transaction.execute(
            "INSERT INTO proposals (order_id, account, terms, origin, proposed_at) VALUES ($1, $2, $3, $4, $5)"
            " ON CONFLICT DO NOTHING",
            proposal.terms.order_id,
            proposal.terms.account,
            proposal.terms.model_dump(mode="json"),
            proposal.origin.model_dump(mode="json"),
            proposal.proposed_at,
        )
        return status.endswith(" 1")

    async def find(self, order_id: str) -> Proposal | None:
        async with self._database.reading() as connection:
            row = await connection.fetch_row("SELECT * FROM proposals WHERE order_id = $1", order_id)
        return None if row is None else _proposal(row)

    async def unsettled(self, account: str, since: datetime, limit: int) -> list[Proposal]:
        """Newest first: those that nobody was seen to answer for."""
        async with self._database.reading() as connection:
            rows = await connection.fetch(
                "SELECT * FROM proposals WHERE account = $1 AND proposed_at > $2 AND NOT settled"
                " ORDER BY proposed_at DESC LIMIT $3",
                account,
                since,
                limit,
            )
        return [_proposal(row) for row in rows]

    async def settle(self, order_ids: list[str]) -> None:
        async with self._database.transaction() as transaction:
            # Lost in a crash, it is found out again by asking.
            await transaction.execute("SET LOCAL synchronous_commit = off")
            await transaction.execute("UPDATE proposals SET settled = true WHERE order_id = ANY($1)", order_ids)

    async def add_backtest(self, transaction: Transaction, request: BacktestRequest) -> None:
        await transaction.execute(
            "INSERT INTO backtest_requests (run_id, spec, requested_by, requested_at) VALUES ($1, $2, $3, $4)",
            request.run_id,
            request.spec.model_dump(mode="json"),
            request.requested_by,
            request.requested_at,
        )

    async def find_backtest(self, run_id: str) -> BacktestRequest | None:
        async with self._database.reading() as connection:
            row = await connection.fetch_row("SELECT * FROM backtest_requests WHERE run_id = $1", run_id)
        return None if row is None else _backtest(row)

    async def newest_backtests(self, limit: int) -> list[BacktestRequest]:
        async with self._database.reading() as connection:
            rows = await connection.fetch("SELECT * FROM backtest_requests ORDER BY requested_at DESC LIMIT $1", limit)
        return [_backtest(row) for row in rows]


def _proposal(row: asyncpg.Record) -> Proposal:
    return Proposal(
        OrderTerms.model_validate(row["terms"]), OrderOrigin.model_validate(row["origin"]), row["proposed_at"]
    )


def _backtest(row: asyncpg.Record) -> BacktestRequest:
    return BacktestRequest(
        row["run_id"], BacktestSpec.model_validate(row["spec"]), row["requested_by"], row["requested_at"]
    )
