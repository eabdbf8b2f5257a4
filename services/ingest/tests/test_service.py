"""The whole service on real servers and the simulated venue."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from algotrendy_common.enums import FeedState, Timeframe
from algotrendy_common.events.market import FeedHealthChanged, QuoteChanged
from algotrendy_common.rpc import ingest as rpc
from algotrendy_common.rpc.call import Nothing
from algotrendy_local import migrate
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

BTC, LTC = "BTC-USDT", "LTC-USDT"


async def tape_of(venue, wire_symbol, first, last):
    """The venue's own tape, both ends included."""
    tape = []
    while first <= last:
        page = await venue.admin("GET", f"/api/v3/trades?symbol={wire_symbol}&fromId={first}&limit=1000")
        tape += page
        first = page[-1]["id"] + 1
    return [row for row in tape if row["id"] <= last]


async def kline_of(venue, wire_symbol, bar):
    opened = int(bar.open_time.timestamp() * 1000)
    rows = await venue.admin(
        "GET", f"/api/v3/klines?symbol={wire_symbol}&interval={bar.timeframe.value}&startTime={opened}&limit=1"
    )
    assert rows[0][0] == opened
    return rows[0]


async def recorded(quest, symbol):
    rows = await quest.try_rows(f"SELECT trade_id, price, quantity, side FROM trade WHERE symbol = '{symbol}'")
    return {int(row[0]): (Decimal(row[1]), Decimal(row[2]), row[3]) for row in rows or ()}, len(rows or ())


async def assert_recorded_exactly_once(venue, quest, until, symbol, first, last):
    wanted = {
        row["id"]: (Decimal(row["price"]), Decimal(row["qty"]), "sell" if row["isBuyerMaker"] else "buy")
        for row in await tape_of(venue, symbol.replace("-", ""), first, last)
    }
    assert len(wanted) == last - first + 1

    async def all_there():
        rows, count = await recorded(quest, symbol)
        return wanted.keys() <= rows.keys() and (rows, count)

    rows, count = await until(all_there, 60)
    assert count == len(rows), "a trade is recorded twice"
    assert {number: row for number, row in rows.items() if first <= number <= last} == wanted


async def assert_bars_are_the_venues(venue, bars):
    """In order, without a hole, each once, and equal to the venue's own candle."""
    step = timedelta(seconds=bars[0].timeframe.seconds)
    assert all(later.open_time - earlier.open_time == step for earlier, later in pairwise(bars))
    for bar in bars:
        kline = await kline_of(venue, bar.symbol.replace("-", ""), bar)
        assert (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trade_count) == (
            *map(Decimal, kline[1:6]),
            kline[8],
        ), bar


async def test_trades_become_events_rows_and_the_venues_own_candles(ingest, heard, venue, quest, until):
    async with ingest():
        await until(lambda: len(heard.closed_bars(BTC, Timeframe.M5)) >= 2 and len(heard.closed_bars(LTC)) >= 6)
        for symbol in (BTC, LTC):
            numbers = [int(trade.trade_id) for trade in heard.trades(symbol)]
            assert numbers == list(range(numbers[0], numbers[-1] + 1))
            await assert_recorded_exactly_once(venue, quest, until, symbol, numbers[0], numbers[-1])
            for timeframe in (Timeframe.M1, Timeframe.M5):
                await assert_bars_are_the_venues(venue, heard.closed_bars(symbol, timeframe))
        quote = heard.of(QuoteChanged, BTC)[-1]
        assert quote.bid < quote.ask
        assert quote.event_time.year == 2022
        assert quote.received_time.year > 2022
        health = await until(lambda: heard.health().state is FeedState.LIVE and heard.health())
        assert (health.replay, health.gaps, health.stale_symbols) == (True, 0, ())
        assert health.latency_ms is not None

        async def quotes_and_bars_are_kept():
            [[quotes]] = await quest.rows("SELECT count() FROM quote")
            [[fives]] = await quest.rows("SELECT count() FROM bar WHERE timeframe = '5m' AND symbol = 'BTC-USDT'")
            return quotes > 0 and fives >= 98

        await until(quotes_and_bars_are_kept)


async def test_a_candle_is_closed_by_the_first_trade_after_it_and_carries_its_trace(ingest, heard, quest, until):
    trace.set_tracer_provider(TracerProvider())

    def closed_by_a_trade():
        """Candles that waited for nothing, with the trade after them; the first may wait for history."""
        for bar in heard.closed_bars(BTC):
            closer = next((t for t in heard.trades(BTC) if t.event_time >= bar.open_time + timedelta(minutes=1)), None)
            if closer is not None and closer.traceparent == bar.traceparent is not None:
                yield bar, closer

    async with ingest():
        await until(lambda: len(list(closed_by_a_trade())) >= 3)
    for bar, closer in closed_by_a_trade():
        assert heard.events.index(bar) < heard.events.index(closer)
    assert sum(trade.traceparent is not None for trade in heard.trades(BTC)) < len(heard.trades(BTC)) / 2


