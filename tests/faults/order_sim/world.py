"""One seed's world: the gateway's own desk between a virtual bus, a virtual store and a virtual venue.

Invariant: the log tells all that reached the store, the wire or the venue, in order; the same seed writes the same log.
"""

import asyncio
import hashlib
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from algotrendy_broker_gateway import service
from algotrendy_broker_gateway.domain.admission import Gate
from algotrendy_broker_gateway.settings import AccountSettings, BrokerGatewaySettings
from algotrendy_common import ids
from algotrendy_common.approval import Signer
from algotrendy_common.enums import HaltLevel, OrderSource, OrderType, Side
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.events.event import Event, EventFactory
from algotrendy_common.events.order import OrderApproved, OrderCancelRequested, OrderOrigin, OrderTerms
from algotrendy_common.events.risk import HaltChanged, RiskStateChanged, TradingState
from algotrendy_common.settings import PlatformSettings
from pydantic import SecretStr

from tests.faults.order_sim.gateway_service import VirtualApp
from tests.faults.order_sim.plan import Plan, Ticket, planned
from tests.faults.order_sim.process import Crashes, Process, ProcessDied
from tests.faults.order_sim.virtual_exchange import NAME, SYMBOLS, Exchange, by_hand
from tests.faults.order_sim.virtual_loop import VirtualClock, VirtualLoop
from tests.faults.order_sim.virtual_postgres import VirtualPostgres
from tests.faults.order_sim.virtual_wire import ANSWER_TIMEOUT_S, Network, UserStream, VirtualVenue

ACCOUNT = "simulated-1"
_SIGNER = Signer("22" * 32)
_REDELIVERY_S = (0.1, 0.5, 2.0, 5.0)
_QUIET_LIMIT_S = 600.0
_MOST_LIVES = 40


@dataclass
class Message:
    """On a durable stream until its reader acknowledges it."""

    event: Event
    acknowledged: bool = False
    refused: str | None = None


@dataclass
class Life:
    """One life of the gateway, as it is seen from outside."""

    process: Process
    app: VirtualApp
    venue: VirtualVenue
    reading: bool = False
    compared: bool = False
    """A comparison of this life ended well."""


@dataclass
class Observed:
    """What is counted while it happens."""

    sent: dict[str, list[str]] = field(default_factory=dict)
    """Client ids under which each order was sent."""
    sent_unreconciled: int = 0
    sent_while_closed: int = 0
    released_early: list[str] = field(default_factory=list)
    became_unknown: dict[str, float] = field(default_factory=dict)
    alerts: list[str] = field(default_factory=list)
    unheard: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    """Why each life ended; a crash of ours, or what broke."""


