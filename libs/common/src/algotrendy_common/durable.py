"""Durable readings: each message in order, acknowledged after its handler, with its commit, has returned.

Invariant: a message ends in one of three ways: its handler returned, it was stored as a dead letter, or it is still the
server's. While a store is away it waits here in its place, told to the server as being worked on, and is tried again:
an outage is nobody's fault and must not kill a message.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from opentelemetry.trace import SpanKind

from algotrendy_common import subjects
from algotrendy_common.clock import monotonic_s
from algotrendy_common.database import UNREACHABLE
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.events.event import Event
from algotrendy_common.permissions import deliver_subject
from algotrendy_common.subjects import Delivery, Subject
from algotrendy_common.telemetry import EVENTS_HANDLED, HANDLING_SECONDS, log
from algotrendy_common.tracing import span

RETRY_DELAYS_S = (0.1, 0.5, 2.0, 5.0, 10.0)
"""Back-off between deliveries of a message whose handler failed; after the last it is dead-lettered."""
OUTAGE_DELAYS_S = (0.05, 0.1, 0.25, 0.5, 1.0)
"""Back-off while something outside is away; the last goes on for ever."""
OUTAGE_LIMIT_S = 900.0
"""An outage of one message alone is none: after this it goes the way of a handler that fails."""
AWAY = (*UNREACHABLE, Retryable, TimeoutError)
_WORKING_S = 2.0
"""A third of the server's patience: for every message held here it is told that work goes on."""
_CLOSING_S = 5.0

type GiveUp = Callable[["Reading", Msg, Exception], Awaitable[None]]


@dataclass(slots=True)
class Reading:
    """A row of the catalogue as this service reads it."""

    row: Subject
    delivery: Delivery
    filter: str
    handlers: dict[type[Event], Any] = field(default_factory=dict)


class DurableReader:
    """One durable consumer of one service; ``give_up`` stores a dead letter and ends the message."""

    def __init__(self, reading: Reading, service: str, give_up: GiveUp, *, alone: bool = False) -> None:
        """``alone``: this process takes every message, also while another of the service hangs on to its connection:
        the server deals a group's messages out in turn, and those dealt to a process that stands still come late."""
        self._alone = alone
        self._reading = reading
        self._service = service
        self._give_up = give_up
        self._pattern = reading.row.pattern
        self._held: dict[str, Msg] = {}
        """By the subject of its acknowledgement, which names one delivery."""
        self._queue: asyncio.Queue[Msg] = asyncio.Queue()
        self._subscriptions: list[Subscription] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self._log = log("bus")

    async def start(self, client: Client) -> None:
        """Take what the server pushes."""
        row = self._reading.row
        subject, group = deliver_subject(row, self._service), row.consumer(self._service)
        if self._alone:
            # Outside the group every message comes; the group is joined all the same, for the server pushes to groups.
            self._subscriptions.append(await client.subscribe(subject, cb=self._take))
        take = _left_alone if self._alone else self._take
        self._subscriptions.append(await client.subscribe(subject, queue=group, cb=take))
        self._tasks = [asyncio.create_task(self._work()), asyncio.create_task(self._keep())]

    async def stop(self) -> None:
        """Take nothing new and finish what is being handled; what waits behind it stays the server's."""
        self._stopping = True
        for subscription in self._subscriptions:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), _CLOSING_S)
        for message in self._waiting():
            with contextlib.suppress(nats.errors.Error):
                await message.nak()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _waiting(self) -> list[Msg]:
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]

    async def _take(self, message: Msg) -> None:
        self._held[message.reply] = message
        self._queue.put_nowait(message)

    async def _work(self) -> None:
        while True:
            message = await self._queue.get()
            if self._stopping:
                self._queue.put_nowait(message)
                return
            self._idle.clear()
            try:
                await self._handle(message)
            except nats.errors.Error as error:
                # The answer to the server was lost: it delivers again, and the inbox sees that nothing happens twice.
                self._log.warning("message not ended", subject=message.subject, error=repr(error))
            finally:
                self._held.pop(message.reply, None)
                self._idle.set()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_WORKING_S)
            for message in tuple(self._held.values()):
                with contextlib.suppress(nats.errors.Error):
                    await message.in_progress()

    async def _handle(self, message: Msg) -> None:
        deliveries = message.metadata.num_delivered
        if deliveries > len(RETRY_DELAYS_S) + 1:
            await self._give_up(
                self._reading, message, RuntimeError("delivered too often, its handler never came back")
            )
            return
        started = monotonic_s()
        try:
            event = subjects.parse(self._reading.row, message.data)
            handler = self._reading.handlers.get(type(event))
            if handler is not None:
                with span(f"handle {self._pattern}", parent=event.traceparent, kind=SpanKind.CONSUMER):
                    await self._through(handler, event)
        except (ValueError, Refused) as error:
            await self._give_up(self._reading, message, error)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # whatever a handler raises is retried, counted, then dead-lettered
            EVENTS_HANDLED.labels(self._pattern, "retried").inc()
            self._log.error("handler failed", subject=message.subject, deliveries=deliveries, exc_info=True)
            if deliveries > len(RETRY_DELAYS_S):
                await self._give_up(self._reading, message, error)
            else:
                await message.nak(delay=RETRY_DELAYS_S[deliveries - 1])
        else:
            await message.ack()
            EVENTS_HANDLED.labels(self._pattern, "done").inc()
            HANDLING_SECONDS.labels(self._pattern).observe(monotonic_s() - started)

    async def _through(self, handler: Callable[[Event], Awaitable[None]], event: Event) -> None:
        """Run the handler, over whatever outage; stopping ends the waiting with the outage's own error."""
        attempt, since = 0, monotonic_s()
        while True:
            try:
                await handler(event)
            except AWAY as error:
                if self._stopping or monotonic_s() - since > OUTAGE_LIMIT_S:
                    raise
                delay_s = OUTAGE_DELAYS_S[min(attempt, len(OUTAGE_DELAYS_S) - 1)]
                if attempt in (0, len(OUTAGE_DELAYS_S)):
                    self._log.warning("waiting for what is away", subject=self._pattern, error=repr(error))
                EVENTS_HANDLED.labels(self._pattern, "waited").inc()
                attempt += 1
                await asyncio.sleep(delay_s)
            else:
                return


async def _left_alone(message: Msg) -> None:
    """The group's copy of what comes outside it too."""
