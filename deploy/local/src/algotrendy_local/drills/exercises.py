"""The drills: each makes one thing go wrong, and says what became of the orders.

Invariant: a drill ends with our books compared with the venue's own, whatever it was about.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

from algotrendy_common.clock import monotonic_s
from algotrendy_common.enums import Side
from algotrendy_common.ids import client_order_id

from algotrendy_local.drills import kill_switch
from algotrendy_local.drills.books import compared
from algotrendy_local.drills.ground import SUPERVISED_S
from algotrendy_local.drills.trader import ACCOUNT, Trader, until_active
from algotrendy_local.drills.verdict import Verdict

Say = Callable[[str], None]
_STALE = "feed_stale"


@dataclass(frozen=True, slots=True)
class Drill:
    about: str
    run: Callable[[Trader, Say], Awaitable[Verdict]]


async def restart(trader: Trader, say: Say) -> Verdict:
    ground, verdict = trader.ground, Verdict()
    await ground.fault("delay", delay_ms=1500)
    on_its_way = await trader.propose(trader.terms(Side.BUY, trader.quantity()))
    await trader.reaches(on_its_way, "submitting", "outcome_unknown")
    say("an order is on its way to the venue; the broker gateway is killed (kill -9)")
    killed_s = await ground.kill("broker_gateway")
    beside = await trader.propose(trader.terms(Side.BUY, trader.quantity()))
    await asyncio.sleep(SUPERVISED_S)
    await ground.launch("broker_gateway")
    await ground.until_well("broker_gateway")
    back_s = monotonic_s() - killed_s
    say(f"ready again after {back_s:.1f} s, its books compared with the venue's first")
    status = await trader.reaches(on_its_way, "filled", "cancelled", "rejected", "lost")
    say(f"the order that was on its way is {status}, the one that came meanwhile {await _ended(trader, beside)}")
    verdict.figures["active_again_s"] = round(back_s, 2)
    verdict.promise(status == "filled", f"the venue filled the order, we have it as {status}")
    verdict.promise(back_s < 30, f"it took {back_s:.0f} s")
    return await _closed(trader, verdict)


async def disconnect(trader: Trader, say: Say) -> Verdict:
    ground, verdict = trader.ground, Verdict()
    price = await trader.price(Side.BUY, "0.03")
    waiting = await trader.propose(trader.terms(Side.BUY, trader.quantity(), price))
    await trader.reaches(waiting, "open")
    await ground.admin("POST", "sockets/mute", {"muted": True, "kind": "user"})
    say("an order waits at the venue; its messages to us have stopped without a word")
    await ground.admin("POST", "orders/cancel", {"account": ACCOUNT, "client_order_id": _client_id(waiting.order_id)})
    say("the venue has cancelled it, and nobody told us")
    began_s = monotonic_s()
    await trader.reaches(waiting, "cancelled", within_s=60)
    found_s = monotonic_s() - began_s
    say(f"found by comparing after {found_s:.1f} s; now the connection is cut")
    await ground.admin("POST", "sockets/mute", {"muted": False, "kind": "user"})
    await ground.admin("POST", "sockets/drop", {"kind": "user"})
    traded = await trader.propose(trader.terms(Side.BUY, trader.quantity()))
    await trader.reaches(traded, "filled")
    verdict.figures["found_after_s"] = round(found_s, 2)
    return await _closed(trader, verdict)


async def lost_answer(trader: Trader, say: Say) -> Verdict:
    ground, verdict = trader.ground, Verdict()
    # Silent, or its messages would tell before anything had to be asked.
    await ground.admin("POST", "sockets/mute", {"muted": True, "kind": "user"})
    for fault, truth in (("lost_after", "filled"), ("error_after", "filled"), ("lost_before", "lost")):
        await ground.fault(fault)
        terms = await trader.propose(trader.terms(Side.BUY, trader.quantity()))
        began_s = monotonic_s()
        status = await trader.reaches(terms, "filled", "lost", "rejected", "cancelled")
        known_s = monotonic_s() - began_s
        unknown = any(step == "outcome_unknown" for step, _ in await trader.steps(terms))
        say(f"{fault.replace('_', ' ')}: the answer was lost, the outcome is {status}, known after {known_s:.1f} s")
        verdict.figures[f"{fault}_known_after_s"] = round(known_s, 2)
        verdict.promise(status == truth, f"{fault}: the order is {status}, it should be {truth}")
        verdict.promise(unknown, f"{fault}: the order was never marked as unknown")
    await ground.admin("POST", "sockets/mute", {"muted": False, "kind": "user"})
    sent = (await ground.admin("GET", "timings"))["orders"]
    ours = [client_order_id(order_id) for order_id in trader.proposed]
    again = [order for order in sent if order["client_order_id"] in ours]
    resent = len(again) - len({order["client_order_id"] for order in again})
    verdict.figures["resent"] = resent
    verdict.promise(not resent, f"{resent} order(s) were sent a second time")
    return await _closed(trader, verdict)


async def partial_fill(trader: Trader, say: Say) -> Verdict:
    ground, verdict = trader.ground, Verdict()
    # The market stands still for a moment, or it would fill the rest before it can be cancelled.
    await ground.admin("POST", "pause")
    await ground.admin("POST", "partial_fills", {"fraction": "0.4", "orders": 1})
    price = await trader.price(Side.SELL, "0.001")
    terms = await trader.propose(trader.terms(Side.BUY, "0.01", price))
    await trader.reaches(terms, "partially_filled", "filled")
    filled = await _filled(trader, terms.order_id)
    say(f"the venue filled {filled} of {terms.quantity}; the rest is cancelled")
    await trader.cancel(terms)
    status = await trader.reaches(terms, "cancelled", "filled")
    total = await _filled(trader, terms.order_id)
    await ground.admin("POST", "resume")
    say(f"the order is {status} with {total} filled")
    verdict.figures |= {"ordered": str(terms.quantity), "filled_first": str(filled), "filled_at_last": str(total)}
    verdict.promise(Decimal(0) < total < terms.quantity, f"{total} of {terms.quantity} was filled, not a part of it")
    return await _closed(trader, verdict)


async def stale_feed(trader: Trader, say: Say) -> Verdict:
    ground, verdict = trader.ground, Verdict()
    await ground.admin("POST", "feed/freeze", {"on": True})
    say("the venue's prices stand still; orders are tried until risk refuses them")
    began_s, refused = monotonic_s(), ""
    while monotonic_s() - began_s < 60 and not refused:
        terms = await trader.propose(trader.terms(Side.BUY, trader.quantity()))
        if await trader.reaches(terms, "filled", "refused", "cancelled", "lost") == "refused":
            refused = trader.refused[terms.order_id]
        await asyncio.sleep(0.5)
    stale_s = monotonic_s() - began_s
    say(f"refused after {stale_s:.1f} s: {refused or 'never'}")
    verdict.figures["refused_after_s"] = round(stale_s, 1)
    verdict.promise(bool(refused), "orders went on although the prices stood still")
    await ground.admin("POST", "feed/freeze", {"on": False})
    await until_active(trader)
    say("prices move again, and orders pass again")
    return await _closed(trader, verdict)


async def the_kill_switch(trader: Trader, say: Say) -> Verdict:
    verdict = Verdict()
    for way in kill_switch.WAYS:
        halted = await kill_switch.measured(trader, way)
        say(
            f"engaged by {way}: the last order left {halted.last_order_ms:.0f} ms after it,"
            f" and {halted.working_before} working orders were gone after {halted.cancelled_s:.2f} s"
        )
        verdict.figures |= {
            f"{way}_last_order_ms": round(halted.last_order_ms, 1),
            f"{way}_cancelled_s": round(halted.cancelled_s, 3),
        }
        verdict.promise(halted.last_order_ms <= 1000, f"{way}: an order left {halted.last_order_ms:.0f} ms after it")
        verdict.promise(halted.cancelled_s <= 5, f"{way}: cancelled only after {halted.cancelled_s:.1f} s")
        terms = await trader.propose(trader.terms(Side.BUY, trader.quantity()))
        status = await trader.reaches(terms, "refused", "cancelled", "filled", "open")
        verdict.promise(status in ("refused", "cancelled"), f"{way}: a new order is {status} while halted")
        await kill_switch.release(trader)
        await until_active(trader)
        say("released by two people; orders pass again")
    return await _closed(trader, verdict)


DRILLS = {
    "restart": Drill("the broker gateway is killed with an order on its way", restart),
    "disconnect": Drill("the venue's messages stop, then its connection is cut", disconnect),
    "lost-answer": Drill("the venue's answers to orders are lost, before and after it took them", lost_answer),
    "partial-fill": Drill("an order is filled in part, and its rest cancelled", partial_fill),
    "stale-feed": Drill("the venue's prices stand still", stale_feed),
    "kill-switch": Drill("everything is halted while orders stream, by file and by command", the_kill_switch),
}


async def _closed(trader: Trader, verdict: Verdict) -> Verdict:
    await trader.settles()
    verdict.books(await compared(trader))
    verdict.figures["orders"] = len(trader.proposed)
    return verdict


async def _filled(trader: Trader, order_id: str) -> Decimal:
    rows = await trader.rows(
        "SELECT document::json ->> 'filled_quantity' AS filled FROM orders WHERE order_id = $1", order_id
    )
    return Decimal(rows[0]["filled"])


async def _ended(trader: Trader, terms: object) -> str:
    return await trader.reaches(terms, "filled", "cancelled", "rejected", "refused", "lost")  # type: ignore[arg-type]


def _client_id(order_id: str) -> str:
    return client_order_id(order_id)
