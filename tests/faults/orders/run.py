"""``python -m tests.faults orders --seeds N [--first S]``: kill -9 at every step of an order's way, on real servers.

One stack stands for all seeds: real NATS, PostgreSQL and services, and the simulated venue, which is never killed.
After each blow the stack settles and its books are compared with the venue's. The last line is JSON.
"""

import asyncio
import json
import random
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from algotrendy_common.clock import monotonic_s
from algotrendy_common.enums import Side
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.ids import client_order_id
from algotrendy_common.money import plain
from algotrendy_local.drills.books import Differences, compared
from algotrendy_local.drills.ground import SUPERVISED_S, Ground
from algotrendy_local.drills.trader import ACCOUNT, NotInTime, Trader, until_active

from benchmarks.result import percentile
from tests.faults.orders.field import Moments, running_field
from tests.faults.orders.plan import MOMENTS, TARGETS, Plan, planned

ON_ITS_WAY_S = 0.05
"""What left just before a kill may arrive so long after it."""


@dataclass
class Found:
    runs: int = 0
    settled: int = 0
    trading_before_reconciliation: int = 0
    resent: int = 0
    recovery_s: list[float] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    """Moments that did not come: the program was killed anyway."""
    statuses: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    books: Differences = field(default_factory=Differences)
    broken: list[str] = field(default_factory=list)


class Blow:
    """One seed on the field."""

    def __init__(self, ground: Ground, trader: Trader, plan: Plan, found: Found) -> None:
        self._ground = ground
        self._trader = trader
        self._plan = plan
        self._found = found
        self._chance = random.Random(f"load {plan.seed}")
        self._gateway_killed: list[datetime] = []

    async def strike(self) -> None:
        ground, trader, plan = self._ground, self._trader, self._plan
        await ground.heal()
        await ground.admin("GET", "timings?clear=1")
        trader.proposed.clear()
        if plan.fault is not None and not plan.moment.startswith("cancel"):
            await ground.fault(plan.fault, delay_ms=plan.delay_ms)
        terms = await self._terms(plan.rests)
        beside = [await self._terms(self._chance.random() < 0.3) for _ in range(plan.beside)]
        others = asyncio.gather(*(trader.propose(one) for one in beside)) if plan.moment != "idle" else None
        moments = Moments(trader, terms)
        if plan.moment not in ("idle", "comparing"):
            await trader.propose(terms)
        if plan.moment.startswith("cancel"):
            await moments.comes("open")
            await ground.fault("delay", method="DELETE", delay_ms=plan.delay_ms)
            await trader.cancel(terms)
        came = await moments.comes(plan.moment)
        await asyncio.sleep(plan.after_ms / 1000)
        killed_s = await self._kill()
        if plan.again_ms is not None:
            await asyncio.sleep(SUPERVISED_S)
            await ground.launch(plan.target)
            await asyncio.sleep(plan.again_ms / 1000)
            killed_s = await self._kill()
        late = asyncio.create_task(trader.propose(terms)) if plan.moment == "comparing" else None
        await ground.until_well(plan.target, "broker_gateway", "risk")
        while not await trader.active():
            await asyncio.sleep(0.02)
        self._found.recovery_s.append(monotonic_s() - killed_s)
        self._found.struck[f"{plan.target} {plan.moment}"] += came
        self._found.missed += not came
        if others is not None:
            await others
        if late is not None:
            await late
        if self._chance.random() < 0.5:
            await trader.cancel(terms)
        await self._judge()

    async def _kill(self) -> float:
        at_s = await self._ground.kill(self._plan.target)
        if self._plan.target == "broker_gateway":
            self._gateway_killed.append(datetime.now(UTC))
        return at_s

    async def _terms(self, rests: bool) -> OrderTerms:
        side = self._chance.choice((Side.BUY, Side.BUY, Side.SELL))
        price = await self._trader.price(Side.BUY, "0.03") if rests else None
        return self._trader.terms(Side.BUY if rests else side, self._trader.quantity(), price)

    # ── the verdict ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _judge(self) -> None:
        found, trader, plan = self._found, self._trader, self._plan
        found.runs += 1
        try:
            await trader.settles()
            found.settled += 1
        except NotInTime as late:
            found.broken.append(f"seed {plan.seed} ({plan.target} at {plan.moment}): {late}")
        for order_id in trader.proposed:
            found.statuses[str(await trader.status(order_id))] += 1
            if order_id in trader.refused:
                found.refusals[trader.refused[order_id].split(":")[0]] += 1
        before, now = found.books, await compared(trader)
        found.books = now
        for line in now.detail:
            if line not in before.detail:
                found.broken.append(f"seed {plan.seed} ({plan.target} at {plan.moment}): {line}")
        await self._look_for_early_orders()

    async def _look_for_early_orders(self) -> None:
        """Orders that reached the venue between a gateway's death and its successor's first good comparison."""
        orders = (await self._ground.admin("GET", "timings"))["orders"]
        times = Counter(order["client_order_id"] for order in orders)
        again = [client_order_id(order_id) for order_id in self._trader.proposed]
        resent = sum(max(0, times[client_id] - 1) for client_id in again)
        self._found.resent += resent
        if resent:
            self._found.broken.append(f"seed {self._plan.seed}: {resent} order(s) sent again")
        for killed in self._gateway_killed:
            rows = await self._trader.rows(
                "SELECT body FROM outbox WHERE subject = $1 AND created_at > $2 ORDER BY position LIMIT 50",
                f"account.reconciled.{ACCOUNT}",
                killed,
            )
            good = (body for row in rows if (body := json.loads(row["body"]))["ok"])
            first = next((datetime.fromisoformat(body["checked_at"]) for body in good), datetime.now(UTC))
            early = [
                order
                for order in orders
                if killed.timestamp() + ON_ITS_WAY_S < order["received_wall_ns"] / 1e9 < first.timestamp()
            ]
            self._found.trading_before_reconciliation += len(early)
            self._found.broken += [f"seed {self._plan.seed}: {order} before reconciliation" for order in early]