async def test_cut_sockets_are_taken_up_again_and_nothing_is_missing(ingest, heard, venue, quest, until):
    async with ingest():
        await until(lambda: len(heard.closed_bars(BTC)) >= 2)
        for cuts in (1, 2):
            await venue.admin("POST", "/admin/sockets/drop", {"kind": "market"})
            await until(lambda: any(h.state is FeedState.DOWN for h in heard.of(FeedHealthChanged)))
            told = len(heard.closed_bars(BTC))
            await until(lambda told=told: len(heard.closed_bars(BTC)) >= told + 3)
            await until(lambda cuts=cuts: heard.health().reconnects >= 2 * cuts)
        assert heard.health().state is FeedState.LIVE
        numbers = sorted(int(trade.trade_id) for trade in heard.trades(BTC))
        await until(
            lambda: (
                sorted(int(t.trade_id) for t in heard.trades(BTC))[: numbers[-1] - numbers[0] + 1]
                == list(range(numbers[0], numbers[-1] + 1))
            )
        )
        await assert_recorded_exactly_once(venue, quest, until, BTC, numbers[0], numbers[-1])
        await assert_bars_are_the_venues(venue, heard.closed_bars(BTC))


async def test_a_socket_that_is_connected_but_mute_is_found_out_and_replaced(ingest, heard, venue, quest, until):
    async with ingest(
        mute_after=timedelta(seconds=3),
        mute_trades_after=timedelta(seconds=3),
        quiet_after=timedelta(seconds=0.3),
        stale_after=timedelta(seconds=0.6),
    ):
        await until(lambda: len(heard.closed_bars(BTC)) >= 1)
        await venue.admin("POST", "/admin/sockets/mute", {"muted": True})
        await until(lambda: any(h.state is FeedState.STALE for h in heard.of(FeedHealthChanged)))
        await until(lambda: any(h.state is FeedState.DOWN for h in heard.of(FeedHealthChanged)))
        assert any(set(h.stale_symbols) == {BTC, LTC} for h in heard.of(FeedHealthChanged))
        await venue.admin("POST", "/admin/sockets/mute", {"muted": False})
        told = len(heard.closed_bars(BTC))
        await until(lambda: len(heard.closed_bars(BTC)) >= told + 2)
        await until(lambda: heard.health().state is FeedState.LIVE)
        await assert_bars_are_the_venues(venue, heard.closed_bars(BTC))


async def test_questdb_killed_in_mid_stream_loses_and_doubles_nothing(ingest, heard, venue, quest, servers, until):
    async with ingest() as app:
        await until(lambda: len(heard.trades(BTC)) >= 40)
        await servers.kill("questdb")
        at_kill = len(heard.trades(BTC))
        await until(lambda: len(heard.trades(BTC)) >= at_kill + 60)
        assert "history store" in await app.health.problems()
        await servers.start("questdb")
        await until(lambda: len(heard.trades(BTC)) >= at_kill + 120)
        numbers = [int(trade.trade_id) for trade in heard.trades(BTC)]
        await assert_recorded_exactly_once(venue, quest, until, BTC, numbers[0], numbers[-1])

        async def well():
            return await app.health.problems() == {}

        await until(well)


async def test_a_bus_killed_in_mid_stream_costs_no_trade_in_the_store(ingest, heard, venue, quest, servers, until):
    async with ingest(overdue_after=timedelta(seconds=4)):
        await until(lambda: len(heard.trades(BTC)) >= 40)
        first = int(heard.trades(BTC)[0].trade_id)
        await servers.kill("nats")
        await asyncio.sleep(1)
        await servers.start("nats")
        await migrate.up(servers.addresses, streams=True, services=())
        newest = (await venue.admin("GET", "/api/v3/trades?symbol=BTCUSDT&limit=1"))[0]["id"]
        await assert_recorded_exactly_once(venue, quest, until, BTC, first, newest)
        told = len(heard.closed_bars(BTC))
        await until(lambda: len(heard.closed_bars(BTC)) >= told + 2)


