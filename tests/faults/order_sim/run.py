"""``python -m tests.faults order_sim --seeds N [--first S]``: the order protocol in one process, from seeds alone.

Every tenth seed runs twice, and both logs must have one hash. The last line is JSON.
"""

import asyncio
import gc
import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import structlog
from algotrendy_common.clock import monotonic_s
from algotrendy_common.money import plain

from tests.faults.order_sim.gateway_service import virtual_service
from tests.faults.order_sim.verdict import Verdict, judged
from tests.faults.order_sim.virtual_loop import Determined, VirtualLoop
from tests.faults.order_sim.world import World

ZEROS = (
    "duplicates",
    "lost_fills",
    "invented_fills",
    "orphan_orders",
    "holdings_wrong",
    "resent_under_new_id",
    "sent_again",
    "sent_beside",
    "sent_unfit",
    "replaced_alive",
    "overfilled",
    "both_legs_filled",
    "amended_twice",
    "reduced_too_much",
    "exits_too_large",
    "unprotected",
    "triggers_missed",
    "unresolved",
    "accounts_stopped",
    "approvals_lost",
    "trading_before_reconciliation",
    "sent_while_closed",
    "released_early",
    "unheard_errors",
    "ends_by_error",
    "not_settled",
    "hash_mismatches",
)
"""What must not happen once."""
_REPEATED_EVERY = 10
_BATCH = 25


def simulated(seed: int) -> World:
    """A seed's world, at its end."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    with Determined(loop, str(seed)), virtual_service():
        world = World(seed, loop)
        try:
            loop.run_until_complete(world.run())
        finally:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()
            asyncio.set_event_loop(None)
    return world


@dataclass
class Batch:
    verdict: Verdict
    steps: dict[str, int]
    """Crashes by step."""
    virtual_s: float


def batch(seeds: range) -> Batch:
    quiet()
    whole, steps, virtual_s = Verdict(), dict[str, int](), 0.0
    for seed in seeds:
        world = simulated(seed)
        verdict = judged(world)
        if seed % _REPEATED_EVERY == 0:
            verdict.breaks(seed, "hash_mismatches", simulated(seed).hash() != world.hash())
            verdict.counts["repeated"] += 1
        whole.add(verdict)
        virtual_s += world.loop.now_s
        for step in world.crashes.struck:
            steps[step] = steps.get(step, 0) + 1
        if seed % 5 == 0:
            gc.collect()
    return Batch(whole, steps, virtual_s)


def quiet() -> None:
    """The desk's log is not what is looked at here, and writing it costs more than the desk."""
    gc.disable()
    # What was imported stays: a collection looks at the seeds alone.
    gc.freeze()
    structlog.configure(
        processors=[_drop], wrapper_class=structlog.make_filtering_bound_logger(50), cache_logger_on_first_use=True
    )


def _drop(logger: Any, name: str, event: Any) -> Any:
    raise structlog.DropEvent


def figures(first: int, seeds: int, workers: int) -> tuple[dict[str, Any], list[str]]:
    """The figures of the closing line, and what was broken."""
    began = monotonic_s()
    whole, steps, virtual_s = Verdict(), dict[str, int](), 0.0
    ranges = [range(begin, min(begin + _BATCH, first + seeds)) for begin in range(first, first + seeds, _BATCH)]
    for done in _done(ranges, workers):
        whole.add(done.verdict)
        virtual_s += done.virtual_s
        for step, times in done.steps.items():
            steps[step] = steps.get(step, 0) + times
    took_s = monotonic_s() - began
    counts = whole.counts
    return {
        "runs": seeds,
        "seeds_per_minute": round((seeds + counts["repeated"]) / took_s * 60),
        "virtual_hours": round(virtual_s / 3600, 2),
        "orders": counts["orders"],
        "exits": counts["exits"],
        "legs": counts["legs"],
        "amendments": counts["amendments"],
        "fills": counts["fills"],
        "positions_guarded": counts["positions_guarded"],
        "fired_after_crash": counts["fired_after_crash"],
        "crashes": counts["crashes"],
        "crash_steps": len(steps),
        "timeouts_injected": counts["timeouts_injected"],
        "order_timeouts": counts["order_timeouts"],
        "order_timeouts_resolved_by_query": counts["timeouts_by_query"],
        "order_timeouts_resolved_by_stream": counts["timeouts_by_stream"],
        "order_timeouts_unresolved": counts["timeouts_unresolved"],
        "commit_answers_lost": counts["commit_answers_lost"],
        "outcomes_unknown": counts["outcomes_unknown"],
        "were_accepted": counts["were_accepted"],
        "resolved_by_query": counts["resolved_by_query"],
        "resolved_by_stream": counts["resolved_by_stream"],
        "ended_lost": counts["ended_lost"],
        "hashes_compared": counts["repeated"],
        "position_difference": plain(whole.position_difference),
    } | {name: counts[name] for name in ZEROS}, whole.broken


def _done(ranges: list[range], workers: int) -> Iterator[Batch]:
    if workers == 1 or len(ranges) == 1:
        yield from map(batch, ranges)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(batch, ranges)


def main(arguments: list[str]) -> int:
    parser = ArgumentParser(prog="python -m tests.faults order_sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--show", action="store_true", help="print the log of the first seed")
    options = parser.parse_args(arguments)
    if options.show:
        quiet()
        world = simulated(options.first)
        print("\n".join(world.log))
        print("\n".join(judged(world).broken))
        return 0
    found, broken = figures(options.first, options.seeds, options.workers)
    for line in broken[:40]:
        print(line[:300])
    ok = not any(found[name] for name in ZEROS) and found["position_difference"] == "0"
    print(json.dumps({"name": "order_sim"} | found | {"ok": ok}), flush=True)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
