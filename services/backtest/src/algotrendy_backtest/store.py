"""Runs in PostgreSQL.

Invariant: a run is asked for once and ends once. Only the worker that holds the claim can renew, release or end it,
so one that was taken for dead and comes back writes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
from algotrendy_common.database import Transaction
from algotrendy_common.events.backtest import BacktestRequested, BacktestSpec
from algotrendy_common.rpc.backtest import (
    ArtefactInfo,
    Run,
    RunEquity,
    RunSummary,
    RunTrade,
    Verdict,
    VerdictAsked,
)

from algotrendy_backtest.domain import Claim, Outcome

FILLS_IN_ANSWER = 2000
"""The newest fills that one answer carries; a message has a size limit, the table has not."""

_SUMMARY = "run_id, status, spec, requested_by, requested_at, finished_at, error, statistics, result_hash"


async def add(transaction: Transaction, request: BacktestRequested) -> bool:
    """Put a run in the queue; False where it was asked for already."""
    status = await transaction.execute(
        "INSERT INTO run (run_id, spec, request, requested_by, requested_at, status, not_before)"
        " VALUES ($1, $2, $3, $4, $5, 'queued', $5) ON CONFLICT (run_id) DO NOTHING",
        request.run_id,
        request.spec.model_dump(mode="json"),
        request.to_json().decode(),
        request.requested_by,
        request.received_time,
    )
    return status.endswith(" 1")


async def claim(transaction: Transaction, worker: str, now: datetime, lease_until: datetime) -> Claim | None:
    """The longest waiting run, or one whose worker is gone; None where there is none."""
    row = await transaction.fetch_row(
        "UPDATE run SET status = 'running', attempts = attempts + 1, claimed_by = $1, lease_until = $3"
        " WHERE run_id = (SELECT run_id FROM run WHERE (status = 'queued' AND not_before <= $2)"
        "   OR (status = 'running' AND lease_until < $2) ORDER BY requested_at LIMIT 1 FOR UPDATE SKIP LOCKED)"
        " RETURNING run_id, spec, request, attempts",
        worker,
        now,
        lease_until,
    )
    if row is None:
        return None
    return Claim(row["run_id"], BacktestSpec.model_validate(row["spec"]), row["request"], row["attempts"])


async def renew(transaction: Transaction, run_id: str, worker: str, lease_until: datetime) -> bool:
    """False where the claim was lost."""
    return await _as_holder(transaction, "lease_until = $3", run_id, worker, lease_until)


async def release(transaction: Transaction, run_id: str, worker: str, not_before: datetime, error: str) -> bool:
    """Back into the queue, to be tried again later."""
    return await _as_holder(
        transaction, "status = 'queued', claimed_by = NULL, not_before = $3, error = $4", run_id, worker, not_before,
        error,
    )  # fmt: skip


async def hand_back(transaction: Transaction, run_id: str, worker: str, now: datetime) -> bool:
    """Back into the queue as if it had never been begun."""
    return await _as_holder(
        transaction,
        "status = 'queued', claimed_by = NULL, not_before = $3, attempts = attempts - 1",
        run_id,
        worker,
        now,
    )


async def paused(transaction: Transaction, run_id: str, worker: str) -> bool:
    """Out of the queue until somebody has it go on; how often it was begun is forgotten."""
    return await _as_holder(transaction, "status = 'paused', claimed_by = NULL, attempts = 0", run_id, worker)


async def pause_wanted(transaction: Transaction, run_id: str, wanted: bool, now: datetime) -> None:
    """What nobody works on changes at once; a worker asks between trials."""
    await transaction.execute(
        "UPDATE run SET pause_wanted = $2, not_before = $3,"
        " status = CASE WHEN $2 AND status = 'queued' THEN 'paused' WHEN NOT $2 AND status = 'paused' THEN 'queued'"
        "   ELSE status END WHERE run_id = $1 AND status IN ('queued', 'running', 'paused')",
        run_id,
        wanted,
        now,
    )


async def fail(transaction: Transaction, run_id: str, worker: str, now: datetime, error: str) -> bool:
    return await _as_holder(transaction, "status = 'failed', finished_at = $3, error = $4", run_id, worker, now, error)


async def finish(
    transaction: Transaction,
    run_id: str,
    worker: str,
    now: datetime,
    outcome: Outcome,
    files: Sequence[ArtefactInfo] = (),
) -> bool:
    """Keep a run's outcome; False, and nothing written, where the claim was lost."""
    held = await _as_holder(
        transaction,
        "status = 'finished', finished_at = $3, error = NULL, result_hash = $4, statistics = $5, manifest = $6",
        run_id, worker, now, outcome.result_hash, outcome.statistics, outcome.manifest,
    )  # fmt: skip
    if not held:
        return False
    await transaction.execute_many(
        "INSERT INTO run_fill (run_id, position, time, side, price, quantity, fee, pnl)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        [
            (run_id, position, fill.time, fill.side, fill.price, fill.quantity, fill.fee, fill.pnl)
            for position, fill in enumerate(outcome.fills)
        ],
    )
    await transaction.execute_many(
        "INSERT INTO run_equity (run_id, time, equity) VALUES ($1, $2, $3)",
        [(run_id, point.time, point.equity) for point in outcome.equity],
    )
    await transaction.execute_many(
        "INSERT INTO artefact (run_id, name, media_type, size, sha256) VALUES ($1, $2, $3, $4, $5)",
        [(run_id, file.name, file.media_type, file.size, file.sha256) for file in files],
    )
    return True


