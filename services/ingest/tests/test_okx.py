"""The adapter of OKX against the simulated venue: a pair and its perpetual, on one socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from algotrendy_common.clock import SystemClock
from algotrendy_common.enums import Timeframe
from algotrendy_common.events.market import FeedHealthChanged, QuoteChanged, TradePrinted
from algotrendy_common.rpc import ingest as rpc
from algotrendy_common.rpc.call import Nothing
from algotrendy_ingest.adapters.opening import open_feed
from algotrendy_ingest.adapters.socket_feed import SocketFeed
from algotrendy_ingest.domain.tape import Gap, Place, Tape
from algotrendy_ingest.domain.ticks import BookLost, BookTick, QuoteTick, Stamp, StreamLost, TradeTick
from algotrendy_ingest.errors import VenueAway
from algotrendy_ingest.settings import FeedSettings
from algotrendy_ingest.wire.okx import OkxLine, quote_of, trade_of
from algotrendy_simulator.testing import running_venue

SPOT, PERPETUAL = "BTC-USDT", "BTC-USDT-PERP"
NOW = Stamp(SystemClock().now(), 0.0, 0)
ROW = {"tradeId": "130", "px": "42000.1", "sz": "3", "side": "sell", "ts": "1700000000000", "count": "4"}


@pytest.fixture
async def okx():
    async with running_venue(speed=60, venue="okx") as running:
        yield running


def feed_of(http: str, ws: str, symbols: tuple[str, ...] = (SPOT, PERPETUAL)) -> SocketFeed:
    patience = timedelta(seconds=60)
    return open_feed(
        "okx", http, ws, symbols, SystemClock(),
        book_interval=timedelta(seconds=0.1), mute_after=patience, mute_trades_after=patience,
    )  # fmt: skip


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


async def the_book_is_the_venues(okx, messages, until):
    """With the market standing still."""
    await okx.admin("POST", "/admin/pause")
    own = (await okx.admin("GET", "/admin/books"))["BTCUSDT-PERP"]
    bids = tuple((Decimal(price), Decimal(size)) for price, size in own["bids"][:10])

    def equals():
        books = [message for message in messages if isinstance(message, BookTick) and message.symbol == PERPETUAL]
        return books[-1].sequence == own["sequence"] and books[-1].bids == bids

    return await until(equals)


def test_trades_that_come_as_one_leave_no_hole_and_hide_none():
    trade = trade_of(ROW, replace(OkxLine.market_of(PERPETUAL), contract_size=Decimal("0.01")), NOW)
    assert (trade.quantity, trade.sequence, trade.count) == (Decimal("0.03"), 130, 4)
    assert Tape(last=126).place(trade.sequence, trade.count) is Place.NEXT
    assert Tape(last=124).place(trade.sequence, trade.count) == Gap(125, 126)


@pytest.mark.parametrize("change", [{"px": 1.5}, {"sz": "0"}, {"side": "up"}, {"tradeId": "x"}])
def test_what_is_not_exactly_a_trade_is_refused(change):
    with pytest.raises(ValueError):
        trade_of(ROW | change, OkxLine.market_of(SPOT), NOW)


def test_half_a_book_has_no_best_prices():
    row = {"bids": [["1", "2", "0", "1"]], "asks": [], "ts": "1700000000000"}
    assert quote_of(row, OkxLine.market_of(SPOT), NOW) is None


async def test_a_pair_and_its_perpetual_are_heard_in_base(okx, until):
    feed = feed_of(okx.http, okx.ws)
    async with listening(feed) as messages:

        def heard(symbol):
            kinds = {type(message) for message in messages if getattr(message, "symbol", None) == symbol}
            return kinds >= {TradeTick, QuoteTick, BookTick}

        await until(lambda: heard(SPOT) and heard(PERPETUAL))
        await until(lambda: sum(isinstance(m, TradeTick) and m.symbol == PERPETUAL for m in messages) >= 30)
        assert await the_book_is_the_venues(okx, messages, until)
    numbers = [message.sequence for message in messages if isinstance(message, TradeTick) and message.symbol == SPOT]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert not any(isinstance(message, StreamLost) for message in messages)


async def test_a_book_with_a_hole_is_built_anew(okx, until):
    """By a snapshot of its own, on the socket that is there."""
    async with listening(feed_of(okx.http, okx.ws)) as messages:
        await until(lambda: any(isinstance(m, BookTick) and m.symbol == PERPETUAL for m in messages))
        for gaps in (1, 2, 3):
            await okx.admin("POST", "/admin/sockets/gap", {"symbol": "BTCUSDT-PERP"})
            await until(lambda gaps=gaps: sum(isinstance(m, BookLost) for m in messages) == gaps)
            told = len(messages)
            await until(
                lambda told=told: any(isinstance(m, BookTick) and m.symbol == PERPETUAL for m in messages[told:])
            )
        assert await the_book_is_the_venues(okx, messages, until)
        lost = [(m.symbol, m.cause) for m in messages if isinstance(m, BookLost)]
        assert lost == [(PERPETUAL, "sequence")] * 3
        assert not any(isinstance(m, StreamLost) for m in messages)


async def test_history_comes_from_where_it_was_asked(okx):
    feed = feed_of(okx.http, okx.ws)
    try:
        spot, perpetual = await feed.instruments()
        assert (spot.kind, perpetual.kind, perpetual.symbol) == ("spot", "perpetual", PERPETUAL)
        assert (perpetual.contract_size, perpetual.max_leverage, perpetual.quantity_step) == (
            Decimal("0.01"), Decimal(100), Decimal("0.0001"),
        )  # fmt: skip
        trades = await feed.recent_trades(PERPETUAL)
        assert [trade.sequence for trade in trades] == sorted(trade.sequence for trade in trades)
        page = await feed.bars(PERPETUAL, Timeframe.M5)
        begin, end = page[3].open_time, page[7].open_time
        assert await feed.bars(PERPETUAL, Timeframe.M5, begin, end) == page[3:7]
        assert all(bar.volume > 0 and abs(bar.quote_volume / bar.volume / bar.close - 1) < 1 for bar in page)
    finally:
        await feed.close()


async def test_a_venue_that_is_not_there_is_away():
    feed = feed_of("http://127.0.0.1:9", "ws://127.0.0.1:9")
    try:
        with pytest.raises(VenueAway):
            await feed.instruments()
    finally:
        await feed.close()


async def test_two_venues_are_followed_at_once(ingest, heard, caller, venue, okx, until):
    feeds = (
        FeedSettings(venue="binance", symbols=("BTC-USDT",), http_url=venue.http, ws_url=venue.ws),
        FeedSettings(venue="okx", symbols=(SPOT, PERPETUAL), http_url=okx.http, ws_url=okx.ws),
    )
    wanted = {("binance", SPOT), ("okx", SPOT), ("okx", PERPETUAL)}
    async with ingest(feeds=feeds):
        for kind in (TradePrinted, QuoteChanged):
            await until(lambda kind=kind: {(one.venue, one.symbol) for one in heard.of(kind)} == wanted)
        await until(lambda: {one.venue for one in heard.of(FeedHealthChanged)} == {"binance", "okx"})
        listed = (await caller(rpc.INSTRUMENTS, Nothing())).instruments
        assert {(row.venue, row.symbol) for row in listed} == wanted
        asked = rpc.CandlesAsked(venue="okx", symbol=PERPETUAL, timeframe="1m", limit=10)
        assert len((await caller(rpc.CANDLES, asked)).candles) == 10
        unknown = rpc.CandlesAsked(venue="binance", symbol=PERPETUAL, timeframe="1m", limit=10)
        assert "unknown_instrument" in await caller(rpc.CANDLES, unknown)
        assert {row.venue for row in (await caller(rpc.FEEDS, Nothing())).feeds} == {"binance", "okx"}
