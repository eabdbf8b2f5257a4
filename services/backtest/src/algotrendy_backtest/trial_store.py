"""Trials of searches in PostgreSQL.

Invariant: only the worker that holds a run's claim adds trials to it, and a trial is added once.
"""

from typing import Any

import asyncpg
from algotrendy_common.database import Database, Transaction
from algotrendy_common.rpc.backtest import Trial

from algotrendy_backtest.computing.tasks import Tried
from algotrendy_backtest.errors import ClaimLost

_COLUMNS = "part, number, parameters, status, objective, partial, statistics, result_hash, error, seconds"


class Trials:
    """Of one run, for the worker that has it."""

    def __init__(self, database: Database, run_id: str, worker: str) -> None:
        self._database = database
        self._run_id = run_id
        self._worker = worker

    async def known(self) -> dict[int, dict[int, Tried]]:
        found: dict[int, dict[int, Tried]] = {}
        async with self._database.reading() as connection:
            rows = await connection.fetch(f"SELECT {_COLUMNS} FROM trial WHERE run_id = $1", self._run_id)
        for row in rows:
            values = dict(row)
            part = values.pop("part")
            found.setdefault(part, {})[row["number"]] = Tried(**values)
        return found

    async def keep(self, window: int, tried: list[Tried]) -> bool:
        """True where the run should pause; raises ClaimLost where another worker has it now."""
        async with self._database.transaction() as transaction:
            row = await transaction.fetch_row(
                "SELECT pause_wanted FROM run WHERE run_id = $1 AND claimed_by = $2 AND status = 'running' FOR UPDATE",
                self._run_id,
                self._worker,
            )
            if row is None:
                raise ClaimLost(self._run_id)
            await transaction.execute_many(
                f"INSERT INTO trial (run_id, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
                " ON CONFLICT DO NOTHING",
                [
                    (self._run_id, window, each.number, dict(each.parameters), each.status, each.objective,
                     each.partial, dict(each.statistics), each.result_hash, each.error, each.seconds)
                    for each in tried
                ],
            )  # fmt: skip
        return bool(row["pause_wanted"])


async def page(
    transaction: Transaction, run_id: str, offset: int, limit: int, *, best_first: bool
) -> tuple[tuple[Trial, ...], int]:
    """Some of a run's trials, and how many it has."""
    order = "objective DESC NULLS LAST, part, number" if best_first else "part, number"
    total = await transaction.fetch_value("SELECT count(*) FROM trial WHERE run_id = $1", run_id)
    rows = await transaction.fetch(
        f"SELECT {_COLUMNS} FROM trial WHERE run_id = $1 ORDER BY {order} LIMIT $2 OFFSET $3", run_id, limit, offset
    )
    return tuple(_trial(row) for row in rows), total


def _trial(row: asyncpg.Record) -> Trial:
    values: dict[str, Any] = dict(row)
    del values["partial"], values["seconds"]
    objective = values.pop("objective")
    return Trial(
        window=values.pop("part"), objective=None if objective is None else repr(objective), **values
    )  # fmt: skip
