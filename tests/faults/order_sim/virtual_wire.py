"""The network between gateway and venue, and the adapter at its near end: the ``Venue`` port with its faults.

Invariant: a request that left is the network's; the death of who sent it does not take it back.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextvars import Context
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from algotrendy_broker_gateway.domain.venue_report import VenueReport
from algotrendy_broker_gateway.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.ports import (
    Capabilities,
    DuplicateIds,
    FillPage,
    StreamLost,
    StreamMessage,
    StreamOpened,
    VenuePosition,
)
from algotrendy_common.enums import MarginMode, OrderType, TimeInForce
from algotrendy_common.events.account import AssetBalance
from algotrendy_common.events.order import OrderTerms
from algotrendy_core.fills import Fill
from algotrendy_core.instruments import Instrument

from tests.faults.order_sim.process import Process
from tests.faults.order_sim.virtual_exchange import Exchange, ExchangeRefusal
from tests.faults.order_sim.virtual_loop import VirtualLoop
from tests.faults.order_sim.virtual_market import NAME, SYMBOLS, instrument

if TYPE_CHECKING:
    from tests.faults.order_sim.user_stream import UserStream

ANSWER_TIMEOUT_S = 2.0
ORDERS = frozenset({"submit", "exit"})
"""Calls that let an order out: those that were approved, and the gateway's own."""
CHANGES = ORDERS | {"cancel"}


class Fault(StrEnum):
    TIMEOUT_BEFORE = "timeout_before"
    """Lost on the way there: never processed, never answered."""
    TIMEOUT_AFTER = "timeout_after"
    """Processed; the answer is lost."""
    LATE = "late"
    """Processed long after the caller's patience ended."""
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    THROTTLED = "throttled"
    REJECTED = "rejected"


TIMEOUTS = frozenset({Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER, Fault.LATE})
_PROCESSED = frozenset({Fault.TIMEOUT_AFTER, Fault.RESET_AFTER, Fault.ERROR_AFTER, Fault.LATE})
_OF_CHANGES = (
    *(Fault.TIMEOUT_BEFORE,) * 8,
    *(Fault.TIMEOUT_AFTER,) * 5,
    *(Fault.LATE,) * 2,
    *(fault for fault in Fault if fault not in {*TIMEOUTS, Fault.REJECTED, Fault.THROTTLED}),
    Fault.THROTTLED,
    Fault.REJECTED,
)
_OF_QUESTIONS = (Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER, Fault.RESET_BEFORE, Fault.ERROR_BEFORE, Fault.THROTTLED)


class _NoAnswer(Exception):
    """Whatever came, it was no readable yes and no explicit no."""


class _Refused(Exception):
    def __init__(self, code: str) -> None:
        self.code = code


@dataclass
class Network:
    loop: VirtualLoop
    chance: random.Random
    exchange: Exchange
    holds: frozenset[OrderType]
    """Order types that the venue takes."""
    share: float
    """Of calls that change something which meet a fault."""
    questions: float
    """Of questions which do."""
    calm: bool = False
    """No more faults."""
    down_until_s: float = 0.0
    timeouts: Counter[str] = field(default_factory=Counter)
    """Told to the gateway, by the call's name."""
    timed_out: list[str] = field(default_factory=list)
    """Client ids of the orders among them."""
    asked: dict[str, list[float]] = field(default_factory=dict)
    """When each client id was asked for."""
    underway: Counter[str] = field(default_factory=Counter)
    """Order requests that may still arrive at the venue, by client id."""
    on_send: Callable[[Process, str, OrderTerms], str] = lambda process, client_id, terms: "submit"
    """Told of an order that is about to leave; says which of ``ORDERS`` it is."""

    def draw(self, name: str) -> Fault | None:
        if self.calm:
            return None
        if self.loop.now_s < self.down_until_s:
            return Fault.TIMEOUT_BEFORE
        changes = name in CHANGES
        if self.chance.random() >= (self.share if changes else self.questions):
            return None
        return self.chance.choice(_OF_CHANGES if changes else _OF_QUESTIONS)

    def latency(self) -> float:
        return self.chance.uniform(0.002, 0.06)

    async def call[R](self, process: Process, name: str, work: Callable[[], R], client_id: str = "") -> R:
        """Raises _NoAnswer or _Refused; ProcessDied where the caller dies on the way."""
        process.step(f"{name}: about to be sent")
        fault = self.draw(name)
        answer: asyncio.Future[R] = self.loop.create_future()
        there_s = self.latency()
        if fault is Fault.LATE:
            there_s += ANSWER_TIMEOUT_S + self.chance.uniform(0.1, self.chance.choice((1.5, 18.0)))
        if fault in (None, Fault.REJECTED) or fault in _PROCESSED:
            if name in ORDERS:
                self.underway[client_id] += 1
            self._later(there_s, self._arrive, process, name, work, client_id, fault, answer)
        elif fault in (Fault.RESET_BEFORE, Fault.ERROR_BEFORE):
            self._later(there_s, _fail, answer, _NoAnswer(fault))
        elif fault is Fault.THROTTLED:
            self._later(there_s, _fail, answer, _Refused("rate_limited"))
        process.step(f"{name}: sent")
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                found = await answer
        except TimeoutError as error:
            process.check()
            self.timeouts[name] += 1
            if name in ORDERS:
                self.timed_out.append(client_id)
            raise _NoAnswer("timed out") from error
        process.step(f"{name}: answered")
        return found

    def _arrive(
        self,
        process: Process,
        name: str,
        work: Callable[[], Any],
        client_id: str,
        fault: Fault | None,
        answer: asyncio.Future[Any],
    ) -> None:
        if name in ORDERS:
            self.underway[client_id] -= 1
        result: Any = None
        refusal: ExchangeRefusal | None = ExchangeRefusal("order_refused") if fault is Fault.REJECTED else None
        if refusal is None:
            try:
                result = work()
            except ExchangeRefusal as refused:
                refusal = refused
        process.seen(f"{name}: processed")
        back_s = self.latency()
        if fault in (Fault.RESET_AFTER, Fault.ERROR_AFTER):
            self._later(back_s, _fail, answer, _NoAnswer(fault))
        elif refusal is not None and fault in (None, Fault.REJECTED):
            self._later(back_s, _fail, answer, _Refused(refusal.code))
        elif fault is None:
            self._later(back_s, _succeed, answer, result)

    def _later(self, delay_s: float, work: Callable[..., None], *arguments: Any) -> None:
        self.loop.call_later(delay_s, work, *arguments, context=Context())


