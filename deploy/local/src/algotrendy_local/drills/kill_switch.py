"""The kill switch while orders stream: when the last order left, and when nothing worked at the venue any more.

Invariant: both are read at the venue, which knows nothing of a halt.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from algotrendy_common.clock import monotonic_s, wall_ns
from algotrendy_common.enums import Side
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.rpc import risk

from algotrendy_local.drills.trader import ACCOUNT, BUS_AWAY, NotInTime, Trader
from algotrendy_local.errors import StackError
from algotrendy_local.operations import halting

WAYS = ("file", "command")
_WORKING = ("NEW", "PARTIALLY_FILLED")
_LOOK_S = 0.005
_WATCHED_S = 1.5
"""How long after the halt an order that still leaves is looked for."""


@dataclass(frozen=True, slots=True)
class Halted:
    last_order_ms: float
    """From engaging to the arrival of the last order at the venue; 0 where none came any more."""
    cancelled_s: float
    """From engaging to the moment when nothing worked at the venue any more."""
    orders_after: int
    """Orders that arrived after it had been engaged."""
    working_before: int
    streamed: int
    """Orders that had arrived before it was engaged."""


async def engage(trader: Trader, way: str) -> None:
    """As an operator does it: by the file that the services watch, or by ``algotrendy halt`` (which writes it too)."""
    place = trader.ground.place
    if way == "file":
        halting.engage_by_file(place.home, "drill")
    else:
        await halting.halt(place, risk.HaltAsked(account=None, by="drill", reason="drill"))


async def release(trader: Trader, within_s: float = 60.0) -> None:
    """By two people, and the file taken away; waits for risk where it has just lost a server."""
    trader.ground.place.home.kill_file.unlink(missing_ok=True)
    deadline_s = monotonic_s() + within_s
    for person in ("ada", "tom"):
        while True:
            try:
                await trader.ask(risk.RESUME, risk.ResumeAsked(account=None, by=person, reason="drill"))
            except ValueError:
                break  # nothing was engaged but the file
            except BUS_AWAY:
                if monotonic_s() > deadline_s:
                    raise
                await asyncio.sleep(0.2)
            else:
                break


async def measured(
    trader: Trader,
    way: str,
    *,
    resting: int = 8,
    every_s: float = 0.1,
    before: Callable[[], Awaitable[None]] | None = None,
) -> Halted:
    """Engage in the middle of a stream of orders; ``before`` is done while they stream (a server stopped, say)."""
    ground = trader.ground
    waiting = [await _rest(trader) for _ in range(resting)]
    for terms in waiting:
        await trader.reaches(terms, "open")
    await ground.admin("GET", "timings?clear=1")
    streaming = asyncio.create_task(_stream(trader, every_s))
    try:
        await asyncio.sleep(1.0)
        if before is not None:
            await before()
        working = await _working(trader)
        began_s, began_ns = monotonic_s(), wall_ns()
        engaging = asyncio.create_task(engage(trader, way))
        while await _working(trader):
            if monotonic_s() - began_s > 30:
                raise NotInTime("orders still work at the venue 30 s after the halt")
            await asyncio.sleep(_LOOK_S)
        cancelled_s = monotonic_s() - began_s
        await asyncio.sleep(max(0.0, _WATCHED_S - cancelled_s))
        with suppress(StackError):  # risk is away; the file was written first
            await engaging
    finally:
        streaming.cancel()
        await asyncio.gather(streaming, return_exceptions=True)
    orders = (await ground.admin("GET", "timings"))["orders"]
    after = [order["received_wall_ns"] - began_ns for order in orders if order["received_wall_ns"] > began_ns]
    return Halted(max(after, default=0) / 1e6, cancelled_s, len(after), working, len(orders) - len(after))


async def _rest(trader: Trader) -> OrderTerms:
    return await trader.propose(trader.terms(Side.BUY, trader.quantity(), await trader.price(Side.BUY, "0.04")))


async def _stream(trader: Trader, every_s: float) -> None:
    while True:
        await trader.propose(trader.terms(Side.BUY, trader.quantity()))
        await asyncio.sleep(every_s)


async def _working(trader: Trader) -> int:
    orders = await trader.ground.admin("GET", f"orders?account={ACCOUNT}")
    return sum(1 for order in orders if order["status"] in _WORKING)
