"""Where each millisecond of an order goes, read from the events themselves by the NATS user that may only watch."""

import asyncio
import itertools
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

import nats
from algotrendy_common import subjects
from algotrendy_common.enums import OrderStatus
from algotrendy_common.events.event import Event
from algotrendy_common.events.order import OrderApproved, OrderFilled, OrderProposed, OrderUpdated
from algotrendy_common.subjects import inbox_prefix
from nats.aio.msg import Msg


@dataclass
class Journey:
    """One order's times, on our clock."""

    client_order_id: str | None = None
    tick: datetime | None = None
    proposed: datetime | None = None
    approved: datetime | None = None
    submitted: datetime | None = None
    filled: datetime | None = None
    trace_ids: set[str] = field(default_factory=set)

    def hops_ms(self) -> dict[str, float] | None:
        """Milliseconds between the steps; None for an order that did not go all the way."""
        if not (self.tick and self.proposed and self.approved and self.submitted and self.filled):
            return None
        steps = [self.tick, self.proposed, self.approved, self.submitted, self.filled]
        names = ("tick_to_proposed", "proposed_to_approved", "approved_to_sent", "sent_to_filled")
        hops = {name: _ms(a, b) for name, (a, b) in zip(names, itertools.pairwise(steps), strict=True)}
        return hops | {"tick_to_sent": _ms(self.tick, self.submitted)}


def _ms(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds() * 1000


class Watcher:
    """Collects every order's journey, and what was seen on each row of the catalogue."""

    def __init__(self) -> None:
        self.journeys: dict[str, Journey] = {}
        self.seen: dict[str, set[str]] = {}
        """Producers seen on each row's pattern."""
        self.unreadable: list[str] = []
        self._client: nats.aio.client.Client | None = None

    async def start(self, url: str, seed_file: str) -> None:
        self._client = await nats.connect(url, nkeys_seed=seed_file, inbox_prefix=inbox_prefix("observer"))
        for row in subjects.CATALOGUE:
            await self._client.subscribe(row.wildcard, cb=self._reader(row))

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.close()

    def _reader(self, row: subjects.Subject):  # type: ignore[no-untyped-def]
        async def read(message: Msg) -> None:
            try:
                event = subjects.parse(row, message.data)
                if subjects.address(event) != message.subject:
                    raise ValueError(f"{event.kind} says {subjects.address(event)}")
            except ValueError as error:
                self.unreadable.append(f"{message.subject}: {error}")
                return
            self.seen.setdefault(row.pattern, set()).add(event.producer)
            self._note(event)

        return read

    def _note(self, event: Event) -> None:
        match event:
            case OrderProposed():
                journey = self._journey(event.terms.order_id, event)
                journey.proposed = event.received_time
                journey.tick = event.origin.tick_received_time
            case OrderApproved():
                self._journey(event.terms.order_id, event).approved = event.received_time
            case OrderUpdated():
                journey = self._journey(event.terms.order_id, event)
                journey.client_order_id = event.client_order_id
                if event.submitted_at and event.status is not OrderStatus.REFUSED:
                    journey.submitted = event.submitted_at
            case OrderFilled():
                journey = self._journey(event.order_id, event)
                journey.filled = journey.filled or event.received_time
            case _:
                pass

    def _journey(self, order_id: str, event: Event) -> Journey:
        journey = self.journeys.setdefault(order_id, Journey())
        if event.traceparent:
            journey.trace_ids.add(event.traceparent.split("-")[1])
        return journey

    def complete(self) -> dict[str, dict[str, float]]:
        """Hops of the orders that went all the way, by order id."""
        found = {order_id: journey.hops_ms() for order_id, journey in self.journeys.items()}
        return {order_id: hops for order_id, hops in found.items() if hops is not None}

    def medians(self) -> dict[str, float]:
        hops = list(self.complete().values())
        return {name: round(median(hop[name] for hop in hops), 3) for name in hops[0]} if hops else {}


async def until(condition, within_s: float, what: str) -> None:  # type: ignore[no-untyped-def]
    """Wait; raises TimeoutError that says what did not come."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"{what} did not happen within {within_s:.0f} s")
        await asyncio.sleep(0.1)