async def _as_holder(transaction: Transaction, change: str, run_id: str, worker: str, *values: Any) -> bool:
    status = await transaction.execute(
        f"UPDATE run SET {change} WHERE run_id = $1 AND claimed_by = $2 AND status = 'running'", run_id, worker, *values
    )
    return status.endswith(" 1")


async def runs(transaction: Transaction, limit: int, offset: int = 0) -> tuple[RunSummary, ...]:
    """Newest first."""
    rows = await transaction.fetch(
        f"SELECT {_SUMMARY} FROM run ORDER BY requested_at DESC, run_id LIMIT $1 OFFSET $2", limit, offset
    )
    return tuple(_summary(row) for row in rows)


async def summary(transaction: Transaction, run_id: str) -> RunSummary | None:
    row = await transaction.fetch_row(f"SELECT {_SUMMARY} FROM run WHERE run_id = $1", run_id)
    return None if row is None else _summary(row)


async def fills(transaction: Transaction, run_id: str, offset: int, limit: int) -> tuple[tuple[RunTrade, ...], int]:
    """A page, oldest first, and how many there are."""
    total = await transaction.fetch_value("SELECT count(*) FROM run_fill WHERE run_id = $1", run_id)
    rows = await transaction.fetch(
        "SELECT time, side, price, quantity, fee, pnl FROM run_fill WHERE run_id = $1"
        " ORDER BY position LIMIT $2 OFFSET $3",
        run_id,
        limit,
        offset,
    )
    return tuple(RunTrade(**row) for row in rows), total


async def artefacts(transaction: Transaction, run_id: str) -> tuple[ArtefactInfo, ...]:
    rows = await transaction.fetch(
        "SELECT name, media_type, size, sha256 FROM artefact WHERE run_id = $1 ORDER BY name", run_id
    )
    return tuple(ArtefactInfo(**row) for row in rows)


async def run(transaction: Transaction, run_id: str) -> Run | None:
    row = await transaction.fetch_row(f"SELECT {_SUMMARY}, manifest FROM run WHERE run_id = $1", run_id)
    if row is None:
        return None
    fills = await transaction.fetch(
        "SELECT time, side, price, quantity, fee, pnl FROM run_fill WHERE run_id = $1 ORDER BY position DESC LIMIT $2",
        run_id,
        FILLS_IN_ANSWER,
    )
    equity = await transaction.fetch("SELECT time, equity FROM run_equity WHERE run_id = $1 ORDER BY time", run_id)
    return Run(
        summary=_summary(row),
        trades=tuple(RunTrade(**fill) for fill in reversed(fills)),
        equity=tuple(RunEquity(**point) for point in equity),
        manifest=row["manifest"],
    )


async def verdict(transaction: Transaction, asked: VerdictAsked) -> Verdict:
    """Of the newest robustness check of exactly these parameters, whether they were given to it or found by it."""
    row = await transaction.fetch_row(
        "SELECT run_id, finished_at, (statistics->>'robust')::int = 1 AS passed FROM run"
        " WHERE status = 'finished' AND spec->>'kind' = 'robustness' AND manifest->>'strategy' = $1"
        " AND manifest->'parameters' = $2 AND spec->>'symbol' = $3 AND spec->>'timeframe' = $4"
        " ORDER BY finished_at DESC LIMIT 1",
        asked.strategy_kind,
        asked.parameters,
        asked.symbol,
        asked.timeframe.value,
    )
    return Verdict() if row is None else Verdict(**row)


def _summary(row: asyncpg.Record) -> RunSummary:
    fields = {name: row[name] for name in RunSummary.model_fields}
    return RunSummary(**fields)