async def test_after_a_restart_the_tape_is_continued_and_only_missing_candles_are_fetched(
    ingest, heard, venue, quest, until
):
    async with ingest(history_candles=300):
        await until(lambda: len(heard.closed_bars(BTC)) >= 3)
        first = int(heard.trades(BTC)[0].trade_id)

        async def history_is_there():
            [[count]] = await quest.rows("SELECT count() FROM bar WHERE symbol = 'LTC-USDT' AND timeframe = '1m'")
            return count >= 300

        await until(history_is_there)
    await asyncio.sleep(1)
    stopped_at = len(heard.trades(BTC))
    async with ingest(history_candles=300):
        await until(lambda: len(heard.trades(BTC)) > stopped_at + 40 and heard.closed_bars(BTC))
        last = int(heard.trades(BTC)[-1].trade_id)
        await assert_recorded_exactly_once(venue, quest, until, BTC, first, last)
        told = len(heard.closed_bars(BTC))
        await until(lambda: len(heard.closed_bars(BTC)) > told)

        async def whole():
            rows = await quest.rows(
                "SELECT count(), count_distinct(ts), min(ts), max(ts) FROM bar"
                " WHERE symbol = 'BTC-USDT' AND timeframe = '1m'"
            )
            count, distinct, begin, end = rows[0]
            minutes = (datetime.fromisoformat(end) - datetime.fromisoformat(begin)) // timedelta(minutes=1) + 1
            return count == distinct == minutes

        await until(whole)


async def test_candles_are_answered_out_of_memory_and_store_alike(ingest, heard, venue, caller, quest, until):
    async with ingest():
        await until(lambda: len(heard.closed_bars(BTC)) >= 2)

        def ask(**fields):
            return caller(rpc.CANDLES, rpc.CandlesAsked(**({"venue": "binance", "symbol": BTC} | fields)))

        newest = await ask(timeframe=Timeframe.M1, limit=400)
        assert len(newest.candles) == 400
        assert not newest.candles[-1].closed
        assert all(candle.closed for candle in newest.candles[:-1])
        steps = {later.open_time - earlier.open_time for earlier, later in pairwise(newest.candles)}
        assert steps == {timedelta(minutes=1)}

        page = await ask(timeframe=Timeframe.M1, start=newest.candles[10].open_time, limit=50)
        assert (page.candles, page.more) == (newest.candles[10:60], True)
        window = await ask(
            timeframe=Timeframe.M1, start=newest.candles[0].open_time, end=newest.candles[3].open_time, limit=50
        )
        assert (window.candles, window.more) == (newest.candles[:3], False)

        four = await ask(timeframe=Timeframe.H4, limit=3)
        hours = await ask(timeframe=Timeframe.H1, limit=500)
        whole = next(candle for candle in four.candles if candle.closed)
        parts = [
            candle
            for candle in hours.candles
            if whole.open_time <= candle.open_time < whole.open_time + timedelta(hours=4)
        ]
        assert (whole.open, whole.close, whole.volume) == (
            parts[0].open,
            parts[-1].close,
            sum(part.volume for part in parts),
        )

        assert await ask(timeframe=Timeframe.M1, symbol="DOGE-USDT") == "unknown_instrument"
        assert await ask(timeframe=Timeframe.M1, limit=0) == "bad_limit"
        noon = newest.candles[0].open_time
        assert await ask(timeframe=Timeframe.M1, start=noon, end=noon) == "bad_range"


async def test_instruments_quotes_and_feeds_are_answered(ingest, heard, caller, quest, until):
    async with ingest():
        await until(lambda: heard.of(QuoteChanged, LTC) and heard.trades(LTC) and heard.of(QuoteChanged, BTC))
        instruments = (await caller(rpc.INSTRUMENTS, Nothing())).instruments
        bitcoin = next(instrument for instrument in instruments if instrument.symbol == BTC)
        assert (bitcoin.base, bitcoin.quote) == ("BTC", "USDT")
        assert (bitcoin.price_step, bitcoin.quantity_step, bitcoin.min_notional) == (
            Decimal("0.01"), Decimal("0.000001"), Decimal(5)
        )  # fmt: skip
        assert bitcoin.taker_fee == Decimal("0.001")
        quotes = (await caller(rpc.QUOTES, Nothing())).quotes
        assert {row.quote.symbol for row in quotes} == {BTC, LTC}
        assert all(row.quote.bid < row.quote.ask for row in quotes)
        [feed] = (await caller(rpc.FEEDS, Nothing())).feeds
        assert (feed.venue, feed.state, feed.replay) == ("binance", FeedState.LIVE, True)


async def test_a_venue_that_comes_late_is_waited_for(ingest, heard, venue, quest, until, caller):
    fault = {"kind": "error_before", "path": "/api/v3/exchangeInfo", "method": "GET", "times": 2}
    await venue.admin("POST", "/admin/faults", fault)
    async with ingest():
        assert await caller(rpc.INSTRUMENTS, Nothing()) == "failed"
        await until(lambda: heard.trades(BTC))
        assert len((await caller(rpc.INSTRUMENTS, Nothing())).instruments) == 2
