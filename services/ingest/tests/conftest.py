import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import nats
import pytest
from algotrendy_common.app import App
from algotrendy_common.clock import monotonic_s
from algotrendy_common.enums import Timeframe
from algotrendy_common.events.event import Event, Record
from algotrendy_common.events.market import BarUpdated, FeedHealthChanged, QuoteChanged, TradePrinted
from algotrendy_common.rpc.call import Call
from algotrendy_common.settings import load
from algotrendy_common.subjects import CATALOGUE, inbox_prefix, parse
from algotrendy_ingest.service import build_app
from algotrendy_ingest.settings import IngestSettings
from algotrendy_local.testing import Servers, servers_running
from algotrendy_simulator.testing import RunningVenue, running_venue

_ROWS = {row.events[0]: row for row in CATALOGUE}


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with servers_running("nats", "questdb", "redis", migrate=True) as running:
        yield running


@pytest.fixture
async def venue() -> AsyncIterator[RunningVenue]:
    async with running_venue(speed=60) as running:
        yield running


async def until[T](find: Callable[[], T | None] | Callable[[], Awaitable[T | None]], patience_s: float = 60.0) -> T:
    """The first answer that is true; fails when patience ends."""
    deadline = monotonic_s() + patience_s
    while True:
        found = find()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        assert monotonic_s() < deadline, "it did not come to pass"
        await asyncio.sleep(0.05)


@dataclass
class Heard:
    """Everything published, as a program outside hears it."""

    events: list[Event] = field(default_factory=list)

    def of[E: Event](self, event_class: type[E], symbol: str | None = None) -> list[E]:
        return [
            event
            for event in self.events
            if isinstance(event, event_class) and symbol in (None, getattr(event, "symbol", None))
        ]

    def trades(self, symbol: str) -> list[TradePrinted]:
        return self.of(TradePrinted, symbol)

    def closed_bars(self, symbol: str, timeframe: Timeframe = Timeframe.M1) -> list[BarUpdated]:
        return [bar for bar in self.of(BarUpdated, symbol) if bar.closed and bar.timeframe is timeframe]

    def health(self) -> FeedHealthChanged:
        return self.of(FeedHealthChanged)[-1]


@pytest.fixture
async def heard(servers: Servers) -> AsyncIterator[Heard]:
    async with _hearing(servers) as listening:
        yield listening


@pytest.fixture(name="until")
def _until() -> Any:
    return until


@pytest.fixture
def ingest(servers: Servers, venue: RunningVenue) -> Any:
    """Starts the service in this process: ``async with ingest(replay=False) as app``."""

    @asynccontextmanager
    async def start(at: RunningVenue = venue, **fields: Any) -> AsyncIterator[App]:
        async with build_app(settings_for(servers, at, **fields)).running() as app:
            yield app

    return start


@asynccontextmanager
async def _hearing(servers: Servers) -> AsyncIterator[Heard]:
    heard = Heard()
    client = await nats.connect(
        servers.addresses.nats_url,
        nkeys_seed_str=servers.addresses.nats_seed("observer"),
        inbox_prefix=inbox_prefix("observer"),
    )

    def listener(row: Any) -> Callable[[Any], Awaitable[None]]:
        async def hear(message: Any) -> None:
            heard.events.append(parse(row, message.data))

        return hear

    try:
        for event_class in (TradePrinted, QuoteChanged, BarUpdated, FeedHealthChanged):
            await client.subscribe(_ROWS[event_class].wildcard, cb=listener(_ROWS[event_class]))
        await client.flush()
        yield heard
    finally:
        await client.close()


def settings_for(servers: Servers, venue: RunningVenue, **fields: Any) -> IngestSettings:
    environment = servers.environment("ingest") | {
        "ALGOTRENDY_INGEST_BINANCE_HTTP_URL": venue.http,
        "ALGOTRENDY_INGEST_BINANCE_WS_URL": venue.ws,
        "ALGOTRENDY_INGEST_REPLAY": "true",
        "ALGOTRENDY_INGEST_HEALTH_PORT": "0",
    }
    settings = load(IngestSettings, "ingest", environment)
    return settings.model_copy(update={"mute_after": timedelta(seconds=3), **fields})


@dataclass
class Quest:
    """QuestDB, asked directly."""

    url: str

    async def rows(self, sql: str) -> list[list[Any]]:
        async with httpx.AsyncClient(timeout=60) as client:
            answer = await client.get(f"{self.url}/exec", params={"query": sql})
            body = answer.json()
        assert answer.status_code == httpx.codes.OK, body
        rows: list[list[Any]] = body.get("dataset", [])
        return rows

    async def try_rows(self, sql: str) -> list[list[Any]] | None:
        try:
            return await self.rows(sql)
        except (httpx.HTTPError, AssertionError, ValueError):
            return None


@pytest.fixture
async def caller(servers: Servers) -> AsyncIterator[Any]:
    """Asks ingest as the gateway does, with the gateway's own user."""
    client = await nats.connect(
        servers.addresses.nats_url,
        nkeys_seed_str=servers.addresses.nats_seed("gateway"),
        inbox_prefix=inbox_prefix("gateway"),
    )

    async def ask(call: Call[Any, Any], request: Record) -> Any:
        message = await client.request(call.subject, request.model_dump_json().encode(), timeout=28)
        if message.headers and "Algotrendy-Fault" in message.headers:
            return message.headers["Algotrendy-Fault"]
        return call.response.model_validate_json(message.data)

    yield ask
    await client.close()


@pytest.fixture
async def quest(servers: Servers) -> Quest:
    quest = Quest(servers.addresses.questdb_url)
    # Each test's venue begins in the same year with the same numbers: what an earlier test left would pass for its own.
    migrator = await nats.connect(
        servers.addresses.nats_url,
        nkeys_seed_str=servers.addresses.nats_seed("migrator"),
        inbox_prefix=inbox_prefix("migrator"),
    )
    await migrator.jetstream().purge_stream("MARKET")
    await migrator.close()
    for table in ("trade", "quote", "bar", "book", "signal", "feed_health", "absent"):
        await quest.rows(f"DROP TABLE IF EXISTS {table}")
    return quest
