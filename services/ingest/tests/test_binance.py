"""The adapter against the simulated venue, with a relay between them that can say anything."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal

import aiohttp
import pytest
from aiohttp import web
from algotrendy_common.clock import SystemClock
from algotrendy_common.enums import Timeframe
from algotrendy_ingest.adapters.opening import open_feed
from algotrendy_ingest.adapters.socket_feed import SocketFeed
from algotrendy_ingest.domain.ticks import BookLost, BookTick, QuoteTick, StreamLost, TradeTick
from algotrendy_ingest.errors import VenueAway

SYMBOLS = ("BTC-USDT", "LTC-USDT")


def feed_of(http: str, ws: str, mute_after: float = 5) -> SocketFeed:
    return open_feed(
        "binance",
        http,
        ws,
        SYMBOLS,
        SystemClock(),
        book_interval=timedelta(seconds=0.1),
        mute_after=timedelta(seconds=mute_after),
        mute_trades_after=timedelta(seconds=mute_after),
    )


@asynccontextmanager
async def listening(feed: SocketFeed) -> AsyncIterator[list]:
    messages: list = []
    await feed.instruments()
    running = asyncio.create_task(feed.run(messages.append))
    try:
        yield messages
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await feed.close()


@asynccontextmanager
async def relay(target: str) -> AsyncIterator[tuple[str, list[web.WebSocketResponse]]]:
    """A WebSocket relay; what is sent on the sockets it lists reaches the client as if the venue had said it."""
    clients: list[web.WebSocketResponse] = []

    async def serve(request: web.Request) -> web.WebSocketResponse:
        client = web.WebSocketResponse()
        await client.prepare(request)
        clients.append(client)
        async with aiohttp.ClientSession() as session, session.ws_connect(target + request.path) as upstream:

            async def down() -> None:
                async for message in upstream:
                    await client.send_str(message.data)

            pump = asyncio.create_task(down())
            async for message in client:
                await upstream.send_str(message.data)
            pump.cancel()
        clients.remove(client)
        return client

    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"ws://127.0.0.1:{port}", clients
    finally:
        await runner.cleanup()


def numbers(messages: list, symbol: str) -> list[int]:
    return [message.sequence for message in messages if isinstance(message, TradeTick) and message.symbol == symbol]


async def test_every_message_is_delivered_once_and_in_order(venue, until):
    async with listening(feed_of(venue.http, venue.ws)) as messages:
        await until(lambda: all(len(numbers(messages, symbol)) >= 60 for symbol in SYMBOLS))
        await until(lambda: any(isinstance(message, BookTick) for message in messages))
    for symbol in SYMBOLS:
        heard = numbers(messages, symbol)
        assert heard == list(range(heard[0], heard[-1] + 1))
        sent = await venue.admin("GET", f"/api/v3/trades?symbol={symbol.replace('-', '')}&fromId={heard[0]}")
        assert [row["id"] for row in sent[: len(heard)]] == heard
    quote = next(message for message in messages if isinstance(message, QuoteTick))
    assert quote.bid < quote.ask
    book = next(message for message in messages if isinstance(message, BookTick))
    assert 1 <= len(book.bids) <= 10
    assert list(book.bids) == sorted(book.bids, reverse=True)
    assert list(book.asks) == sorted(book.asks)
    assert book.bids[0] < book.asks[0]


async def test_the_book_equals_the_venues_own(venue, until):
    await venue.admin("POST", "/admin/pause")
    async with listening(feed_of(venue.http, venue.ws, mute_after=60)) as messages:
        await until(lambda: sum(isinstance(message, BookTick) for message in messages) >= 2)
        await venue.admin("POST", "/admin/step", {"candles": 2})
        own = (await venue.admin("GET", "/admin/books"))["BTCUSDT"]

        def agrees():
            books = [message for message in messages if isinstance(message, BookTick) and message.symbol == "BTC-USDT"]
            return books and books[-1].sequence == own["sequence"] and books[-1]

        book = await until(agrees)
        for side, theirs in (("bids", own["bids"]), ("asks", own["asks"])):
            assert getattr(book, side) == tuple((Decimal(price), Decimal(quantity)) for price, quantity in theirs[:10])


async def test_a_lost_depth_message_is_noticed_and_the_book_built_anew(venue, until):
    async with listening(feed_of(venue.http, venue.ws, mute_after=60)) as messages:
        await until(lambda: any(isinstance(message, BookTick) for message in messages))
        await venue.admin("POST", "/admin/sockets/gap", {"symbol": "BTCUSDT"})
        lost = await until(lambda: [m for m in messages if isinstance(m, BookLost)])
        after = len(messages)
        await until(lambda: any(isinstance(m, BookTick) and m.symbol == "BTC-USDT" for m in messages[after:]))
        assert [(one.symbol, one.cause) for one in lost] == [("BTC-USDT", "sequence")]
        assert not any(isinstance(m, StreamLost) for m in messages), "one book was wrong, and the socket was given up"


@pytest.mark.parametrize(
    "nonsense",
    [
        '{"e":"trade","s":"BTCUSDT","t":"x","p":"1","q":"1","T":1,"m":true}',
        '{"e":"trade","s":"BTCUSDT","t":1,"p":1.5,"q":"1","T":1,"m":true}',
        '{"e":"trade","s":"NOPE","t":1,"p":"1","q":"1","T":1,"m":true}',
        '{"u":1,"s":"BTCUSDT","b":"-1","B":"1","a":"2","A":"1"}',
        '{"e":"depthUpdate"}',
        "[1, 2]",
        '"hello"',
        "hello",
        '{"e":"trade","s":',
    ],
)
async def test_a_malformed_message_is_left_out_and_the_feed_goes_on(venue, until, nonsense):
    async with relay(venue.ws) as (ws, clients), listening(feed_of(venue.http, ws)) as messages:
        await until(lambda: len(numbers(messages, "BTC-USDT")) >= 5)
        for client in tuple(clients):
            await client.send_str(nonsense)
        before = len(numbers(messages, "BTC-USDT"))
        await until(lambda: len(numbers(messages, "BTC-USDT")) >= before + 20)
    heard = numbers(messages, "BTC-USDT")
    assert heard == list(range(heard[0], heard[-1] + 1))
    assert not any(isinstance(message, StreamLost) for message in messages)


async def test_history_is_the_venues_and_exact(venue):
    feed = feed_of(venue.http, venue.ws)
    try:
        await feed.instruments()
        page = await feed.bars("LTC-USDT", Timeframe.M15)
        begin, end = page[3].open_time, page[7].open_time
        assert await feed.bars("LTC-USDT", Timeframe.M15, begin, end) == page[3:7]
        trades = await feed.recent_trades("BTC-USDT")
        assert [trade.sequence for trade in trades] == sorted(trade.sequence for trade in trades)
    finally:
        await feed.close()


async def test_a_venue_that_is_not_there_is_away():
    feed = feed_of("http://127.0.0.1:9", "ws://127.0.0.1:9")
    try:
        with pytest.raises(VenueAway):
            await feed.instruments()
    finally:
        await feed.close()
