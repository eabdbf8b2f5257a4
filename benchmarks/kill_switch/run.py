"""Kill switch: orders stream, it is engaged, and the venue says when the last one came and when nothing worked.

By file and by command, with the whole stack up and with each of its servers stopped in turn.
"""

import asyncio
import os
import sys
from collections import deque
from dataclasses import dataclass, field

from algotrendy_local.drills import kill_switch
from algotrendy_local.drills.ground import TRADING, running_ground
from algotrendy_local.drills.trader import NotInTime, Trader, trading, until_active
from algotrendy_local.errors import StackError
from rich.console import Console
from rich.table import Table

from benchmarks.result import close, percentile
from tests.faults.orders.field import wide_limits

TIMES = int(os.environ.get("ALGOTRENDY_BENCH_HALTS", "5"))
"""Halts of each kind."""
STOPPED = (None, "nats", "redis", "postgres", "questdb")
RESTING = 10
EVERY_S = 0.03
"""Between two orders of the stream."""
HALT_WITHIN_S = 300.0
"""With all that goes before and after it."""
FAILED_AT_MOST = 5

type Kind = tuple[str, str | None]
"""By what it is engaged, and which server is stopped."""


@dataclass
class Found:
    halts: dict[Kind, list[kill_switch.Halted]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def all(self) -> list[kill_switch.Halted]:
        return [one for several in self.halts.values() for one in several]


async def measure() -> Found:
    """Every kind in turn; a halt that does not come to its end is noted, and the next one gets a new stack."""
    found = Found({(way, server): [] for server in STOPPED for way in kill_switch.WAYS})
    left = deque(kind for kind in found.halts for _ in range(TIMES))
    while left and len(found.failed) < FAILED_AT_MOST:
        environment = {"ALGOTRENDY_RISK_ACCOUNTS": wide_limits()}
        try:
            async with running_ground((*TRADING, "redis"), environment) as ground, trading(ground) as trader:
                while left:
                    way, server = kind = left.popleft()
                    async with asyncio.timeout(HALT_WITHIN_S):
                        one = await halted(trader, way, server)
                    found.halts[kind].append(one)
                    print(
                        f"  by {way}, {server or 'nothing'} stopped, {len(found.halts[kind])} of {TIMES}:"
                        f" last order {one.last_order_ms:.1f} ms after it, all cancelled after {one.cancelled_s:.3f} s",
                        flush=True,
                    )
        except (NotInTime, StackError, TimeoutError) as error:
            found.failed.append(f"{error!r}")
            print(f"  ✕ not to its end: {error!r}", flush=True)
    return found


async def halted(trader: Trader, way: str, server: str | None) -> kill_switch.Halted:
    """Afterwards all runs and trades again."""
    ground = trader.ground

    async def stop() -> None:
        if server is not None:
            await ground.stop(server)

    try:
        return await kill_switch.measured(trader, way, resting=RESTING, every_s=EVERY_S, before=stop)
    finally:
        if server is not None:
            await ground.start(server)
        await kill_switch.release(trader)
        await ground.until_well("ingest", "risk", "broker_gateway")
        await until_active(trader, within_s=120)


def show(found: Found) -> None:
    table = Table(title="From engaging to the last order's arrival, and to nothing working", title_justify="left")
    for column in ("by", "stopped", "last order ms, worst", "cancelled s, worst", "orders before", "orders after"):
        table.add_column(column)
    for (way, server), halts in found.halts.items():
        table.add_row(
            way,
            server or "nothing",
            f"{max((one.last_order_ms for one in halts), default=0):.1f}",
            f"{max((one.cancelled_s for one in halts), default=0):.3f}",
            str(sum(one.streamed for one in halts)),
            str(sum(one.orders_after for one in halts)),
        )
    Console(file=sys.stdout, width=110).print(table)


def main() -> None:
    found = asyncio.run(measure())
    show(found)
    halts = found.all()
    streaming = [
        one for (_, server), several in found.halts.items() if server in (None, "redis", "questdb") for one in several
    ]
    close(
        "kill_switch",
        {
            "halts": len(halts),
            "halts_failed": len(found.failed),
            "halts_with_orders_streaming": sum(1 for one in streaming if one.streamed),
            "last_order_p50_ms": round(percentile([one.last_order_ms for one in halts], 0.5), 2),
            "last_order_p99_ms": round(percentile([one.last_order_ms for one in halts], 0.99), 2),
            "last_order_worst_ms": round(max(one.last_order_ms for one in halts), 2),
            "cancelled_p50_s": round(percentile([one.cancelled_s for one in halts], 0.5), 3),
            "cancelled_p99_s": round(percentile([one.cancelled_s for one in halts], 0.99), 3),
            "working_orders_cancelled": sum(one.working_before for one in halts),
        },
        {"last_order_p99_ms": ("<=", 100.0), "cancelled_p99_s": ("<=", 1.0), "halts_failed": ("<=", 0)},
    )


if __name__ == "__main__":
    main()
