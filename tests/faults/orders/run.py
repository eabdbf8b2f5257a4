"""``python -m tests.faults orders --seeds N [--first S]``: kill -9 at every step of an order's way, on real servers.

One stack stands for all seeds: real NATS, PostgreSQL and services, and the simulated venue, which is never killed.
After each blow the stack settles and its books are compared with the venue's. A seed that does not come to its end is
noted, its logs are kept, and the next one gets a new stack. The last line is JSON.
"""

import asyncio
import json
import random
import sys
from argparse import ArgumentParser
from collections import Counter, deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from algotrendy_common.clock import monotonic_s
from algotrendy_common.enums import Side
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.ids import client_order_id
from algotrendy_local.drills.books import compared
from algotrendy_local.drills.ground import SUPERVISED_S, Ground
from algotrendy_local.drills.trader import ACCOUNT, NotInTime, Trader, until_active
from algotrendy_local.errors import StackError

from tests.faults.orders.field import Moments, keep_logs, running_field
from tests.faults.orders.found import Found, figures, passed
from tests.faults.orders.plan import Plan, planned

ON_ITS_WAY_S = 1.0
"""What was committed and left before a kill may arrive so long after it: the venue shares this machine."""
_ACTIVE_WITHIN_S = 120.0
_SEED_WITHIN_S = 300.0
_FIELDS_AT_MOST = 3
"""Stacks in a row that may fail to start before there is no sense in going on."""


class Blow:
    """One seed on the field."""

    def __init__(self, ground: Ground, trader: Trader, plan: Plan, found: Found) -> None:
        self._ground = ground
        self._trader = trader
        self._plan = plan
        self.found = found
        self._chance = random.Random(f"load {plan.seed}")
        self._gateway_killed: list[datetime] = []
        self._proposing: list[asyncio.Task[OrderTerms]] = []
        self.in_hand: str | None = None
        """The program that has just been killed and is not started again yet."""

    async def strike(self) -> None:
        try:
            await self._strike()
        finally:  # they would ask a bus that is gone for ever
            for task in self._proposing:
                task.cancel()

    async def _strike(self) -> None:
        ground, trader, plan = self._ground, self._trader, self._plan
        await ground.heal()
        await ground.admin("GET", "timings?clear=1")
        trader.proposed.clear()
        if plan.fault is not None and not plan.moment.startswith("cancel"):
            await ground.fault(plan.fault, delay_ms=plan.delay_ms)
        terms = await self._terms(plan.rests)
        beside = [await self._terms(self._chance.random() < 0.3) for _ in range(plan.beside)]
        if plan.moment != "idle":
            self._propose(*beside)
        moments = Moments(trader, terms)
        if plan.moment not in ("idle", "comparing"):
            await trader.propose(terms)
        if plan.moment.startswith("cancel"):
            await moments.comes("open")
            await ground.fault("delay", method="DELETE", delay_ms=plan.delay_ms)
            await trader.cancel(terms)
        came = await moments.comes(plan.moment)
        await asyncio.sleep(plan.after_ms / 1000)
        killed_s = await self._strike_down()
        if plan.again_ms is not None:
            await asyncio.sleep(plan.again_ms / 1000)
            killed_s = await self._strike_down()
        if plan.moment == "comparing":
            self._propose(terms)
        try:
            await self._until_active(killed_s)
        finally:  # one that took too long counts as what it took so far
            self.found.recovery_s.append(monotonic_s() - killed_s)
        self.found.struck[f"{plan.target} {plan.moment}"] += came
        self.found.missed += not came
        await asyncio.gather(*self._proposing)
        if self._chance.random() < 0.5:
            await trader.cancel(terms)
        await self._judge()

    def _propose(self, *several: OrderTerms) -> None:
        self._proposing += [asyncio.create_task(self._trader.propose(one)) for one in several]

    async def _until_active(self, killed_s: float) -> None:
        while (problem := await self._problem()) is not None:
            if monotonic_s() - killed_s > _ACTIVE_WITHIN_S:
                raise NotInTime(f"not active again after {_ACTIVE_WITHIN_S:.0f} s: {problem}")
            await asyncio.sleep(0.02)

    async def _problem(self) -> str | None:
        for name in (self._plan.target, "broker_gateway", "risk"):
            if (problem := await self._ground.problem(name)) is not None:
                return problem
        return await self._trader.inactive()

    async def _strike_down(self) -> float:
        """kill -9, and the start that follows; the moment of the first."""
        self.in_hand = self._plan.target
        at_s = await self._ground.kill(self._plan.target)
        if self._plan.target == "broker_gateway":
            self._gateway_killed.append(datetime.now(UTC))
        await asyncio.sleep(SUPERVISED_S)
        await self._ground.launch(self._plan.target)
        self.in_hand = None
        return at_s

    async def _terms(self, rests: bool) -> OrderTerms:
        side = self._chance.choice((Side.BUY, Side.BUY, Side.SELL))
        price = await self._trader.price(Side.BUY, "0.03") if rests else None
        return self._trader.terms(Side.BUY if rests else side, self._trader.quantity(), price)

    # ── the verdict ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _judge(self) -> None:
        found, trader, plan = self.found, self._trader, self._plan
        found.judged.add(plan.seed)
        found.runs += 1
        try:
            await trader.settles()
            found.settled += 1
        except NotInTime as late:
            _note(found, f"seed {plan.seed} ({plan.target} at {plan.moment}): {late}")
        for order_id in trader.proposed:
            found.statuses[str(await trader.status(order_id))] += 1
            if order_id in trader.refused:
                found.refusals[trader.refused[order_id].split(":")[0]] += 1
        before, now = found.books, await compared(trader)
        found.books = now
        for line in now.detail:
            if line not in before.detail:
                _note(found, f"seed {plan.seed} ({plan.target} at {plan.moment}): {line}")
        await self._look_for_early_orders()

    async def _look_for_early_orders(self) -> None:
        """Orders that reached the venue between a gateway's death and its successor's first good comparison."""
        orders = (await self._ground.admin("GET", "timings"))["orders"]
        times = Counter(order["client_order_id"] for order in orders)
        again = [client_order_id(order_id) for order_id in self._trader.proposed]
        resent = sum(max(0, times[client_id] - 1) for client_id in again)
        self.found.resent += resent
        if resent:
            _note(self.found, f"seed {self._plan.seed}: {resent} order(s) sent again")
        for killed in self._gateway_killed:
            rows = await self._trader.rows(
                "SELECT body FROM outbox WHERE subject = $1 AND created_at > $2 ORDER BY position LIMIT 50",
                f"account.reconciled.{ACCOUNT}",
                killed,
            )
            good = (body for row in rows if (body := json.loads(row["body"]))["ok"])
            first = next((datetime.fromisoformat(body["checked_at"]) for body in good), datetime.now(UTC))
            on_their_way = await self._committed_before(killed)
            early = [
                order
                for order in orders
                if killed.timestamp() < (arrived_s := order["received_wall_ns"] / 1e9) < first.timestamp()
                and not (arrived_s < killed.timestamp() + ON_ITS_WAY_S and order["client_order_id"] in on_their_way)
            ]
            self.found.trading_before_reconciliation += len(early)
            for order in early:
                _note(self.found, f"seed {self._plan.seed}: {order} before reconciliation")

    async def _committed_before(self, killed: datetime) -> set[str]:
        """Orders that a gateway had committed as on their way when it died."""
        rows = await self._trader.rows(
            "SELECT client_order_id FROM orders JOIN order_steps AS step USING (order_id)"
            " WHERE step.status = 'submitting' AND step.time BETWEEN $1 AND $2",
            killed - timedelta(seconds=ON_ITS_WAY_S),
            killed,
        )
        return {row["client_order_id"] for row in rows}