def _succeed(answer: asyncio.Future[Any], result: Any) -> None:
    if not answer.done():
        answer.set_result(result)


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
        answer.exception()  # who asked may be dead


class VirtualVenue:
    """The account's adapter in one life of the gateway."""

    name = NAME
    _CAPABILITIES = Capabilities(
        resting=frozenset(),
        times_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY}),
        margin_modes=frozenset({MarginMode.NONE}),
        max_leverage=Decimal(1),
        reduce_only=False,
        dead_man_switch=False,
        cancel_all=True,
        find_by_client_id=True,
        duplicate_ids=DuplicateIds.NEVER,
    )

    def __init__(self, process: Process, network: Network, stream: "UserStream") -> None:
        self._process = process
        self._network = network
        self._exchange = network.exchange
        self._stream = stream
        self.capabilities = replace(
            self._CAPABILITIES, resting=network.holds, duplicate_ids=network.exchange.duplicate_ids
        )
        self.answered: set[str] = set()
        """Questions of this life that were answered."""

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _changed[R](self, name: str, work: Callable[[], R], client_id: str = "") -> R:
        try:
            return await self._network.call(self._process, name, work, client_id)
        except _NoAnswer as error:
            raise OutcomeUnknown(f"no answer: {error}") from error
        except _Refused as error:
            raise VenueRefused(error.code, f"the venue said {error.code}") from error

    async def _ask[R](self, name: str, work: Callable[[], R]) -> R:
        try:
            found = await self._network.call(self._process, name, work)
        except (_NoAnswer, _Refused) as error:
            raise VenueUnreachable(f"no answer: {error!r}") from error
        self.answered.add(name)
        return found

    async def connect(self) -> None:
        await self._ask("markets", lambda: None)

    async def close(self) -> None:
        pass

    def assets(self, symbol: str) -> tuple[str, str]:
        found = self.instrument(symbol)
        return found.base, found.quote

    def instrument(self, symbol: str) -> Instrument:
        if symbol not in SYMBOLS:
            raise VenueRefused("symbol_unknown", symbol)
        return instrument(symbol)

    async def submit(self, client_order_id: str, terms: OrderTerms) -> VenueReport:
        name = self._network.on_send(self._process, client_order_id, terms)
        return await self._changed(name, lambda: self._exchange.submit(client_order_id, terms), client_order_id)

    async def cancel(self, symbol: str, client_id: str, venue_order_id: str | None = None) -> VenueReport | None:
        return await self._changed("cancel", lambda: self._exchange.cancel(client_id))

    async def cancel_all(self) -> None:
        def work() -> None:
            for report in self._exchange.open_orders():
                self._exchange.cancel(report.order.client_id)

        await self._changed("cancel", work)

    async def arm_dead_man_switch(self, timeout: timedelta) -> None:
        raise VenueRefused("not_offered", "no dead man's switch here")

    async def set_leverage(self, symbol: str, leverage: Decimal, mode: MarginMode) -> None:
        raise VenueRefused("not_offered", "no leverage here")

    async def order(self, symbol: str, client_id: str) -> VenueReport | None:
        self._network.asked.setdefault(client_id, []).append(self._network.loop.now_s)
        return await self._ask("order", lambda: self._exchange.order(client_id))

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueReport | None:
        return await self._ask("order", lambda: self._exchange.order_by_id(venue_order_id))

    async def open_orders(self) -> tuple[VenueReport, ...]:
        return await self._ask("open orders", self._exchange.open_orders)

    async def fills_of(self, symbol: str, venue_order_id: str) -> tuple[Fill, ...]:
        return await self._ask("fills", lambda: self._exchange.fills_of(venue_order_id))

    async def fills_cursor(self, symbol: str) -> str:
        return await self._ask("fills", lambda: str(self._exchange.fills_cursor(symbol)))

    async def fills_after(self, symbol: str, cursor: str) -> FillPage:
        fills, after = await self._ask("fills", lambda: self._exchange.fills_after(symbol, int(cursor)))
        return FillPage(fills, str(after))

    async def balances(self) -> tuple[AssetBalance, ...]:
        return await self._ask("balances", self._exchange.all_balances)

    async def positions(self) -> tuple[VenuePosition, ...]:
        return ()

    async def ping(self) -> None:
        await self._ask("ping", lambda: None)

    # ── the user stream ─────────────────────────────────────────────────────────────────────────────────────────

    async def stream(self) -> AsyncGenerator[StreamMessage]:
        while True:
            await asyncio.sleep(self._network.latency())
            arriving = self._stream.connect()
            yield StreamOpened()
            while True:
                message = await arriving.get()
                if isinstance(message, StreamLost):
                    break
                self._process.step("stream message: arrived")
                yield message
            yield message
            await asyncio.sleep(self._network.chance.uniform(0.1, 2.0))
