"""The bus: typed events and calls over NATS. FastStream carries requests; events, which must be fast, go raw.

Invariant: a service publishes only what the catalogue says it owns and reads only what the catalogue says it reads;
a durable message is acknowledged only after its handler, with its commit, has returned.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import nats.errors
import nats.js.errors
from faststream import AckPolicy
from faststream.nats import NatsBroker, NatsMessage, NatsResponse
from faststream.nats.security import NatsNKey
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from opentelemetry.trace import SpanKind
from pydantic import ValidationError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from algotrendy_common import subjects
from algotrendy_common.durable import RETRY_DELAYS_S, DurableReader, Reading
from algotrendy_common.enums import Severity
from algotrendy_common.errors import Refused, Retryable
from algotrendy_common.events.event import Event, EventFactory, Record
from algotrendy_common.events.ops import AlertRaised, MessageDeadLettered
from algotrendy_common.rpc.call import Call
from algotrendy_common.rpc.catalogue import CALLS
from algotrendy_common.settings import ServiceSettings
from algotrendy_common.subjects import Delivery, inbox_prefix
from algotrendy_common.telemetry import (
    CALLS_SERVED,
    DEAD_LETTERS,
    EVENTS_HANDLED,
    EVENTS_PUBLISHED,
    SLOW_CONSUMER_DROPS,
    log,
)
from algotrendy_common.tracing import current_traceparent, span

type Handler[E: Event] = Callable[[E], Awaitable[None]]
type BatchHandler[E: Event] = Callable[[list[E]], Awaitable[None]]
type Answer[Req: Record, Res: Record] = Callable[[Req], Awaitable[Res]]

CALL_TIMEOUT_S = 5.0
_BATCH = 2000
_BATCH_PAUSE_S = 0.5
"""A batch that is not full waits for more: each one is a commit of the store that records it."""
_FAULT = "Algotrendy-Fault"
_TRACE = "traceparent"
_HOT_QUEUE = 65_536


class Fault(Record):
    """How a call fails over the wire."""

    code: str
    message: str
    retry: bool


class Bus:
    """One service's connection. Declare readings and answers first, then ``start``."""

    def __init__(self, service: str, settings: ServiceSettings, events: EventFactory) -> None:
        self.service = service
        self.events = events
        self._log = log("bus")
        self._readings: dict[str, Reading] = {}
        self._answers: dict[str, Call[Any, Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._durable: list[DurableReader] = []
        self._stopping = False
        self.reads_alone = False
        """Set before ``start`` by a service of which one process at a time is active: see ``DurableReader``."""
        seed_file = settings.nats_seed_file
        self._broker = NatsBroker(
            settings.platform.nats_url,
            name=f"algotrendy-{service}",
            security=NatsNKey(seed_file) if seed_file else None,
            inbox_prefix=inbox_prefix(service),
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            connect_timeout=2,
            ping_interval=10,
            max_outstanding_pings=2,
            drain_timeout=5,
            pending_size=32 * 1024 * 1024,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_reconnected,
            apply_types=False,
            logger=None,
            ack_policy=AckPolicy.MANUAL,
            decoder=_undecoded,
        )

    # -- what the service reads and answers -------------------------------------------------------------------

    def read[E: Event](self, event_class: type[E], handler: Handler[E], **fields: str) -> None:
        """Handle each event of a class, by the delivery the catalogue gives this service.

        ``fields`` narrow a hot reading (``venue="binance"``). A durable handler that raises ``Refused`` or gets
        something unreadable has its message dead-lettered at once; any other error is retried first.
        """
        self._reading(event_class, **fields).handlers[event_class] = handler

    def read_batches[E: Event](self, event_class: type[E], handler: BatchHandler[E]) -> None:
        """Handle events of a class many at a time; the whole batch is acknowledged after the handler returns."""
        reading = self._reading(event_class)
        if reading.delivery is not Delivery.BATCH:
            raise ValueError(f"{self.service} does not read {reading.row.pattern} in batches")
        reading.handlers[event_class] = handler

    def answer[Req: Record, Res: Record](
        self, call: Call[Req, Res], handler: Answer[Req, Res], at_once: int = 1
    ) -> None:
        """Serve a remote call. ``Refused`` and ``Retryable`` travel back to the caller as themselves.

        One after the other, or ``at_once`` where an answer may have to wait for somebody outside.
        """
        if call.service != self.service or call not in CALLS:
            raise ValueError(f"{self.service} does not answer {call.subject}")
        self._answers[call.subject] = call
        subscriber = self._broker.subscriber(call.subject, queue=self.service, title=call.verb, max_workers=at_once)
        subscriber(self._answering(call, handler))

    @property
    def readings(self) -> tuple[Reading, ...]:
        return tuple(self._readings.values())

    @property
    def answered(self) -> tuple[str, ...]:
        return tuple(self._answers)

    # -- life --------------------------------------------------------------------------------------------------

    async def connect(self, patience_s: float = 30.0) -> None:
        """Connect, waiting for a server that is still starting; raises ``Retryable`` when patience ends."""
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type((nats.errors.Error, OSError)),
                wait=wait_exponential_jitter(multiplier=0.1, max=2.0),
                stop=stop_after_delay(patience_s),
                reraise=True,
            ):
                with attempt:
                    await self._broker.connect()
        except (nats.errors.Error, OSError) as error:
            raise Retryable(f"NATS does not answer: {error!r}") from error

    async def start(self) -> None:
        """Begin to read and answer everything declared."""
        await self._broker.start()
        for reading in self._readings.values():
            if reading.delivery is Delivery.DURABLE:
                reader = DurableReader(reading, self.service, self._give_up, alone=self.reads_alone)
                self._durable.append(reader)
                await reader.start(self.client)
            elif reading.delivery is Delivery.HOT:
                await self._subscribe_hot(reading)
            elif reading.delivery is Delivery.BATCH:
                self._spawn(self._pull(reading))

    async def stop(self) -> None:
        """Take nothing new, finish what is being handled, flush and disconnect."""
        self._stopping = True
        await asyncio.gather(*(reader.stop() for reader in self._durable))
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(nats.errors.ConnectionClosedError):
            await self._broker.stop()

    @property
    def connected(self) -> bool:
        client = self._broker._connection
        return client is not None and client.is_connected

    @property
    def client(self) -> Client:
        """The raw NATS client; raises ``Retryable`` before ``connect``."""
        client = self._broker._connection
        if client is None:
            raise Retryable("the bus is not connected yet")
        return client

    @property
    def jetstream(self) -> JetStreamContext:
        return self.client.jetstream()

    # -- publishing and asking ---------------------------------------------------------------------------------

    async def publish(self, event: Event) -> None:
        """Publish without waiting for storage: market data, states that are soon said again, alerts.

        What must not be lost goes through ``Transaction.emit`` instead.
        """
        self.check_ownership(type(event))
        address = subjects.address(event)
        await self.client.publish(address, event.to_json(), headers=None)
        EVENTS_PUBLISHED.labels(subjects.subject_of(type(event)).pattern).inc()

    def check_ownership(self, event_class: type[Event]) -> None:
        """Raises ValueError where the catalogue gives the event to somebody else."""
        row = subjects.subject_of(event_class)
        if self.service not in row.owners:
            raise ValueError(f"{self.service} does not own {row.pattern}")

    async def ask[Req: Record, Res: Record](
        self, call: Call[Req, Res], request: Req, timeout_s: float = CALL_TIMEOUT_S
    ) -> Res:
        """The answer of another service; raises its ``Refused``, or ``Retryable`` where none comes in time."""
        if self.service not in call.callers:
            raise ValueError(f"{self.service} may not call {call.subject}")
        traceparent = current_traceparent()
        headers = {_TRACE: traceparent} if traceparent else None
        body = request.model_dump_json().encode()
        try:
            message = await self.client.request(call.subject, body, timeout=timeout_s, headers=headers)
        except nats.errors.NoRespondersError as error:
            raise Retryable(f"{call.service} is not there", call=call.subject) from error
        except (TimeoutError, nats.errors.Error) as error:
            raise Retryable(f"{call.service} did not answer: {error!r}", call=call.subject) from error
        if message.headers and _FAULT in message.headers:
            fault = Fault.model_validate_json(message.data)
            if fault.retry:
                raise Retryable(fault.message, call=call.subject)
            raise Refused(fault.code, fault.message, call=call.subject)
        return call.response.model_validate_json(message.data)

    async def alert(self, severity: Severity, code: str, message: str, **context: object) -> None:
        """Tell people. An alert that cannot be published is still in the log."""
        self._log.warning("alert", code=code, message=message, severity=severity, **context)
        event = self.events.make(
            AlertRaised,
            service=self.service,
            severity=severity,
            code=code,
            message=message,
            context={key: str(value) for key, value in context.items()},
        )
        try:
            await self.publish(event)
        except (nats.errors.Error, Retryable) as error:
            self._log.error("alert not published", code=code, error=repr(error))

    # -- durable -----------------------------------------------------------------------------------------------

    def _reading(self, event_class: type[Event], **fields: str) -> Reading:
        row = subjects.subject_of(event_class)
        delivery = row.readers.get(self.service)
        if delivery is None:
            raise ValueError(f"{self.service} does not read {row.pattern}")
        if fields and delivery is not Delivery.HOT:
            raise ValueError(f"{self.service} reads the whole of {row.pattern}")
        subject_filter = subjects.filtered(event_class, **fields)
        return self._readings.setdefault(subject_filter, Reading(row, delivery, subject_filter))

    async def _give_up(self, reading: Reading, message: Msg, error: Exception) -> None:
        """Dead-letter first, end the message only when that is stored."""
        letter = self.events.make(
            MessageDeadLettered,
            service=self.service,
            consumer=reading.row.consumer(self.service),
            subject=message.subject,
            message_id=(message.headers or {}).get("Nats-Msg-Id"),
            body=message.data.decode(errors="backslashreplace"),
            error_type=type(error).__name__,
            error=_short(error),
            deliveries=message.metadata.num_delivered,
        )
        try:
            await self.jetstream.publish(
                subjects.address(letter), letter.to_json(), headers={"Nats-Msg-Id": letter.event_id}
            )
        except nats.errors.Error:
            self._log.error("dead letter not stored, message kept", subject=message.subject, exc_info=True)
            await message.nak(delay=RETRY_DELAYS_S[-1])
            return
        await message.term()
        DEAD_LETTERS.labels(reading.row.pattern).inc()
        EVENTS_HANDLED.labels(reading.row.pattern, "dead").inc()
        await self.alert(
            Severity.CRITICAL,
            "dead_letter",
            f"a message on {message.subject} could not be handled: {letter.error}",
            event_id=letter.event_id,
        )

    # -- hot and batch -----------------------------------------------------------------------------------------

    async def _subscribe_hot(self, reading: Reading) -> None:
        async def consume(message: Msg) -> None:
            try:
                event = subjects.parse(reading.row, message.data)
                handler: Handler[Event] | None = reading.handlers.get(type(event))
                if handler is not None:
                    await handler(event)
                EVENTS_HANDLED.labels(reading.row.pattern, "done").inc()
            except Exception:  # a hot message is worth nothing a second later: count it and go on
                EVENTS_HANDLED.labels(reading.row.pattern, "failed").inc()
                self._log.error("hot handler failed", subject=message.subject, exc_info=True)

        await self.client.subscribe(reading.filter, cb=consume, pending_msgs_limit=_HOT_QUEUE)

    async def _pull(self, reading: Reading) -> None:
        """Fetch, handle, acknowledge; rebinds when the server or the stream came back empty."""
        assert reading.row.stream is not None
        consumer = reading.row.consumer(self.service)
        while not self._stopping:
            try:
                subscription = await self.jetstream.pull_subscribe_bind(
                    durable=consumer, stream=reading.row.stream.name
                )
                while True:
                    try:
                        messages = await subscription.fetch(_BATCH, timeout=1.0)
                    except (TimeoutError, nats.errors.TimeoutError):
                        continue
                    await self._handle_batch(reading, messages)
                    if len(messages) < _BATCH:
                        await asyncio.sleep(_BATCH_PAUSE_S)
            except (nats.errors.Error, nats.js.errors.Error, OSError) as error:
                self._log.warning("batch reading interrupted", subject=reading.row.pattern, error=repr(error))
                await asyncio.sleep(0.5)

    async def _handle_batch(self, reading: Reading, messages: list[Msg]) -> None:
        events: dict[type[Event], list[Event]] = {}
        readable: list[Msg] = []
        for message in messages:
            try:
                event = subjects.parse(reading.row, message.data)
            except ValueError as error:
                await self._give_up(reading, message, error)
                continue
            readable.append(message)
            events.setdefault(type(event), []).append(event)
        try:
            for event_class, batch in events.items():
                await reading.handlers[event_class](batch)
        except Exception:  # the store is away: the server delivers the batch again
            EVENTS_HANDLED.labels(reading.row.pattern, "retried").inc(len(readable))
            self._log.error("batch failed", subject=reading.row.pattern, size=len(readable), exc_info=True)
            for message in readable:
                await message.nak(delay=RETRY_DELAYS_S[1])
            return
        for message in readable:
            await message.ack()
        EVENTS_HANDLED.labels(reading.row.pattern, "done").inc(len(readable))

    # -- answering ---------------------------------------------------------------------------------------------

    def _answering[Req: Record, Res: Record](
        self, call: Call[Req, Res], handler: Answer[Req, Res]
    ) -> Callable[[NatsMessage], Awaitable[NatsResponse]]:
        async def serve(message: NatsMessage) -> NatsResponse:
            with span(f"answer {call.subject}", parent=message.headers.get(_TRACE), kind=SpanKind.SERVER):
                try:
                    answer = await handler(call.request.model_validate_json(message.body))
                except ValidationError as error:
                    return self._fault(call, Fault(code="malformed", message=_short(error), retry=False))
                except Refused as error:
                    return self._fault(call, Fault(code=error.code, message=str(error), retry=False))
                except Retryable as error:
                    self._log.warning("call cannot be answered now", call=call.subject, error=str(error))
                    return self._fault(call, Fault(code="failed", message=_short(error), retry=True))
                except Exception as error:  # the caller must hear something; the cause is in our log
                    self._log.error("call failed", call=call.subject, exc_info=True)
                    return self._fault(call, Fault(code="failed", message=_short(error), retry=True))
            CALLS_SERVED.labels(call.subject, "done").inc()
            return NatsResponse(answer.model_dump_json().encode())

        return serve

    def _fault(self, call: Call[Any, Any], fault: Fault) -> NatsResponse:
        CALLS_SERVED.labels(call.subject, fault.code).inc()
        return NatsResponse(fault.model_dump_json().encode(), headers={_FAULT: fault.code})

    # -- the connection's own news -----------------------------------------------------------------------------

    async def _on_error(self, error: Exception) -> None:
        if isinstance(error, nats.errors.SlowConsumerError):
            SLOW_CONSUMER_DROPS.labels(error.subject).inc()
            self._log.warning("slow reader lost a message", subject=error.subject)
        else:
            self._log.warning("bus error", error=repr(error))

    async def _on_disconnected(self) -> None:
        if not self._stopping:
            self._log.warning("bus disconnected")

    async def _on_reconnected(self) -> None:
        self._log.info("bus reconnected")

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _undecoded(message: NatsMessage) -> NatsMessage:
    """Handlers parse for themselves, by the catalogue."""
    return message


def _short(error: Exception) -> str:
    """The error in at most 2,000 characters."""
    return f"{error}"[:2000]
