"""Limits hold: risk against an independent model over many runs, and 64 orders at once at one limit's edge.

``runs`` are Hypothesis runs of ``steps`` steps each, ``walks`` weighted random ones of four times as many. ``breaches``
counts contradictions between risk and the model; ``overshoot`` is the quote currency that two risk processes on real
servers let through beyond the limit.
"""

import asyncio
import json
import os
import sys
import time
import traceback
from argparse import ArgumentParser
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from random import Random

from algotrendy_common.events.order import OrderApproved
from algotrendy_common.ids import new_id
from algotrendy_local.testing import Servers, running_servers
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.risk.around import Around, environment
from tests.faults.risk.machine import Accounts, walk

EDGE = Decimal(40_000)
AT_ONCE = 64
PARTS = 8
"""The runs are dealt out to processes in so many parts, each with a seed of its own."""

Found = tuple[int, int, Counter[str], list[str]]
"""Runs, steps taken, how often each answer was given, contradictions."""


def explored(number: int, runs: int, steps: int) -> Found:
    """Hypothesis' share of the runs."""
    answers: Counter[str] = Counter()
    done = [0, 0]

    class Counted(Accounts):
        def teardown(self) -> None:
            answers.update(self.codes)
            done[0] += 1
            done[1] += self.steps

    chosen = settings(
        max_examples=runs, stateful_step_count=steps, deadline=None, database=None, print_blob=False,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    try:
        seed(number)(Counted)
        run_state_machine_as_test(Counted, settings=chosen)
    except Exception:
        return done[0], done[1], answers, [traceback.format_exc()[-3000:]]
    return done[0], done[1], answers, []


def walked(number: int, steps: int) -> Found:
    try:
        accounts = walk(Random(number), steps)
    except AssertionError:
        return 1, 0, Counter(), [f"walk {number}: {traceback.format_exc()[-3000:]}"]
    return 1, steps, Counter(accounts.codes), []


def against_the_model(runs: int, walks: int, steps: int) -> tuple[Found, int]:
    """Everything together, and how many of the runs were walks."""
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers) as pool:
        parts = [pool.submit(explored, number, -(-runs // PARTS), steps) for number in range(PARTS)]
        parts += [pool.submit(walked, number, steps * 4) for number in range(walks)]
        found = [part.result() for part in parts]
    answers: Counter[str] = Counter()
    for _, _, some, _ in found:
        answers.update(some)
    broken = [line for _, _, _, lines in found for line in lines]
    whole = (sum(part[0] for part in found[:PARTS]), sum(part[1] for part in found), answers, broken)
    return whole, sum(part[0] for part in found[PARTS:])


@asynccontextmanager
async def risk_process(servers: Servers, account: str) -> AsyncIterator[None]:
    limits = {
        "max_position_notional": EDGE, "max_open_orders": 1000, "max_orders": 10_000, "max_strategy_orders": 10_000,
        "max_instrument_orders": 10_000, "duplicate_window": "PT0S", "max_proposal_age": "PT1M",
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "algotrendy_risk", env=os.environ | environment(servers, account, limits),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def at_the_edge(rounds: int) -> tuple[int, Decimal, int]:
    """Orders that were decided, the worst overshoot, and orders that got more or less than one verdict."""
    orders, overshoot, wrong = 0, Decimal(0), 0
    async with running_servers("nats", "postgres", migrate=True) as servers:
        for _ in range(rounds):
            account = f"edge-{new_id()[:8]}"
            around = Around(servers, account)
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(around.running())
                for _ in range(2):
                    await stack.enter_async_context(risk_process(servers, account))
                await around.ready()
                # Both processes take from one durable consumer; each knows only what PostgreSQL tells it of the other.
                batch = [around.terms(quantity) for quantity in ("0.2", "0.15", "0.3", "0.25") * (AT_ONCE // 4)]
                await asyncio.gather(
                    *(around.propose(terms, ("agent", "gateway")[i % 2]) for i, terms in enumerate(batch))
                )
                for terms in batch:
                    await around.verdict(terms)
            said = [around.verdicts[terms.order_id] for terms in batch]
            wrong += sum(len({event.event_id for event in events}) != 1 for events in said)
            approved = [events[0] for events in said if isinstance(events[0], OrderApproved)]
            spent = sum((event.notional for event in approved), Decimal(0))
            # Nothing more would have fitted: the smallest order is 3,000.
            assert spent > EDGE - 3_000, spent
            overshoot = max(overshoot, spent - EDGE, Decimal(0))
            orders += len(batch)
    return orders, overshoot, wrong


def main(arguments: list[str]) -> int:
    parser = ArgumentParser(prog="python -m tests.faults risk", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="Hypothesis runs")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--walks", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5, help="times 64 orders meet one limit")
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    (runs, steps, answers, broken), walks = against_the_model(options.seeds, options.walks, options.steps)
    for line in broken[:3]:
        print(line)
    print(", ".join(f"{code} {count}" for code, count in answers.most_common()))
    orders, overshoot, wrong = asyncio.run(at_the_edge(options.rounds))
    ok = not broken and not overshoot and not wrong and runs >= options.seeds
    figures = {
        "name": "risk", "runs": runs, "walks": walks, "steps": steps, "decisions": answers.total(),
        "kinds_of_refusal": len(answers) - ("approved" in answers), "breaches": len(broken),
        "orders_at_the_edge": orders,
        "at_once": AT_ONCE, "overshoot": float(overshoot), "verdicts_not_one": wrong,
        "took_s": round(time.monotonic() - begun, 1), "ok": ok,
    }  # fmt: skip
    print(json.dumps(figures), flush=True)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
