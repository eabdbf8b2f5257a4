"""A decision of risk: the judgement alone, the handler with its commit, and from a proposal on the bus to its verdict.

The last has risk as a process of its own. The floor is one statement of three small rows on the same PostgreSQL in the
same run. The book is busy: 16 orders work, and hundreds were let through in the last seconds.
"""

import asyncio
import gc
import os
import sys
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
from algotrendy_common import telemetry
from algotrendy_common.app import App
from algotrendy_common.events.order import OrderApproved, OrderProposed, OrderTerms, OrderUpdated
from algotrendy_common.ids import new_id
from algotrendy_common.settings import PlatformSettings, load
from algotrendy_local.testing import Servers, running_servers
from algotrendy_risk.service import build_app
from algotrendy_risk.settings import RiskSettings
from rich.console import Console
from rich.table import Table

from benchmarks.result import close, percentile
from tests.faults.risk.around import Around, environment

ORDERS = int(os.environ.get("ALGOTRENDY_BENCH_ORDERS", "2000"))
WARM = 100
WORKING = 16
PAUSE_S = 0.002
LIMITS: dict[str, Any] = {
    "max_orders": 100_000, "max_strategy_orders": 100_000, "max_instrument_orders": 100_000,
    "duplicate_window": timedelta(milliseconds=1), "rate_window": timedelta(seconds=3),
    "repeat_window": timedelta(seconds=3), "max_position_notional": Decimal(90_000), "max_concentration": Decimal(1),
}  # fmt: skip


class Book:
    """Keeps ``WORKING`` orders open: each new one ends the oldest."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._open: deque[OrderTerms] = deque()
        self._made = 0

    def next(self) -> OrderTerms:
        self._made += 1
        terms = self._around.terms(str(Decimal("0.01") + Decimal(self._made % 50) / 10_000))
        self._open.append(terms)
        return terms

    def oldest(self) -> OrderTerms | None:
        return self._open.popleft() if len(self._open) > WORKING else None


async def floor(servers: Servers) -> list[float]:
    """Milliseconds of the smallest durable thing there is to do: one statement, three rows."""
    connection = await asyncpg.connect(servers.addresses.service_postgres_url("risk"))
    took: list[float] = []
    try:
        for number in range(ORDERS // 4 + WARM):
            begun = time.perf_counter()
            await connection.fetchval(
                "WITH i AS (INSERT INTO inbox (event_id, consumer) VALUES ($1, 'floor')),"
                " o AS (INSERT INTO outbox (event_id, subject, stream, body, published_at)"
                "       VALUES ($1, 'floor', 'FLOOR', $2, now())),"
                " s AS (INSERT INTO halt_step (level, key, revision, document) VALUES ('floor', $1, 0, '{}'))"
                " SELECT 1",
                new_id(),
                "x" * 1200,
            )
            if number >= WARM:
                took.append((time.perf_counter() - begun) * 1000)
            await asyncio.sleep(PAUSE_S)
    finally:
        await connection.close()
    return took


def handler(app: App, event_class: type[Any]) -> Any:
    return next(row.handlers[event_class] for row in app.bus.readings if event_class in row.handlers)


async def in_process(servers: Servers) -> tuple[list[float], list[float]]:
    """Milliseconds of the judgement alone, and of the handler with its commit."""
    account = f"bench-{new_id()[:8]}"
    around = Around(servers, account)
    app = build_app(load(RiskSettings, "risk", environment(servers, account, LIMITS)))
    committed: list[float] = []
    judged: list[float] = []
    async with around.running(), app.running():
        await around.ready()
        decide, update = handler(app, OrderProposed), handler(app, OrderUpdated)
        judge = decide.__self__._judge
        plain = judge.judge

        def timed(*arguments: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            decision = plain(*arguments, **named)
            judged.append((time.perf_counter() - begun) * 1000)
            return decision

        judge.judge = timed
        gc.collect()
        gc.freeze()  # as a service does once it has started
        book = Book(around)
        for number in range(ORDERS + WARM):
            terms = book.next()
            event = around.proposal(terms)
            begun = time.perf_counter()
            await decide(event)
            if number >= WARM:
                committed.append((time.perf_counter() - begun) * 1000)
            oldest = book.oldest()
            if oldest is not None:
                await update(around.ended(oldest))
            await asyncio.sleep(PAUSE_S)
        await all_approved(around, number + 1)
    return judged[WARM:], committed


async def all_approved(around: Around, count: int) -> None:
    """A refusal is quicker than an approval: every one must have been approved, or nothing was measured."""
    async with asyncio.timeout(30):
        while len(around.verdicts) < count:
            await asyncio.sleep(0.05)
    refused = [said[0] for said in around.verdicts.values() if not isinstance(said[0], OrderApproved)]
    if refused:
        raise SystemExit(f"{len(refused)} of {count} orders were refused, the first for {refused[0]}")


@asynccontextmanager
async def risk_process(servers: Servers, account: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "algotrendy_risk", env=os.environ | environment(servers, account, LIMITS),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def over_the_bus(servers: Servers) -> list[float]:
    """Milliseconds from publishing a proposal to hearing the verdict."""
    account = f"bench-{new_id()[:8]}"
    around = Around(servers, account)
    took: list[float] = []
    async with around.running(), risk_process(servers, account):
        await around.ready()
        book = Book(around)
        for number in range(ORDERS + WARM):
            terms = book.next()
            begun = asyncio.get_running_loop().time()
            await around.propose(terms)
            await around.verdict(terms)
            if number >= WARM:
                took.append((around.heard_at[terms.order_id] - begun) * 1000)
            oldest = book.oldest()
            if oldest is not None:
                await around.end(oldest)
            await asyncio.sleep(PAUSE_S)
        await all_approved(around, number + 1)
    return took


async def measured() -> dict[str, list[float]]:
    async with running_servers("nats", "postgres", migrate=True) as servers:
        before = await floor(servers)
        judged, committed = await in_process(servers)
        bus = await over_the_bus(servers)
        after = await floor(servers)
    return {"floor": before + after, "judged": judged, "in process": committed, "over NATS": bus}


def main() -> None:
    telemetry.set_up("bench", PlatformSettings(log_level="ERROR"))
    found = asyncio.run(measured())
    table = Table(title="A decision of risk", title_justify="left")
    for column in ("", "p50 ms", "p99 ms", "most ms"):
        table.add_column(column, justify="left" if not column else "right")
    for name, values in found.items():
        table.add_row(name, *(f"{percentile(values, share):.2f}" for share in (0.5, 0.99, 1.0)))
    Console(file=sys.stdout, width=100).print(table)
    p50 = {name: round(percentile(values, 0.5), 3) for name, values in found.items()}
    p99 = {name: round(percentile(values, 0.99), 3) for name, values in found.items()}
    close(
        "risk",
        {
            "decisions": len(found["in process"]) + len(found["over NATS"]),
            "judgement_p50_ms": p50["judged"],
            "judgement_p99_ms": p99["judged"],
            "in_process_p50_ms": p50["in process"],
            "in_process_p99_ms": p99["in process"],
            "nats_p50_ms": p50["over NATS"],
            "nats_p99_ms": p99["over NATS"],
            "floor_commit_p50_ms": p50["floor"],
            "floor_commit_p99_ms": p99["floor"],
        },
        {"in_process_p99_ms": ("<=", 5), "nats_p99_ms": ("<=", 15)},
    )


if __name__ == "__main__":
    main()
