"""FeedContract: what every venue's feed must do, proved against the simulated venue on real sockets.

Each test runs once a venue; a venue's process is started once a session. A book is compared with the venue's own, and
never with what the feed remembers.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from algotrendy_common.clock import SystemClock
from algotrendy_ingest.adapters.opening import open_feed
from algotrendy_ingest.adapters.registry import ADAPTERS
from algotrendy_ingest.adapters.socket_feed import SocketFeed
from algotrendy_ingest.domain.ticks import BookLost, Message, StreamLost, TradeTick
from algotrendy_simulator.testing import RunningVenue, running_venue

BTC = "BTC-USDT"
BOOK_CHANGES = {
    "binance": ("depthUpdate",),
    "bybit": ("orderbook.50.", '"delta"'),
    "coinbase": ("l2_data", '"update"'),
    "cryptocom": ("book.update",),
    "kraken": ('"channel":"book"', '"update"'),
    "okx": ('"channel":"books"', '"update"'),
}
"""What stands in a message that changes a book."""
CHECKED = frozenset({"kraken", "okx"})
"""Venues that send a checksum along."""
UNNUMBERED = frozenset({"kraken"})
"""Venues whose book messages have no numbers: one that comes twice cannot be told from one that says so again."""


@pytest.fixture(scope="session", params=sorted(ADAPTERS))
def running(request: pytest.FixtureRequest) -> Iterator[tuple[str, RunningVenue]]:
    manager = running_venue(venue=request.param, speed=120, history=30)
    with asyncio.Runner() as runner:
        venue = runner.run(manager.__aenter__())
        try:
            yield request.param, venue
        finally:
            runner.run(manager.__aexit__(None, None, None))


@dataclass
class Contract:
    """A feed of one venue, and everything it said."""

    name: str
    venue: RunningVenue
    feed: SocketFeed
    until: Any
    messages: list[Message] = field(default_factory=list)

    def count(self, kind: type[Message]) -> int:
        return sum(isinstance(message, kind) for message in self.messages)

    @property
    def trades(self) -> list[TradeTick]:
        return [message for message in self.messages if isinstance(message, TradeTick)]

    @property
    def lost(self) -> list[BookLost]:
        return [message for message in self.messages if isinstance(message, BookLost)]

    @property
    def streams_lost(self) -> list[StreamLost]:
        return [message for message in self.messages if isinstance(message, StreamLost)]

    async def spoil(self, kind: str) -> None:
        """Have it happen to the next change of the book, and see that it did."""
        struck = (await self.venue.admin("POST", "/admin/sockets/spoil"))["struck"]
        body = {"kind": kind, "contains": BOOK_CHANGES[self.name]}
        await self.venue.admin("POST", "/admin/sockets/spoil", body)

        async def happened() -> bool:
            return (await self.venue.admin("POST", "/admin/sockets/spoil"))["struck"] > struck

        await self.until(happened)

    async def book_is_the_venues(self) -> None:
        """With the market standing still for as long as it takes to compare."""
        await self.venue.admin("POST", "/admin/pause")
        try:
            own = (await self.venue.admin("GET", "/admin/books"))["BTCUSDT"]
            sides = [[(Decimal(price), Decimal(size)) for price, size in own[side]] for side in ("bids", "asks")]

            def equal() -> bool:
                book = self.feed.book(BTC)
                if book is None or not book.ready:
                    return False
                for ours, theirs in zip((book.bids.best(), book.asks.best()), sides, strict=True):
                    levels = [(Decimal(price), Decimal(size)) for price, size in ours]
                    if not levels or levels != theirs[: len(levels)] or len(levels) < min(10, len(theirs)):
                        return False
                return True

            await self.until(equal)
        finally:
            await self.venue.admin("POST", "/admin/resume")

    async def changes(self, more: int = 5) -> None:
        """Wait for so many trades, which come with changes of the book."""
        heard = len(self.trades)
        await self.until(lambda: len(self.trades) >= heard + more)

    def repeated(self) -> list[str]:
        return [name for name, times in Counter(trade.trade_id for trade in self.trades).items() if times > 1]


@pytest.fixture
async def contract(running: tuple[str, RunningVenue], until: Any) -> AsyncIterator[Contract]:
    async with following(running, until, timedelta(seconds=60)) as contract:
        yield contract


@pytest.fixture
async def impatient(running: tuple[str, RunningVenue], until: Any) -> AsyncIterator[Contract]:
    """A feed that takes three seconds of silence for a lost line."""
    async with following(running, until, timedelta(seconds=3)) as contract:
        yield contract


@asynccontextmanager
async def following(running: tuple[str, RunningVenue], until: Any, patience: timedelta) -> AsyncIterator[Contract]:
    name, venue = running
    feed = open_feed(
        name, venue.http, venue.ws, (BTC,), SystemClock(),
        book_interval=timedelta(seconds=0.1), mute_after=patience, mute_trades_after=patience,
    )  # fmt: skip
    contract = Contract(name, venue, feed, until)
    await feed.instruments()
    task = asyncio.create_task(feed.run(contract.messages.append))
    try:
        await until(lambda: len(contract.trades) >= 5 and (book := feed.book(BTC)) is not None and book.ready)
        yield contract
    finally:
        await venue.admin("DELETE", "/admin/faults")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await feed.close()