async def proof(seeds: Iterable[int]) -> Found:
    found = Found()
    left = deque(planned(seed) for seed in seeds)
    failed = 0
    while left and failed < _FIELDS_AT_MOST:
        try:
            async with running_field() as (ground, trader):
                failed = 0
                while left and await _struck(ground, trader, left.popleft(), found):
                    pass
        except (NotInTime, StackError) as error:
            failed += 1
            _note(found, f"a stack did not start: {error}")
        found.next_stack()
    return found


async def _struck(ground: Ground, trader: Trader, plan: Plan, found: Found) -> bool:
    """One seed, to its end; False where the stack cannot be used any more."""
    began_s, known = monotonic_s(), len(found.broken)
    try:
        async with asyncio.timeout(_SEED_WITHIN_S), asyncio.TaskGroup() as tasks:
            blow = Blow(ground, trader, plan, found)
            supervisor = tasks.create_task(_supervised(ground, blow))
            await blow.strike()
            if not await trader.active():
                await until_active(trader)
            supervisor.cancel()
    except Exception as error:  # whatever breaks a seed is a finding, and the verdict has to come
        found.runs += plan.seed not in found.judged
        _note(found, f"seed {plan.seed} ({plan}): {error!r}; logs are in {keep_logs(ground, plan.seed)}")
        return False
    print(
        f"  {plan.seed}: {plan.target} at {plan.moment}, venue {plan.fault or 'well'}:"
        f" active again after {found.recovery_s[-1]:.1f} s, settled after {monotonic_s() - began_s:.1f} s",
        flush=True,
    )
    if len(found.broken) > known:
        print(f"  ✕ logs are in {keep_logs(ground, plan.seed)}", flush=True)
    return True


async def _supervised(ground: Ground, blow: Blow) -> None:
    """Start again what ends by itself, as the stack's supervisor does."""
    while True:
        await asyncio.sleep(SUPERVISED_S)
        for name, process in tuple(ground.processes.items()):
            if process.exit_status is not None and name != blow.in_hand:
                blow.found.ended[name] += 1
                print(f"  {name} ended by itself ({process.exit_status}) and is started again", flush=True)
                await ground.launch(name)


def _note(found: Found, line: str) -> None:
    found.broken.append(line)
    print(f"  ✕ {line[:600]}", flush=True)


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
