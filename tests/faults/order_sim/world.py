"""One seed's world: the gateway's own desk between a virtual bus, a virtual store and a virtual venue.

Invariant: the log tells all that reached the store, the wire or the venue, in order; the same seed writes the same log.
"""

import asyncio
import hashlib
import random
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from algotrendy_broker_gateway import service
from algotrendy_common import ids
from algotrendy_common.enums import OrderSource, OrderType
from algotrendy_common.errors import Retryable
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.order import OrderApproved, OrderCancelRequested, OrderOrigin, OrderTerms
from algotrendy_common.events.risk import HaltChanged, RiskStateChanged, TradingState

from tests.faults.order_sim.account import ACCOUNT, SIGNER, settings
from tests.faults.order_sim.durable_bus import DurableBus
from tests.faults.order_sim.gateway_service import VirtualApp
from tests.faults.order_sim.mishaps import Mishaps
from tests.faults.order_sim.plan import Plan, Ticket, planned
from tests.faults.order_sim.process import Crashes, Process
from tests.faults.order_sim.user_stream import UserStream
from tests.faults.order_sim.virtual_exchange import NAME, Exchange
from tests.faults.order_sim.virtual_loop import VirtualClock, VirtualLoop
from tests.faults.order_sim.virtual_postgres import VirtualPostgres
from tests.faults.order_sim.virtual_wire import Network, VirtualVenue
from tests.faults.order_sim.witness import Witness

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
        self.postgres.on_commit = self.witness.read_outbox
        self.exchange = Exchange(random.Random(f"{seed} venue"), self.clock.now, loop.time)
        self.network = Network(loop, random.Random(f"{seed} wire"), self.exchange, self.plan.share)
        self.network.on_send = self.witness.sent
        self.stream = UserStream(self.network, self.plan.disorder)
        self.crashes = Crashes(list(self.plan.crashes))
        self.approved: dict[str, OrderTerms] = {}
        self.halted = False
        self.switch: HaltChanged | None = None
        self.risk_events = EventFactory("risk", self.clock)
        self._steering = EventFactory("gateway", self.clock)
        self.life: Life | None = None
        self._lives = 0
        loop.set_exception_handler(self.witness.unheard)

    def say(self, what: str) -> None:
        self.log.append(f"{self.loop.now_s:.6f} {what}")

    def hash(self) -> str:
        return hashlib.sha256("\n".join(self.log).encode()).hexdigest()

    # ── the whole of it ─────────────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        self.exchange.tick()
        supervisor = asyncio.create_task(self._supervise())
        market = asyncio.create_task(self._market())
        mishaps = [asyncio.create_task(self._mishaps.befall(*mishap)) for mishap in self.plan.mishaps]
        tickets = [asyncio.create_task(self._ticket(ticket)) for ticket in self.plan.tickets]
        await self._unless_ended(supervisor, asyncio.gather(*mishaps, *tickets))
        self.network.calm = True
        self.postgres.lost_commits = 0.0
        self.crashes.planned.clear()
        market.cancel()
        self.say("calm")
        await self._unless_ended(supervisor, self._settle())
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
        """Until nothing is open between us and the venue, and a comparison after that ended well."""
        deadline_s = self.loop.now_s + _QUIET_LIMIT_S
        waiting = {"submitting", "outcome_unknown", "approved"}
        settled_s = self.loop.now_s
        while self.loop.now_s < deadline_s:
            await asyncio.sleep(2.0)
            unanswered = any(status in waiting for status in self.witness.statuses.values())
            if unanswered or self.bus.undelivered or sum(self.network.underway.values()):
                settled_s = self.loop.now_s
            elif self.witness.reconciled_at_s > max(settled_s, self.stream.last_told_s) + 1.0:
                return
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
            service.build_app(settings())
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

    # ── load ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _ticket(self, ticket: Ticket) -> None:
        await asyncio.sleep(ticket.at_s)
        limit_price = None
        if ticket.type is OrderType.LIMIT:
            price = self.exchange.price(ticket.symbol)
            limit_price = (price * (1 + ticket.side.sign * ticket.away)).quantize(Decimal("0.01"))
        terms = OrderTerms(
            order_id=ids.new_id(),
            account=ACCOUNT,
            venue=NAME,
            symbol=ticket.symbol,
            side=ticket.side,
            type=ticket.type,
            quantity=ticket.quantity,
            limit_price=limit_price,
            time_in_force=ticket.time_in_force,
        )
        if ticket.cancel_after_s is not None and ticket.cancel_after_s < 0:
            self._cancel(terms)
            await asyncio.sleep(-ticket.cancel_after_s)
        self._approve(terms, ticket.lifetime_s)
        if ticket.cancel_after_s is not None and ticket.cancel_after_s > 0:
            await asyncio.sleep(ticket.cancel_after_s)
            self._cancel(terms)

    def _approve(self, terms: OrderTerms, lifetime_s: float) -> None:
        self.approved[terms.order_id] = terms
        notional = terms.quantity * (terms.limit_price or self.exchange.price(terms.symbol) * 2)
        approval_id = ids.derived_id("approval", terms.order_id)
        expires_at = self.clock.now() + timedelta(seconds=lifetime_s)
        self.say(f"approved {terms.order_id[:8]} {terms.side} {terms.quantity} {terms.symbol}")
        self.bus.publish(
            self.risk_events.make(
                OrderApproved,
                approval_id=approval_id,
                terms=terms,
                origin=OrderOrigin(source=OrderSource.STRATEGY, strategy="s1"),
                notional=notional,
                expires_at=expires_at,
                signature=SIGNER.sign(approval_id, terms, notional, expires_at),
            )
        )

    def _cancel(self, terms: OrderTerms) -> None:
        self.say(f"cancellation wanted {terms.order_id[:8]}")
        self.bus.publish(
            self._steering.make(
                OrderCancelRequested, order_id=terms.order_id, account=ACCOUNT, requested_by="tom", reason="drill"
            )
        )

    async def _market(self) -> None:
        while True:
            await asyncio.sleep(self._chance.uniform(0.8, 2.0))
            self.exchange.tick()


def _cause(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
