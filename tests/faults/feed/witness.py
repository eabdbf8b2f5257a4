"""What a stranger sees of a feed: events on the bus, the venue's own tape and books, rows in the store, and metrics.

Invariant: nothing here asks the feed's own memory.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import nats
from algotrendy_common.clock import SystemClock, monotonic_s
from algotrendy_common.events.event import Event
from algotrendy_common.events.market import BookSnapshotTaken, FeedHealthChanged, QuoteChanged, TradePrinted
from algotrendy_common.subjects import filtered, inbox_prefix
from algotrendy_ingest.adapters.registry import ADAPTERS, loaded
from algotrendy_local.testing import Servers
from algotrendy_simulator.testing import RunningVenue
from prometheus_client import REGISTRY

SYMBOL, WIRE_SYMBOL = "BTC-USDT", "BTCUSDT"
KINDS: tuple[type[Event], ...] = (TradePrinted, QuoteChanged, BookSnapshotTaken, FeedHealthChanged)
_PATIENCE_S = 90.0


async def until(find: Callable[[], Any], what: str, patience_s: float = _PATIENCE_S) -> Any:
    """The first answer that is true; raises AssertionError when patience ends."""
    deadline = monotonic_s() + patience_s
    while True:
        found = find()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        assert monotonic_s() < deadline, f"{what} did not come to pass"
        await asyncio.sleep(0.02)


def counted(name: str, venue: str) -> float:
    """A counter's sum over what it is labelled with besides the venue."""
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        if metric.name == name
        for sample in metric.samples
        if sample.name == f"{name}_total" and sample.labels.get("venue") == venue
    )


@dataclass
class Witness:
    servers: Servers
    name: str
    venue: RunningVenue
    heard: dict[type[Event], int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    last: dict[type[Event], Event] = field(default_factory=dict)
    first_trade: str | None = None
    tape: dict[str, None] = field(default_factory=dict)
    """The venue's own, by trade id, in its order."""

    async def book_is_the_venues(self) -> bool:
        """The last book on the bus is, level by level, the one the venue has; its market stands still meanwhile."""
        await self.venue.admin("POST", "/admin/pause")
        try:
            own = (await self.venue.admin("GET", "/admin/books"))[WIRE_SYMBOL]
            bids, asks = (
                [(Decimal(price), Decimal(quantity)) for price, quantity in own[side]][:10] for side in ("bids", "asks")
            )

            def equal() -> bool:
                told = self.last.get(BookSnapshotTaken)
                assert isinstance(told, BookSnapshotTaken)
                sides = [[(level.price, level.quantity) for level in side] for side in (told.bids, told.asks)]
                return sides == [bids, asks]

            try:
                await until(equal, "an equal book", 30.0)
            except AssertionError:
                return False
            return True
        finally:
            await self.venue.admin("POST", "/admin/resume")

    async def rows(self) -> tuple[int, list[str]]:
        """How many trades of the venue are stored twice, and which of its tape are not stored at all."""
        names = list(self.tape)
        wanted = set(names[names.index(self.first_trade) :] if self.first_trade in self.tape else names)
        sql = f"SELECT trade_id FROM trade WHERE venue = '{self.name}' AND symbol = '{SYMBOL}'"
        rows: list[str] = []

        async def are_all_there() -> bool:
            async with httpx.AsyncClient(timeout=10) as client:
                answer = await client.get(f"{self.servers.addresses.questdb_url}/exec", params={"query": sql})
            rows[:] = [row[0] for row in answer.json().get("dataset", [])]
            return wanted <= set(rows)

        with contextlib.suppress(AssertionError):  # what is counted says so
            await until(are_all_there, "every trade in the store", 60.0)
        return len(rows) - len(set(rows)), sorted(wanted - set(rows))

    async def follow_tape(self) -> None:
        """Read the venue's newest trades for as long as the run goes, so often that none is passed over."""
        rest = loaded(ADAPTERS[self.name].rest)(self.venue.http, (SYMBOL,), SystemClock(), elsewhere=True)
        try:
            await rest.instruments()
            while True:
                self.tape |= dict.fromkeys(trade.trade_id for trade in await rest.recent_trades(SYMBOL))
                await asyncio.sleep(1.0)
        finally:
            await rest.close()

    def hear(self, event: Event) -> None:
        self.heard[type(event)] += 1
        self.last[type(event)] = event
        if isinstance(event, TradePrinted) and self.first_trade is None:
            self.first_trade = event.trade_id


@asynccontextmanager
async def watching(servers: Servers, name: str, venue: RunningVenue) -> AsyncIterator[Witness]:
    witness = Witness(servers, name, venue)
    client = await nats.connect(
        servers.addresses.nats_url,
        nkeys_seed_str=servers.addresses.nats_seed("observer"),
        inbox_prefix=inbox_prefix("observer"),
    )

    def listener(kind: type[Event]) -> Callable[[Any], Awaitable[None]]:
        async def hear(message: Any) -> None:
            witness.hear(kind.from_json(message.data))

        return hear

    for kind in KINDS:
        await client.subscribe(filtered(kind, venue=name), cb=listener(kind))
    await client.flush()
    reading = asyncio.create_task(witness.follow_tape())
    try:
        yield witness
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await client.close()
