"""Tick to order: a venue's message in, an order's request out, through NATS and four services as processes.

Both ends are stamped by the simulated venue, on one clock. The floor runs before and after the platform, in the same
run, on servers started the same way.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from algotrendy_local.testing import running_servers
from algotrendy_risk.settings import PAPER
from rich.console import Console
from rich.table import Table

from benchmarks.result import close, percentile
from benchmarks.tick_to_order.floor_run import measure
from tests.e2e.hops import Journey, Watcher, until
from tests.e2e.stack import Stack, running_stack

FLOOR_TICKS = 40
PAUSE_S = 1.0
"""Between the floor's ticks: the platform's bars close as far apart, and a process that slept is slower for anybody."""
ORDERS = int(os.environ.get("ALGOTRENDY_BENCH_ORDERS", "60"))
SPEED = "60"
"""Recorded seconds a second: a bar closes each second, as in the demo, so that orders never wait for each other."""
STRATEGY = {
    "strategy": "bench",
    "name": "Benchmark",
    "kind": "momentum",
    "venue": "binance",
    "symbol": "BTC-USDT",
    "account": "paper-1",
    "parameters": {"lookback": 1},
    "capital_share": "0.1",
    "status": "running",
}
"""Changes its mind at about every second bar."""
HOPS = (
    "venue → ingest",
    "ingest → agent decided",
    "agent → risk decided",
    "risk → committed, sent",
    "sent → at the venue",
)


@dataclass
class Measured:
    """Milliseconds of each order."""

    total: list[float]
    inside: list[float]
    hops: dict[str, list[float]]
    unmatched: int


def floor() -> dict[str, list[float]]:
    async def run() -> dict[str, list[float]]:
        async with running_servers("nats", "postgres", migrate=True) as servers:
            settings = {
                "nats_url": servers.addresses.nats_url,
                "seeds": {user: str(path) for user, path in servers.addresses.nats_seed_files.items()},
                "postgres": {
                    name: servers.addresses.service_postgres_url(name) for name in ("agent", "risk", "broker_gateway")
                },
            }
            return await measure(settings, FLOOR_TICKS, PAUSE_S)

    return asyncio.run(run())


def platform() -> Measured:
    limits = PAPER.model_dump(mode="json")
    limits["limits"] |= {
        "max_orders": 100_000,
        "duplicate_window": "PT0.001S",
        "max_daily_loss": "90000",
        "max_drawdown": "0.9",
    }
    os.environ["ALGOTRENDY_AGENT_STRATEGIES"] = json.dumps([STRATEGY])
    os.environ["ALGOTRENDY_RISK_ACCOUNTS"] = json.dumps([limits])
    home = Path(tempfile.mkdtemp(prefix="algotrendy-bench-"))
    try:
        with running_stack(home, "--speed", SPEED) as stack:
            return asyncio.run(observe(stack))
    finally:
        shutil.rmtree(home, ignore_errors=True)


async def observe(stack: Stack) -> Measured:
    watcher = Watcher()
    await watcher.start(stack.nats_url, stack.seed_file("observer"))
    try:
        await until(lambda: len(watcher.complete()) >= ORDERS, 600, f"{ORDERS} orders")
    finally:
        await watcher.stop()
    async with httpx.AsyncClient() as http:
        timings = (await http.get(f"{stack.venue}/admin/timings")).json()
    return joined(watcher, timings)


def joined(watcher: Watcher, timings: dict[str, Any]) -> Measured:
    """Each order's journey beside the venue's own stamps of the tick that caused it and of the request that came."""
    closing = closing_trades(timings["trades"])
    arrived = {order["client_order_id"]: order["received_wall_ns"] for order in timings["orders"]}
    measured = Measured([], [], {hop: [] for hop in HOPS}, 0)
    for journey in watcher.journeys.values():
        came = arrived.get(journey.client_order_id or "")
        sent = last_before(closing, journey)
        if came is None or sent is None or journey.hops_ms() is None:
            measured.unmatched += 1
            continue
        steps = [
            sent,
            *(ns(step) for step in (journey.tick, journey.proposed, journey.approved, journey.submitted)),
            came,
        ]
        for hop, begin, end in zip(HOPS, steps, steps[1:], strict=False):
            measured.hops[hop].append((end - begin) / 1e6)
        measured.total.append((came - sent) / 1e6)
        measured.inside.append((steps[4] - steps[1]) / 1e6)
    return measured


def closing_trades(trades: list[dict[str, Any]]) -> list[int]:
    """When the venue sent each trade that was the first of its minute, and so closed a bar."""
    found, minute = [], None
    for trade in trades:
        if trade["symbol"] != "BTCUSDT":
            continue
        now = trade["event_time_ms"] // 60_000
        if minute is not None and now != minute:
            found.append(trade["wall_ns"])
        minute = now
    return found


def last_before(closing: list[int], journey: Journey) -> int | None:
    """The closing trade that ingest read as this order's tick; None where a timer closed the bar instead."""
    if journey.tick is None:
        return None
    read = ns(journey.tick)
    earlier = [sent for sent in closing if sent <= read]
    return earlier[-1] if earlier and read - earlier[-1] < 50_000_000 else None


def ns(moment: Any) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000


def show(measured: Measured, floors: dict[str, list[float]]) -> None:
    table = Table(title="Where each millisecond goes", title_justify="left")
    for column in ("", "p50 ms", "p99 ms"):
        table.add_column(column, justify="left" if not column else "right")
    for hop, values in measured.hops.items():
        table.add_row(hop, f"{percentile(values, 0.5):.2f}", f"{percentile(values, 0.99):.2f}")
    table.add_section()
    for name, values in (("platform, venue to venue", measured.total), ("floor, venue to venue", floors["total"])):
        table.add_row(name, f"{percentile(values, 0.5):.2f}", f"{percentile(values, 0.99):.2f}")
    Console(file=sys.stdout, width=100).print(table)


def main() -> None:
    before = floor()
    measured = platform()
    after = floor()
    floors = {name: before[name] + after[name] for name in before}
    show(measured, floors)
    p50, p99 = percentile(measured.total, 0.5), percentile(measured.total, 0.99)
    floor_p50, floor_p99 = percentile(floors["total"], 0.5), percentile(floors["total"], 0.99)
    close(
        "tick_to_order",
        {
            "orders": len(measured.total),
            "unmatched": measured.unmatched,
            "p50_ms": round(p50, 3),
            "p99_ms": round(p99, 3),
            "floor_p50_ms": round(floor_p50, 3),
            "floor_p99_ms": round(floor_p99, 3),
            "ratio_p50": round(p50 / floor_p50, 3),
            "ratio_p99": round(p99 / floor_p99, 3),
            "ratio_inside_p50": round(percentile(measured.inside, 0.5) / percentile(floors["inside"], 0.5), 3),
        },
        {"ratio_p50": ("<=", 1.5)},
    )


if __name__ == "__main__":
    main()
