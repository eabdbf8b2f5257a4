"""One seed's world: the gateway's own desk between a virtual bus, a virtual store and a virtual venue.

Invariant: the log tells all that reached the store, the wire or the venue, in order; the same seed writes the same log.
"""

import asyncio
import hashlib
import random
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from algotrendy_broker_gateway import service
from algotrendy_common.errors import Retryable
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.risk import HaltChanged, RiskStateChanged, TradingState

from tests.faults.order_sim.account import ACCOUNT, settings
from tests.faults.order_sim.durable_bus import DurableBus
from tests.faults.order_sim.feed import Feed
from tests.faults.order_sim.gateway_service import VirtualApp
from tests.faults.order_sim.load import Load
from tests.faults.order_sim.mishaps import Mishaps
from tests.faults.order_sim.plan import Plan, planned
from tests.faults.order_sim.process import Crashes, Process
from tests.faults.order_sim.user_stream import UserStream
from tests.faults.order_sim.virtual_exchange import Exchange
from tests.faults.order_sim.virtual_loop import VirtualClock, VirtualLoop
from tests.faults.order_sim.virtual_postgres import VirtualPostgres
from tests.faults.order_sim.virtual_wire import Network, VirtualVenue
from tests.faults.order_sim.witness import Witness

_GUARDED_WITHIN_S = 5.0
"""After the last word on an order: the watchdog looks at everything every two seconds, and the venue has to answer."""
_QUIET_LIMIT_S = 600.0
_MOST_LIVES = 40


@dataclass
class Life:
    """One life of the gateway, as it is seen from outside."""

    process: Process
    app: VirtualApp
    venue: VirtualVenue
    reading: bool = False
    compared: bool = False
    """A comparison of this life ended well."""