class World:
    def __init__(self, seed: int, loop: VirtualLoop) -> None:
        self.seed = seed
        self.loop = loop
        self.plan: Plan = planned(seed)
        self.clock = VirtualClock(loop)
        self.log: list[str] = []
        self.observed = Observed()
        self._chance = random.Random(f"{seed} world")
        self.postgres = VirtualPostgres(loop, random.Random(f"{seed} store"), self.plan.lost_commits)
        self.postgres.on_commit = self._read_outbox
        self.exchange = Exchange(random.Random(f"{seed} venue"), self.clock.now, loop.time)
        self.network = Network(loop, random.Random(f"{seed} wire"), self.exchange, self.plan.share)
        self.network.on_send = self._sent
        self.stream = UserStream(self.network, self.plan.disorder)
        self.crashes = Crashes(list(self.plan.crashes))
        self.messages: list[Message] = []
        self.approved: dict[str, OrderTerms] = {}
        self.halted = False
        self._switch: HaltChanged | None = None
        self.statuses: dict[str, str] = {}
        self.reconciled_at_s = -1.0
        self._events = EventFactory("risk", self.clock)
        self._steering = EventFactory("gateway", self.clock)
        self._outbox_read = 0
        self._life: Life | None = None
        self._lives = 0
        loop.set_exception_handler(self._unheard)

    def say(self, what: str) -> None:
        self.log.append(f"{self.loop.now_s:.6f} {what}")

    def hash(self) -> str:
        return hashlib.sha256("\n".join(self.log).encode()).hexdigest()

    # ── the whole of it ─────────────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        self.exchange.tick()
        supervisor = asyncio.create_task(self._supervise())
        market = asyncio.create_task(self._market())
        mishaps = [asyncio.create_task(self._mishap(*mishap)) for mishap in self.plan.mishaps]
        tickets = [asyncio.create_task(self._ticket(ticket)) for ticket in self.plan.tickets]
        await self._unless_ended(supervisor, asyncio.gather(*mishaps, *tickets))
        self.network.calm = True
        self.postgres.lost_commits = 0.0
        self.crashes.planned.clear()
        market.cancel()
        self.say("calm")
        await self._unless_ended(supervisor, self._settle())
        supervisor.cancel()
        if self._life is not None:
            self._life.process.die("the end")
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
            unanswered = any(status in waiting for status in self.statuses.values())
            undelivered = not all(message.acknowledged or message.refused for message in self.messages)
            if unanswered or undelivered or sum(self.network.underway.values()):
                settled_s = self.loop.now_s
            elif self.reconciled_at_s > max(settled_s, self.stream.last_told_s) + 1.0:
                return
        self.say("not settled")

    # ── the gateway ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _supervise(self) -> None:
        while True:
            self._lives += 1
            process = Process(self.loop, self._lives, self.crashes)
            process.spawn(self._live(process))
            cause = await asyncio.shield(process.died)
            self._life = None
            self.observed.ends.append(cause)
            if len(self.observed.ends) > _MOST_LIVES:
                raise AssertionError(f"the gateway does not stay alive: {cause}")
            self.say(f"gateway {process.number} died: {cause}")
            await asyncio.sleep(self._chance.uniform(0.2, 1.5))

    async def _live(self, process: Process) -> None:
        """The service as its own wiring makes it, started in the order in which ``App.running`` does that."""
        try:
            venue = process.venue = VirtualVenue(process, self.network, self.stream)
            app = process.app = VirtualApp(self, process)
            service.build_app(_settings())
            life = self._life = Life(process, app, venue)
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
        await self._risk_said(life)

    async def _risk_said(self, life: Life) -> None:
        try:
            await life.app.hear(self.risk_state())
        except (OSError, Retryable) as error:
            self.say(f"risk's word not taken: {error!r}")
            await asyncio.sleep(1.0)
            await life.app.hear(self.risk_state())

    def risk_state(self) -> RiskStateChanged:
        return self._events.make(
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

    # ── the bus ─────────────────────────────────────────────────────────────────────────────────────────────────

    def publish(self, event: Event) -> None:
        message = Message(event)
        self.messages.append(message)
        asyncio.create_task(self._deliver(message))  # noqa: RUF006 - the loop ends with the world

    async def _deliver(self, message: Message, again: bool = False) -> None:
        """At least once: until a reader has acknowledged it, however many readers die."""
        attempt = 0
        while again or not (message.acknowledged or message.refused):
            await asyncio.sleep(self._chance.uniform(0.0005, 0.005))
            life = self._life
            if life is None or not life.reading:
                await asyncio.sleep(0.25)
                continue
            done = life.process.spawn(self._handle(life, message))
            await asyncio.wait((done, life.process.died), return_when=asyncio.FIRST_COMPLETED)
            if again:
                return
            if life.process.dead:
                # Not acknowledged: the server waits for the reader before it delivers again.
                await asyncio.sleep(self._chance.choice((0.5, 2.0, 12.0)))
            elif not (message.acknowledged or message.refused):
                await asyncio.sleep(_REDELIVERY_S[min(attempt, len(_REDELIVERY_S) - 1)])
                attempt += 1

    async def _handle(self, life: Life, message: Message) -> None:
        try:
            name = "approval" if isinstance(message.event, OrderApproved) else "cancellation"
            life.process.step(f"{name}: delivered")
            await life.app.hear(message.event)
            life.process.step(f"{name}: about to be acknowledged")
        except Refused as refused:
            message.refused = str(refused)
            self.say(f"refused: {refused}")
        except Exception as error:  # as the bus: whatever a handler raises is delivered again
            self.say(f"delivered again after {error!r}")
        else:
            message.acknowledged = True

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
        self.publish(
            self._events.make(
                OrderApproved,
                approval_id=approval_id,
                terms=terms,
                origin=OrderOrigin(source=OrderSource.STRATEGY, strategy="s1"),
                notional=notional,
                expires_at=expires_at,
                signature=_SIGNER.sign(approval_id, terms, notional, expires_at),
            )
        )

    def _cancel(self, terms: OrderTerms) -> None:
        self.say(f"cancellation wanted {terms.order_id[:8]}")
        self.publish(
            self._steering.make(
                OrderCancelRequested, order_id=terms.order_id, account=ACCOUNT, requested_by="tom", reason="drill"
            )
        )

    async def _market(self) -> None:
        while True:
            await asyncio.sleep(self._chance.uniform(0.8, 2.0))
            self.exchange.tick()

    # ── mishaps ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _mishap(self, at_s: float, what: str, for_s: float) -> None:
        await asyncio.sleep(at_s)
        self.say(f"mishap {what} {for_s:.3f}")
        mishap: Callable[[float], Any] = getattr(self, f"_{what}")
        done = mishap(for_s)
        if done is not None:
            await done

    def _postgres_away(self, for_s: float) -> None:
        self.postgres.away_until_s = self.loop.now_s + for_s

    def _venue_down(self, for_s: float) -> None:
        self.network.down_until_s = self.loop.now_s + for_s
        self.stream.cut()

    def _stream_cut(self, for_s: float) -> None:
        self.stream.cut()

    def _stream_silent(self, for_s: float) -> None:
        self.stream.silent_until_s = self.loop.now_s + for_s

    def _venue_cancels(self, for_s: float) -> None:
        self.exchange.cancel_by_itself()

    def _outside_order(self, for_s: float) -> None:
        symbol, side = self._chance.choice(SYMBOLS), self._chance.choice(list(Side))
        price = self.exchange.price(symbol) * Decimal(self._chance.choice(("0.95", "1", "1.05")))
        order_id = ids.derived_id("by hand", self.seed, len(self.exchange.held))
        terms = by_hand(order_id, symbol, side, Decimal("0.05"), price.quantize(Decimal("0.01")))
        self.exchange.submit(f"web-{order_id[:8]}", terms)

    async def _halt(self, for_s: float) -> None:
        """Risk's own halt, or the kill switch."""
        switch = self._chance.random() < 0.5
        for engaged in (True, False):
            if switch:
                self._switch = self._events.make(
                    HaltChanged,
                    level=HaltLevel.ACCOUNT,
                    key=ACCOUNT,
                    revision=1 if engaged else 2,
                    engaged=engaged,
                    by="ada",
                    reason="drill",
                    flatten=False,
                    since=self.clock.now(),
                )
            else:
                self.halted = engaged
            life = self._life
            if life is not None and life.reading:
                life.process.spawn(life.app.hear(self._switch) if switch else self._risk_said(life))
            await asyncio.sleep(for_s)

    def halts(self) -> tuple[HaltChanged, ...]:
        """In force now."""
        return (self._switch,) if self._switch is not None and self._switch.engaged else ()

    def _bus_repeats(self, for_s: float) -> None:
        """A message comes again although it was acknowledged."""
        if self.messages:
            asyncio.create_task(self._deliver(self._chance.choice(self.messages), again=True))  # noqa: RUF006

    def _unheard(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error that nobody awaited: of a dead process it is its death, of a living one a fault of ours."""
        error = context.get("exception")
        if not isinstance(error, ProcessDied):
            self.observed.unheard.append(f"{context.get('message')}: {error!r}")

    # ── what is seen ────────────────────────────────────────────────────────────────────────────────────────────

    def _sent(self, process: Process, client_id: str, terms: OrderTerms) -> None:
        self.say(f"send {client_id[:8]} for {terms.order_id[:8]}")
        self.observed.sent.setdefault(terms.order_id, []).append(client_id)
        life = self._life
        compared = {"open orders", "fills", "balances"}
        self._look_at_gate()
        if life is None or not life.compared or not compared <= life.venue.answered:
            self.observed.sent_unreconciled += 1
        if life is not None and life.app.gate is not None and life.app.gate.state is not Gate.OPEN:
            self.observed.sent_while_closed += 1

    def _look_at_gate(self) -> None:
        gate = self._life.app.gate if self._life is not None else None
        if self._life is not None and gate is not None and gate.reconciled:
            self._life.compared = True

    def _read_outbox(self) -> None:
        self._look_at_gate()
        rows = self.postgres.rows(
            "SELECT position, subject, body FROM outbox WHERE position > $1 ORDER BY position", self._outbox_read
        )
        for row in rows:
            self._outbox_read = row["position"]
            body = json.loads(row["body"])
            self.say(f"told {row['subject']} {body.get('status') or body.get('quantity') or body.get('ok')}")
            if body["kind"] == "OrderUpdated":
                self._order_told(body)
            elif body["kind"] == "AccountReconciled" and body["ok"]:
                self.reconciled_at_s = self.loop.now_s

    def _order_told(self, body: dict[str, Any]) -> None:
        order_id, status = body["terms"]["order_id"], body["status"]
        self.statuses[order_id] = status
        if status == "outcome_unknown":
            self.observed.became_unknown.setdefault(order_id, self.loop.now_s)
        if status in ("cancelled", "rejected", "filled") and order_id in self.approved:
            # From now on risk reserves nothing for it: the venue must not be able to trade it any more.
            client_id = body["client_order_id"]
            working = [
                held
                for held in self.exchange.held.values()
                if held.client_id == client_id and held.standing.value == "working"
            ]
            if working or self.network.underway[client_id] > 0:
                self.observed.released_early.append(order_id)
                self.say(f"released early {order_id[:8]} {status}")


def _settings() -> BrokerGatewaySettings:
    account = AccountSettings.model_construct(
        account=ACCOUNT,
        venue=NAME,  # type: ignore[arg-type]
        symbols=SYMBOLS,
        api_key=SecretStr("simulated"),
        api_secret=SecretStr("simulated"),
    )
    return BrokerGatewaySettings.model_construct(
        platform=PlatformSettings(),
        accounts=(account,),
        approval_public_key=_SIGNER.public_key,
        # The production durations in their proportion, shortened: a seed is over sooner.
        answer_timeout=timedelta(seconds=ANSWER_TIMEOUT_S),
        settle_time=timedelta(seconds=2),
        not_found_span=timedelta(seconds=12),
        resolve_first_delay=timedelta(seconds=0.1),
        resolve_longest_delay=timedelta(seconds=2),
        reconcile_interval=timedelta(seconds=12),
        reconcile_retry=timedelta(seconds=0.8),
        lease_time=timedelta(seconds=2.4),
        # Prices move by jumps here: what a market order costs is not what is looked at.
        slippage_tolerance=Decimal(1),
    )


def _cause(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
