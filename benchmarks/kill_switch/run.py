"""Kill switch: orders stream, it is engaged, and the venue says when the last one came and when nothing worked.

By file and by command, with the whole stack up and with each of its servers stopped in turn.
"""

import asyncio
import os
import sys

from algotrendy_local.drills import kill_switch
from algotrendy_local.drills.ground import TRADING, running_ground
from algotrendy_local.drills.trader import Trader, trading, until_active
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


async def measure() -> dict[tuple[str, str | None], list[kill_switch.Halted]]:
    found: dict[tuple[str, str | None], list[kill_switch.Halted]] = {}
    environment = {"ALGOTRENDY_RISK_ACCOUNTS": wide_limits()}
    async with running_ground((*TRADING, "redis"), environment) as ground, trading(ground) as trader:
        for server in STOPPED:
            for way in kill_switch.WAYS:
                found[way, server] = [await halted(trader, way, server) for _ in range(TIMES)]
                print(f"  by {way}, {server or 'nothing'} stopped: done", flush=True)
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


def show(found: dict[tuple[str, str | None], list[kill_switch.Halted]]) -> None:
    table = Table(title="From engaging to the last order's arrival, and to nothing working", title_justify="left")
    for column in ("by", "stopped", "last order ms, worst", "cancelled s, worst", "orders before", "orders after"):
        table.add_column(column)
    for (way, server), halts in found.items():
        table.add_row(
            way,
            server or "nothing",
            f"{max(one.last_order_ms for one in halts):.1f}",
            f"{max(one.cancelled_s for one in halts):.3f}",
            str(sum(one.streamed for one in halts)),
            str(sum(one.orders_after for one in halts)),
        )
    Console(file=sys.stdout, width=110).print(table)


def main() -> None:
    found = asyncio.run(measure())
    show(found)
    halts = [one for several in found.values() for one in several]
    streaming = [
        one for (_, server), several in found.items() if server in (None, "redis", "questdb") for one in several
    ]
    close(
        "kill_switch",
        {
            "halts": len(halts),
            "halts_with_orders_streaming": sum(1 for one in streaming if one.streamed),
            "last_order_p50_ms": round(percentile([one.last_order_ms for one in halts], 0.5), 2),
            "last_order_p99_ms": round(percentile([one.last_order_ms for one in halts], 0.99), 2),
            "last_order_worst_ms": round(max(one.last_order_ms for one in halts), 2),
            "cancelled_p50_s": round(percentile([one.cancelled_s for one in halts], 0.5), 3),
            "cancelled_p99_s": round(percentile([one.cancelled_s for one in halts], 0.99), 3),
            "working_orders_cancelled": sum(one.working_before for one in halts),
        },
        {"last_order_p99_ms": ("<=", 100.0), "cancelled_p99_s": ("<=", 1.0)},
    )


if __name__ == "__main__":
    main()