async def proof(seeds: Iterable[int]) -> Found:
    found = Found()
    async with running_field() as (ground, trader):
        for seed in seeds:
            plan = planned(seed)
            began_s = monotonic_s()
            known = len(found.broken)
            await Blow(ground, trader, plan, found).strike()
            print(
                f"  {seed}: {plan.target} at {plan.moment}, venue {plan.fault or 'well'}:"
                f" active again after {found.recovery_s[-1]:.1f} s, settled after {monotonic_s() - began_s:.1f} s",
                flush=True,
            )
            for line in found.broken[known:]:
                print(f"  ✕ {line[:300]}", flush=True)
            if not await trader.active():
                await until_active(trader)
    return found


def figures(found: Found) -> dict[str, Any]:
    books = found.books
    return {
        "runs": found.runs,
        "settled": found.settled,
        "duplicates": books.duplicates,
        "resent": found.resent,
        "lost_fills": books.lost_fills,
        "invented_fills": books.invented_fills,
        "orphan_orders": books.orphan_orders,
        "position_difference": plain(Decimal(books.position_difference)),
        "trading_before_reconciliation": found.trading_before_reconciliation,
        "recovery_p50_s": round(percentile(found.recovery_s, 0.5), 2),
        "recovery_p95_s": round(percentile(found.recovery_s, 0.95), 2),
        "pairs_struck": len([pair for pair, times in found.struck.items() if times]),
        "pairs": len(TARGETS) * len(MOMENTS),
        "moments_missed": found.missed,
        "orders": dict(sorted(found.statuses.items())),
        "refusals": dict(sorted(found.refusals.items())),
    }


def passed(found: Found) -> bool:
    return (
        found.books.none
        and not found.trading_before_reconciliation
        and not found.resent
        and found.settled == found.runs
    )


def main(arguments: list[str]) -> int:
    parser = ArgumentParser(prog="python -m tests.faults orders", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    options = parser.parse_args(arguments)
    found = asyncio.run(proof(range(options.first, options.first + options.seeds)))
    print(json.dumps({"name": "orders"} | figures(found) | {"ok": passed(found)}), flush=True)
    return 0 if passed(found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
