"""Recovery: kill -9 the broker gateway under load, with its durations as they are in production, and start it again.

Active again means that it is ready, with its books compared, and that risk lets orders through. The state it then has
is compared with the one rebuilt from its log. Each start says how long its phases took; they are told, too.
"""

import asyncio
import os
import random
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime

from algotrendy_common.clock import monotonic_s
from algotrendy_common.enums import Side
from algotrendy_local.drills.books import compared
from algotrendy_local.drills.ground import SUPERVISED_S, Ground, running_ground
from algotrendy_local.drills.trader import NotInTime, Trader, trading, until_active
from algotrendy_local.errors import StackError
from rich.console import Console
from rich.table import Table

from benchmarks.recovery.phases import of_last_start
from benchmarks.recovery.rebuilt import hashes
from benchmarks.result import close, percentile
from tests.faults.orders.field import wide_limits

KILLS = int(os.environ.get("ALGOTRENDY_BENCH_KILLS", "20"))
EVERY_S = 0.05
ACTIVE_WITHIN_S = 120.0
KILL_WITHIN_S = 400.0
"""With its load before it and the comparison after it."""
FAILED_AT_MOST = 3


@dataclass
class Found:
    recovered: list[float] = field(default_factory=list)
    phases: list[dict[str, float]] = field(default_factory=list)
    equal: int = 0
    differences: int = 0
    failed: list[str] = field(default_factory=list)


async def measure() -> Found:
    """A kill that is not recovered from is noted, and the next one gets a new stack."""
    found = Found()
    chance = random.Random(7)
    environment = {"ALGOTRENDY_RISK_ACCOUNTS": wide_limits()}
    while len(found.recovered) + len(found.failed) < KILLS and len(found.failed) < FAILED_AT_MOST:
        try:
            async with running_ground(environment=environment, impatient=False) as ground, trading(ground) as trader:
                while len(found.recovered) + len(found.failed) < KILLS:
                    async with asyncio.timeout(KILL_WITHIN_S):
                        await one_kill(ground, trader, chance, found)
                found.differences += len((await compared(trader)).detail)
        except (NotInTime, StackError, TimeoutError) as error:
            found.failed.append(repr(error))
            print(f"  ✕ not recovered from: {error!r}", flush=True)
    return found


async def one_kill(ground: Ground, trader: Trader, chance: random.Random, found: Found) -> None:
    load = asyncio.create_task(_load(trader, chance))
    try:
        await asyncio.sleep(chance.uniform(0.5, 1.5))
        killed_s, killed = await ground.kill("broker_gateway"), datetime.now(UTC)
        await asyncio.sleep(SUPERVISED_S)
        await ground.launch("broker_gateway")
        while (problem := await ground.problem("broker_gateway") or await trader.inactive()) is not None:
            if monotonic_s() - killed_s > ACTIVE_WITHIN_S:
                raise NotInTime(f"not active again after {ACTIVE_WITHIN_S:.0f} s: {problem}")
            await asyncio.sleep(0.01)
        took_s = monotonic_s() - killed_s
    finally:
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)
    await trader.settles(within_s=120)
    log, stored = await hashes(trader)
    found.equal += log == stored
    found.recovered.append(took_s)
    found.phases.append(of_last_start(ground.place.home.log("broker_gateway"), killed, took_s))
    print(
        f"  {len(found.recovered)} of {KILLS}: active again after {took_s:.2f} s, state equal: {log == stored},"
        f" {', '.join(f'{name} {seconds:.2f}' for name, seconds in found.phases[-1].items())}",
        flush=True,
    )
    trader.proposed.clear()
    await until_active(trader)


async def _load(trader: Trader, chance: random.Random) -> None:
    while True:
        rests = chance.random() < 0.3
        price = await trader.price(Side.BUY, "0.04") if rests else None
        await trader.propose(trader.terms(Side.BUY, trader.quantity(), price))
        await asyncio.sleep(EVERY_S)


def show(found: Found) -> None:
    table = Table(title="From kill -9 to active, by phase, in seconds", title_justify="left")
    for column in ("phase", "median", "worst"):
        table.add_column(column)
    for name in dict.fromkeys(name for phases in found.phases for name in phases):
        took = [phases[name] for phases in found.phases if name in phases]
        table.add_row(name, f"{percentile(took, 0.5):.3f}", f"{max(took):.3f}")
    Console(file=sys.stdout, width=110).print(table)


def main() -> None:
    found = asyncio.run(measure())
    show(found)
    # What was not recovered from counts as the longest wait that was given to it.
    recovered = [*found.recovered, *(ACTIVE_WITHIN_S for _ in found.failed)]
    close(
        "recovery",
        {
            "kills": len(recovered),
            "kills_failed": len(found.failed),
            "active_p50_s": round(percentile(recovered, 0.5), 2),
            "active_p95_s": round(percentile(recovered, 0.95), 2),
            "active_worst_s": round(max(recovered), 2),
            "states_equal": found.equal,
            "states_unequal": len(found.recovered) - found.equal,
            "book_differences": found.differences,
        },
        {
            "kills_failed": ("<=", 0),
            "active_p95_s": ("<=", 10.0),
            "states_unequal": ("<=", 0),
            "book_differences": ("<=", 0),
        },
    )


if __name__ == "__main__":
    main()
