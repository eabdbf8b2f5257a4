"""A service: what it reads, what it answers, what it runs beside that, and how it starts and stops.

Invariant: nothing is read from the bus before the store is reachable, and nothing is cut off in the middle: a stop lets
handlers finish, publishes what is committed, then disconnects.
"""

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from typing import Any

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.types import ASGIApp

from algotrendy_common import telemetry
from algotrendy_common.bus import Answer, BatchHandler, Bus, Handler
from algotrendy_common.clock import Clock, SystemClock
from algotrendy_common.database import Database
from algotrendy_common.enums import Severity
from algotrendy_common.errors import AlgoTrendyError, InvariantBroken
from algotrendy_common.events.event import Event, EventFactory, Record
from algotrendy_common.events.ops import ServiceHealthChanged
from algotrendy_common.health import Health, orders_are_synced
from algotrendy_common.outbox import Relay
from algotrendy_common.rpc.call import Call
from algotrendy_common.settings import ServiceSettings
from algotrendy_common.starting import Phases

_HEARTBEAT_S = 2.0

Work = Callable[[], Awaitable[None]]


class StoppedEarly(AlgoTrendyError):
    """The service was told to end before it had started; nothing is wrong."""


class App:
    """Service defaults in one place. ``build_app(settings)`` of each service fills one and returns it."""

    def __init__(self, service: str, settings: ServiceSettings, *, clock: Clock | None = None) -> None:
        self.starting = Phases()
        self.service = service
        self.settings = settings
        self.clock = clock or SystemClock()
        self.events = EventFactory(service, self.clock)
        self.bus = Bus(service, settings, self.events)
        self.health = Health(service, version("algotrendy-common"))
        self.log = telemetry.log(service)
        self.published: set[type[Event]] = {ServiceHealthChanged}
        self._database: Database | None = None
        self._relay: Relay | None = None
        self._before: list[tuple[str, Work]] = []
        self._after: list[Work] = []
        self._loops: list[tuple[str, Work]] = []
        self._web: ASGIApp | None = None
        self._http: uvicorn.Server | None = None
        self._stopped = asyncio.Event()
        self._failure: BaseException | None = None
        self.health.add("bus", self._bus_problem)
        if settings.platform.nats_monitor_url:
            self.health.add("orders on disk", orders_are_synced(settings.platform.nats_monitor_url))

    # -- the subscription table --------------------------------------------------------------------------------

    def reads[E: Event](self, event_class: type[E], handler: Handler[E], **fields: str) -> None:
        self.bus.read(event_class, handler, **fields)

    def reads_batches[E: Event](self, event_class: type[E], handler: BatchHandler[E]) -> None:
        self.bus.read_batches(event_class, handler)

    def answers[Req: Record, Res: Record](
        self, call: Call[Req, Res], handler: Answer[Req, Res], at_once: int = 1
    ) -> None:
        self.bus.answer(call, handler, at_once)

    def publishes(self, *event_classes: type[Event]) -> None:
        """Say what the service publishes; the catalogue's test compares it with what the service owns."""
        for event_class in event_classes:
            self.bus.check_ownership(event_class)
            self.published.add(event_class)

    # -- what runs beside it -----------------------------------------------------------------------------------

    def uses_database(self, *, size: int = 6, idle_limit: timedelta | None = None) -> Database:
        """The service's own schema, its outbox and its inbox; ``idle_limit`` as ``Database`` has it."""
        url = self.settings.postgres_url
        if url is None:
            raise InvariantBroken(f"{self.service} needs a PostgreSQL URL")
        self._database = Database(
            url.get_secret_value(), check=self.bus.check_ownership, size=size, idle_limit=idle_limit
        )
        self._relay = Relay(self._database, lambda: self.bus.jetstream, self._stream_went_back)
        self._database.on_commit = self._relay.offer
        self.health.add("database", self._database_problem)
        return self._database

    def before_reading(self, work: Work, phase: str = "preparing") -> None:
        """Run once after the store and the bus are connected and before anything is read; ``phase`` of the start."""
        self._before.append((phase, work))

    def on_stop(self, work: Work) -> None:
        """Run once after reading has ended, while store and bus are still there."""
        self._after.append(work)

    def runs(self, name: str, work: Work) -> None:
        """A task for as long as the service lives; if it ends or fails, the service stops and is restarted."""
        self._loops.append((name, work))

    def serves(self, web: ASGIApp) -> None:
        """An ASGI application on the health port; it must route the health pages itself."""
        self._web = web

    @property
    def web(self) -> ASGIApp | None:
        """What ``serves`` was given."""
        return self._web

    @property
    def http_port(self) -> int:
        """The port that HTTP answers on, once started."""
        assert self._http is not None
        port: int = self._http.servers[0].sockets[0].getsockname()[1]
        return port

    # -- life --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; the process's exit status is 1 where something broke."""
        self.starting.of_this_process()
        telemetry.set_up(self.service, self.settings.platform)
        try:
            uvloop.run(self.live())
        except AlgoTrendyError as error:
            self.log.critical("service ends", error=str(error))
            raise SystemExit(1) from error
        finally:
            telemetry.shut_down()

    async def live(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        with contextlib.suppress(StoppedEarly):
            async with self.running():
                # Everything that lives as long as the process is never looked through again: collecting it took tens of
                # milliseconds, in the middle of an order.
                gc.collect()
                gc.freeze()
                await self._stopped.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        self._stopped.set()

    async def unless_stopped(self, work: Awaitable[None]) -> None:
        """What a start may have to wait for, long; raises ``StoppedEarly`` where the service is to end meanwhile."""
        waiting = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise StoppedEarly("stopped before it had started")
            await waiting
        finally:
            await _cancel([task for task in (waiting, stopping) if not task.done()])

    @asynccontextmanager
    async def running(self) -> AsyncIterator["App"]:
        """The service, started; stopped when the block ends. Tests use it in their own loop."""
        async with AsyncExitStack() as stack:
            phases = self.starting
            phases.ended("wiring")
            await self._start_http(stack)
            phases.ended("http")
            if self._database is not None:
                await self._database.connect()
                stack.push_async_callback(self._database.close)
                phases.ended("database")
            await self.bus.connect()
            stack.push_async_callback(self.bus.stop)
            phases.ended("bus")
            if self._relay is not None:
                await self._relay.start()
                stack.push_async_callback(self._relay.stop)
                phases.ended("outbox")
            for work in self._after:
                stack.push_async_callback(work)
            for phase, work in self._before:
                await work()
                phases.ended(phase)
            await self.bus.start()
            phases.ended("reading")
            tasks = [asyncio.create_task(self._guard(name, work), name=name) for name, work in self._loops]
            tasks.append(asyncio.create_task(self._beat()))
            stack.push_async_callback(_cancel, tasks)
            self.log.info("service started", version=self.health.version, port=self.http_port, took_s=phases.told())
            yield self
            self.log.info("service stopping")

    async def _start_http(self, stack: AsyncExitStack) -> None:
        web = self._web or Starlette(routes=list(self.health.routes()))
        config = uvicorn.Config(
            web,
            host=self.settings.health_host,
            port=self.settings.health_port,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
            # Nobody's word is taken for who a client is, and nothing says what answers it.
            proxy_headers=False,
            server_header=False,
            ws="websockets-sansio",
            ws_max_size=64 * 1024,
            # A compressor a socket is tens of kilobytes each; what is sent is small.
            ws_per_message_deflate=False,
        )
        self._http = uvicorn.Server(config)
        # Signals are ours: uvicorn would end the process before the bus is drained.
        self._http.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._http.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
        serving = asyncio.create_task(self._http.serve())
        while not self._http.started:
            if serving.done():
                serving.result()
                raise InvariantBroken("HTTP did not start", port=self.settings.health_port)
            await asyncio.sleep(0.01)

        async def end() -> None:
            assert self._http is not None
            self._http.should_exit = True
            await serving

        stack.push_async_callback(end)

    async def _guard(self, name: str, work: Work) -> None:
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # whatever broke a loop, the process ends and its supervisor starts it anew
            self.log.critical("loop failed", loop=name, exc_info=True)
            self._failure = error
        else:
            self._failure = InvariantBroken(f"{name} ended by itself")
        self.stop()

    async def _beat(self) -> None:
        started = self.clock.now()
        while True:
            problems = await self.health.problems()
            beat = self.events.make(
                ServiceHealthChanged,
                service=self.service,
                ready=not problems,
                detail="; ".join(f"{name}: {problem}" for name, problem in problems.items()),
                started_at=started,
                version=self.health.version,
            )
            if self.bus.connected:
                await self.bus.publish(beat)
            await asyncio.sleep(_HEARTBEAT_S)

    async def _stream_went_back(self, stream: str, known: int, found: int) -> None:
        await self.bus.alert(
            Severity.CRITICAL,
            "stream_regressed",
            f"stream {stream} lost messages it had acknowledged; refilled from the outbox",
            stream=stream,
            known=known,
            found=found,
        )

    async def _bus_problem(self) -> str | None:
        return None if self.bus.connected else "not connected"

    async def _database_problem(self) -> str | None:
        assert self._database is not None
        return None if await self._database.answers() else "PostgreSQL does not answer"


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
