"""The broker gateway as its own ``build_app`` wires it, with a virtual application in the real one's place.

Invariant: no desk is put together here; what the service reads, runs and prepares is what it says itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

from algotrendy_broker_gateway import service
from algotrendy_broker_gateway.adapters import registry
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.desk.desk import Desk
from algotrendy_broker_gateway.desk.gate import TradingGate
from algotrendy_common.database import Database
from algotrendy_common.enums import Severity
from algotrendy_common.errors import Retryable
from algotrendy_common.events.event import Event, EventFactory
from algotrendy_common.rpc import risk

from tests.faults.order_sim.process import CURRENT, Process
from tests.faults.order_sim.virtual_market import NAME
from tests.faults.order_sim.virtual_postgres import Pool
from tests.faults.order_sim.virtual_wire import VirtualVenue

if TYPE_CHECKING:
    from tests.faults.order_sim.world import World

Work = Callable[[], Awaitable[None]]


class VirtualApp:
    """``App`` without sockets: it keeps the service's tables, and the world works through them."""

    def __init__(self, world: "World", process: Process) -> None:
        self._world = world
        self._process = process
        self.clock = world.clock
        self.events = EventFactory("broker_gateway", world.clock)
        self.bus = self
        self.health = SimpleNamespace(add=lambda name, problem: None)
        self.before: list[Work] = []
        self.loops: list[Work] = []
        self._handlers: dict[type[Event], Callable[[Any], Awaitable[None]]] = {}

    @property
    def gate(self) -> TradingGate | None:
        """Of the one account; None before it was opened."""
        desks = (work.__self__ for work in self.loops if isinstance(getattr(work, "__self__", None), Desk))
        return next((desk.gate for desk in desks), None)

    async def hear(self, event: Event) -> None:
        """Hand an event to the service's own handler."""
        await self._handlers[type(event)](event)

    # ── what the service says of itself ─────────────────────────────────────────────────────────────────────────

    def uses_database(self, **pool: Any) -> Database:
        database = Database("virtual", check=lambda event_class: None)
        database._pool = Pool(self._world.postgres, self._process)  # type: ignore[assignment]
        return database

    def reads(self, event_class: type[Event], handler: Callable[[Any], Awaitable[None]], **fields: str) -> None:
        self._handlers[event_class] = handler

    def runs(self, name: str, work: Work) -> None:
        # There is no kill file here, and fifty looks a second for one cost more than all else.
        if name != "kill file":
            self.loops.append(work)

    def before_reading(self, work: Work, phase: str = "") -> None:
        self.before.append(work)

    def on_stop(self, work: Work) -> None:
        """Nothing here stops in good order."""

    def answers(self, call: Any, handler: Any) -> None:
        """Nobody asks."""

    def publishes(self, *event_classes: type[Event]) -> None:
        pass

    async def unless_stopped(self, work: Awaitable[None]) -> None:
        await work

    # ── the bus, beside its durable messages ────────────────────────────────────────────────────────────────────

    async def alert(self, severity: Severity, code: str, message: str, **context: object) -> None:
        self._process.check()
        self._world.witness.observed.alerts.append(code)
        self._world.say(f"alert {code}: {message}")

    async def publish(self, event: Event) -> None:
        self._process.check()

    async def ask(self, call: Any, request: Any, timeout_s: float = 5.0) -> Any:
        self._process.check()
        await asyncio.sleep(self._world.network.latency())
        if self._world.network.chance.random() < 0.3:
            raise Retryable(f"{call.service} did not answer")
        if call is risk.STATE:
            return risk.AccountState(state=self._world.risk_state(), equity_curve=())
        if call is risk.HALTS:
            return risk.Halts(halts=self._world.halts())
        raise Retryable(f"nobody answers {call.subject} here")


@contextmanager
def virtual_service() -> Iterator[None]:
    """For a block: the service takes its application and its venue from the process that it is built in."""
    adapter = {NAME: f"{__name__}:venue_of_process"}
    with mock.patch.object(service, "App", _app), mock.patch.dict(registry.ADAPTERS, adapter):
        yield


def venue_of_process(access: VenueAccess) -> VirtualVenue:
    """The registry's maker of the virtual venue."""
    venue = _current().venue
    assert isinstance(venue, VirtualVenue)
    return venue


def _app(*told: Any) -> Any:
    return _current().app


def _current() -> Process:
    process = CURRENT.get()
    assert process is not None
    return process
