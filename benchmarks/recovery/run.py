"""Recovery: kill -9 the broker gateway under load, with its durations as they are in production, and start it again.

Active again means that it is ready, with its books compared, and that risk lets orders through. The state it then has
is compared with the one rebuilt from its log.
"""

import asyncio
import os
import random

from algotrendy_common.clock import monotonic_s
from algotrendy_common.enums import Side
from algotrendy_local.drills.books import compared
from algotrendy_local.drills.ground import SUPERVISED_S, running_ground
from algotrendy_local.drills.trader import Trader, trading, until_active

from benchmarks.recovery.rebuilt import hashes
from benchmarks.result import close, percentile
from tests.faults.orders.field import wide_limits

KILLS = int(os.environ.get("ALGOTRENDY_BENCH_KILLS", "20"))
EVERY_S = 0.05


async def measure() -> dict[str, float | int | str]:
    recovered: list[float] = []
    equal = 0
    chance = random.Random(7)
    environment = {"ALGOTRENDY_RISK_ACCOUNTS": wide_limits()}
    async with running_ground(environment=environment, impatient=False) as ground, trading(ground) as trader:
        for number in range(KILLS):
            load = asyncio.create_task(_load(trader, chance))
            await asyncio.sleep(chance.uniform(0.5, 1.5))
            killed_s = await ground.kill("broker_gateway")
            await asyncio.sleep(SUPERVISED_S)
            await ground.launch("broker_gateway")
            await ground.until_well("broker_gateway")
            while not await trader.active():
                await asyncio.sleep(0.01)
            recovered.append(monotonic_s() - killed_s)
            load.cancel()
            await asyncio.gather(load, return_exceptions=True)
            await trader.settles(within_s=120)
            log, stored = await hashes(trader)
            equal += log == stored
            print(f"  {number + 1}: active again after {recovered[-1]:.2f} s, state equal: {log == stored}", flush=True)
            trader.proposed.clear()
            await until_active(trader)
        differing = await compared(trader)
    return {
        "kills": KILLS,
        "active_p50_s": round(percentile(recovered, 0.5), 2),
        "active_p95_s": round(percentile(recovered, 0.95), 2),
        "active_worst_s": round(max(recovered), 2),
        "states_equal": equal,
        "states_unequal": KILLS - equal,
        "book_differences": len(differing.detail),
    }


async def _load(trader: Trader, chance: random.Random) -> None:
    while True:
        rests = chance.random() < 0.3
        price = await trader.price(Side.BUY, "0.04") if rests else None
        await trader.propose(trader.terms(Side.BUY, trader.quantity(), price))
        await asyncio.sleep(EVERY_S)


def main() -> None:
    figures = asyncio.run(measure())
    close(
        "recovery",
        figures,
        {"active_p95_s": ("<=", 10.0), "states_unequal": ("<=", 0), "book_differences": ("<=", 0)},
    )


if __name__ == "__main__":
    main()