class World:
    def __init__(self, seed: int, loop: VirtualLoop) -> None:
        self.seed = seed
        self.loop = loop
        self.plan: Plan = planned(seed)
        self.clock = VirtualClock(loop)
        self.log: list[str] = []
        self._chance = random.Random(f"{seed} world")
        self.bus = DurableBus(self, self._chance)
        self.witness = Witness(self)
        self._mishaps = Mishaps(self, self._chance)
        self.postgres = VirtualPostgres(loop, random.Random(f"{seed} store"), self.plan.lost_commits)
        self.postgres.on_commit = self.witness.committed
        self.exchange = Exchange(random.Random(f"{seed} venue"), self.clock, loop.time, self.plan.spare)
        self.network = Network(
            loop, random.Random(f"{seed} wire"), self.exchange, self.plan.holds, self.plan.share, self.plan.questions
        )
        self.network.on_send = self.witness.sent
        self.stream = UserStream(self.network, self.plan.disorder)
        self.crashes = Crashes(list(self.plan.crashes))
        self.load = Load(self)
        self.feed = Feed(self, self._chance)
        self.settled = True
        self.swept_at: datetime | None = None
        """When the market began to go past every price."""
        self.halted = False
        self.switch: HaltChanged | None = None
        self.risk_events = EventFactory("risk", self.clock)
        self.life: Life | None = None
        self._lives = 0
        loop.set_exception_handler(self.witness.unheard)

    def say(self, what: str) -> None:
        self.log.append(f"{self.loop.now_s:.6f} {what}")

    def log_of(self, words: str) -> list[str]:
        return [line for line in self.log if words in line]

    def hash(self) -> str:
        return hashlib.sha256("\n".join(self.log).encode()).hexdigest()

    # ── the whole of it ─────────────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        self.exchange.crowd.tick()
        supervisor = asyncio.create_task(self._supervise())
        market = asyncio.create_task(self.feed.forever())
        mishaps = [asyncio.create_task(self._mishaps.befall(*mishap)) for mishap in self.plan.mishaps]
        tickets = [asyncio.create_task(self.load.put(ticket)) for ticket in self.plan.tickets]
        await self._unless_ended(supervisor, asyncio.gather(*mishaps, *tickets))
        self.network.calm = True
        self.postgres.lost_commits = 0.0
        self.crashes.planned.clear()
        self.feed.still = True
        self.say("calm")
        await self._unless_ended(supervisor, self._settle())
        if self.plan.sweep:
            self.say("sweep")
            self.swept_at = self.clock.now()
            await self._unless_ended(supervisor, self.feed.sweep())
            await self._unless_ended(supervisor, self._settle())
        market.cancel()
        supervisor.cancel()
        if self.life is not None:
            self.life.process.die("the end")
        await asyncio.sleep(0)

    async def _unless_ended(self, supervisor: asyncio.Task[None], work: Awaitable[Any]) -> None:
        """Raises what ended the supervisor."""
        doing = asyncio.ensure_future(work)
        await asyncio.wait((supervisor, doing), return_when=asyncio.FIRST_COMPLETED)
        if supervisor.done():
            supervisor.result()
        await doing

    async def _settle(self) -> None:
        """Until nothing is open between us and the venue, nothing is bare that should not be, and a comparison after
        that ended well."""
        deadline_s = self.loop.now_s + _QUIET_LIMIT_S
        waiting = {"submitting", "outcome_unknown", "approved"}
        settled_s = self.loop.now_s
        while self.loop.now_s < deadline_s:
            await asyncio.sleep(2.0)
            unanswered = any(status in waiting for status in self.witness.statuses.values())
            if unanswered or self.witness.bare or self.bus.undelivered or sum(self.network.underway.values()):
                settled_s = self.loop.now_s
            elif (
                self.witness.reconciled_at_s > max(settled_s, self.stream.last_told_s) + 1.0
                and self.loop.now_s > settled_s + _GUARDED_WITHIN_S
            ):
                return
            elif self.loop.now_s > max(settled_s, self.stream.last_told_s) + 2.0:
                self.stream.cut()  # they compare when it is back, and not only when their timer says
        self.settled = False
        self.say("not settled")

    # ── the gateway ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _supervise(self) -> None:
        while True:
            self._lives += 1
            process = Process(self.loop, self._lives, self.crashes)
            process.spawn(self._live(process))
            cause = await asyncio.shield(process.died)
            self.life = None
            self.witness.observed.ends.append(cause)
            if len(self.witness.observed.ends) > _MOST_LIVES:
                raise AssertionError(f"the gateway does not stay alive: {cause}")
            self.say(f"gateway {process.number} died: {cause}")
            await asyncio.sleep(self._chance.uniform(0.2, 1.5))

    async def _live(self, process: Process) -> None:
        """The service as its own wiring makes it, started in the order in which ``App.running`` does that."""
        try:
            venue = process.venue = VirtualVenue(process, self.network, self.stream)
            app = process.app = VirtualApp(self, process)
            service.build_app(settings(self.plan.required))
            life = self.life = Life(process, app, venue)
            for work in app.before:
                await work()
            life.reading = True
            process.spawn(self._tell_risk(life))
            async with asyncio.TaskGroup() as loops:
                for work in app.loops:
                    loops.create_task(work())
        except Exception as error:  # as a service: whatever broke ends the process, and its supervisor starts it anew
            process.die(f"broke: {_cause(error)!r}")

    async def _tell_risk(self, life: Life) -> None:
        await asyncio.sleep(self._chance.uniform(0.05, 1.0))
        await self.risk_said(life)

    async def risk_said(self, life: Life) -> None:
        try:
            await life.app.hear(self.risk_state())
        except (OSError, Retryable) as error:
            self.say(f"risk's word not taken: {error!r}")
            await asyncio.sleep(1.0)
            await life.app.hear(self.risk_state())

    def risk_state(self) -> RiskStateChanged:
        return self.risk_events.make(
            RiskStateChanged,
            account=ACCOUNT,
            revision=1,
            trading_state=TradingState.HALTED if self.halted else TradingState.ACTIVE,
            halted_by="ada" if self.halted else None,
            halted_reason="drill" if self.halted else None,
            halted_since=None,
            quote_currency="USDT",
            equity=None,
            cash=None,
            day_pnl=None,
            day_realised=Decimal(0),
            day_unrealised=None,
            day_fees=Decimal(0),
            exposure_gross=None,
            exposure_reserved=Decimal(0),
            drawdown_ratio=None,
            limits=(),
        )

    def halts(self) -> tuple[HaltChanged, ...]:
        """In force now."""
        return (self.switch,) if self.switch is not None and self.switch.engaged else ()


def _cause(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
