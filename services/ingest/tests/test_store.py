from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_common.clock import ManualClock
from algotrendy_common.enums import FeedState, Side, Timeframe
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.market import (
    BarUpdated,
    BookLevel,
    BookSnapshotTaken,
    FeedHealthChanged,
    QuoteChanged,
    TradePrinted,
)
from algotrendy_common.events.signal import SignalRaised
from algotrendy_ingest.errors import StoreAway
from algotrendy_ingest.handlers.recorder import Recorder
from algotrendy_ingest.store import QuestStore
from algotrendy_ingest.store.questions import StoreQuestions

NOON = datetime(2022, 12, 13, 12, tzinfo=UTC)
CLOCK = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
EVENTS = EventFactory("ingest", CLOCK)


@pytest.fixture
async def store(servers, quest):
    store = QuestStore(servers.addresses.questdb_url)
    yield store
    await store.close()


def trade(trade_id: str, price: str = "17000.01", time: datetime = NOON) -> TradePrinted:
    return EVENTS.make(
        TradePrinted, event_time=time, venue="binance", symbol="BTC-USDT", trade_id=trade_id,
        price=price, quantity="0.00000001", side=Side.BUY,
    )  # fmt: skip


def bar(minute: int, close: str = "100", *, closed: bool = True) -> BarUpdated:
    return EVENTS.make(
        BarUpdated, event_time=NOON, venue="binance", symbol="BTC-USDT", timeframe=Timeframe.M1,
        open_time=NOON + timedelta(minutes=minute), open="100", high="101", low="99", close=close, volume="1.5",
        trade_count=3, closed=closed,
    )  # fmt: skip


def quote(time: datetime = NOON, bid: str = "1") -> QuoteChanged:
    return EVENTS.make(
        QuoteChanged, event_time=time, venue="binance", symbol="BTC-USDT", bid=bid, bid_quantity="2", ask="3",
        ask_quantity="0",
    )  # fmt: skip


async def test_tables_can_be_made_again_and_again(store, quest):
    await store.migrate()
    await store.migrate()
    tables = {row[0] for row in await quest.rows("SELECT table_name FROM tables() WHERE dedup")}
    assert {"trade", "quote", "bar"} <= tables


async def test_a_batch_written_twice_is_there_once(store, quest, until):
    batch = [trade("1"), trade("2"), trade("3")]
    quotes = [quote(), quote()]
    for _ in range(2):
        await store.write_trades(batch)
        await store.write_quotes(quotes)

    async def settled():
        rows = await quest.rows("SELECT name FROM wal_tables() WHERE writerTxn = sequencerTxn AND sequencerTxn = 2")
        return {"trade", "quote"} <= {row[0] for row in rows}

    await until(settled)
    assert await quest.rows("SELECT count() FROM trade") == [[3]], "trades of one microsecond must all be kept"
    assert await quest.rows("SELECT count() FROM quote") == [[2]]


async def test_books_signals_and_health_are_kept_each_once(store, quest, until):
    book = EVENTS.make(
        BookSnapshotTaken, event_time=NOON, venue="binance", symbol="BTC-USDT", sequence=7,
        bids=(BookLevel(price="17000.000000000000000001", quantity="2"),), asks=(),
    )  # fmt: skip
    signal = EVENTS.make(
        SignalRaised, event_time=NOON, strategy="trend", venue="binance", symbol="BTC-USDT", timeframe=Timeframe.M5,
        account="paper-1", target="-0.5", reason="it's over", price="17000.1",
    )  # fmt: skip
    health = EVENTS.make(
        FeedHealthChanged, event_time=NOON, venue="binance", state=FeedState.STALE, latency_ms=0.25,
        last_message_at=None, stale_symbols=("BTC-USDT", "LTC-USDT"), gaps=1, reconnects=2, replay=True,
        watermark=NOON,
    )  # fmt: skip
    recorder = Recorder(store, CLOCK, overdue_after=timedelta(seconds=30))
    for _ in range(2):
        await recorder.books([book])
        await recorder.signals([signal])
        await recorder.health([health])

    async def told():
        found = await store.quest.command("SELECT sequence, bids, asks FROM book")
        signals = await store.quest.command("SELECT strategy, target, price, reason FROM signal")
        states = await store.quest.command(
            "SELECT state, latency_ms, last_message, stale, gaps, watermark FROM feed_health"
        )
        return found and signals and states and (found, signals, states)

    books, signals, states = await until(told)
    assert books == [[7, '[["17000.000000000000000001","2"]]', "[]"]]
    assert [(row[0], Decimal(row[1]), Decimal(row[2]), row[3]) for row in signals] == [
        ("trend", Decimal("-0.5"), Decimal("17000.1"), "it's over")
    ]
    assert states == [["stale", 0.25, None, "BTC-USDT,LTC-USDT", 1, "2022-12-13T12:00:00.000000Z"]]
    assert (await StoreQuestions(store.quest).book_at("binance", "BTC-USDT", NOON)).bids == book.bids


async def test_what_a_candle_was_before_its_correction_comes_too_late(store, quest, until):
    recorder = Recorder(store, CLOCK, overdue_after=timedelta(seconds=30))
    before, after = bar(0, "1"), bar(0, "2").model_copy(update={"corrected": True})
    recorder.owe(before)
    recorder.owe(after)
    await recorder.bars([before])
    assert recorder.owed == 1, "the correction is still owed"
    await recorder.bars([after])
    await recorder.bars([before])
    assert recorder.owed == 0
    await store.quest.applied("bar")
    assert [Decimal(row[0]) for row in await quest.rows("SELECT close FROM bar")] == [2]


async def test_numbers_come_back_to_the_last_digit(store, quest, until):
    await store.write_trades([trade("1", price="17000.000000000000000001")])
    [[price, quantity, received]] = await until(lambda: quest.try_rows("SELECT price, quantity, received FROM trade"))
    assert (Decimal(price), Decimal(quantity)) == (Decimal("17000.000000000000000001"), Decimal("0.00000001"))
    assert datetime.fromisoformat(received) == CLOCK.now()


async def test_candles_are_read_from_a_start_or_as_the_newest(store, until):
    await store.write_bars("binance", "BTC-USDT", [bar(number, str(100 + number)) for number in range(10)])

    async def read(start=None, end=None, limit=100):
        candles = await store.candles("binance", "BTC-USDT", Timeframe.M1, start, end, limit)
        return [int(candle.close) - 100 for candle in candles]

    def at(minute):
        return NOON + timedelta(minutes=minute)

    await until(lambda: _equals(read(), list(range(10))))
    assert await read(limit=3) == [7, 8, 9]
    assert await read(end=at(5), limit=2) == [3, 4]
    assert await read(start=at(2), limit=3) == [2, 3, 4]
    assert await read(start=at(8), end=at(9)) == [8]
    assert await store.open_times("binance", "BTC-USDT", Timeframe.M1, at(8), at(20)) == {at(8), at(9)}
    assert await store.candles("binance", "LTC-USDT", Timeframe.M1, None, None, 5) == []


async def test_the_newest_trade_of_each_symbol_is_known(store, until):
    await store.write_trades([trade("7"), trade("9", time=NOON + timedelta(seconds=1))])
    await until(lambda: _equals(store.newest_trade_ids("binance"), {"BTC-USDT": "9"}))
    assert await store.newest_trade_ids("kraken") == {}


async def test_the_last_quote_received_before_a_time_is_found_whatever_the_venues_clock_says(store, until):
    """A recording of 2022 that is played in 2026."""
    received = [CLOCK.now() + timedelta(seconds=second) for second in range(3)]
    quotes = [
        quote(NOON + timedelta(minutes=number), str(number + 1)).model_copy(update={"received_time": time})
        for number, time in enumerate(received)
    ]
    await store.write_quotes(quotes)

    async def bid(received_before: datetime, since: datetime = NOON) -> Decimal | None:
        found = await store.quote_before("binance", "BTC-USDT", since, received_before)
        return found and found.bid

    await until(lambda: _equals(bid(received[2] + timedelta(seconds=1)), Decimal(3)))
    assert await bid(received[2]) == 2, "before, not at"
    assert await bid(received[0]) is None
    assert await bid(received[2], since=NOON + timedelta(minutes=1)) == 2
    assert await bid(received[2], since=NOON - timedelta(days=2)) is None
    assert await store.quote_before("binance", "LTC-USDT", NOON, received[2]) is None


async def test_a_store_that_is_not_there_is_away_and_says_so():
    store = QuestStore("http://127.0.0.1:9")
    try:
        with pytest.raises(StoreAway):
            await store.write_trades([trade("1")])
        with pytest.raises(StoreAway):
            await store.newest_trade_ids("binance")
        assert "does not answer" in (await store.problem() or "")
    finally:
        await store.close()


async def test_growing_candles_are_not_recorded(store, quest, until):
    recorder = Recorder(store, CLOCK, overdue_after=timedelta(seconds=30))
    await recorder.bars([bar(0, "1", closed=False), bar(0, "2"), bar(1, "3", closed=False)])
    assert await until(lambda: quest.try_rows("SELECT ts, close FROM bar")) == [
        ["2022-12-13T12:00:00.000000Z", "2.000000000000000000"]
    ]


async def test_what_the_bus_lost_is_written_out_of_the_ledger(store, quest, until):
    recorder = Recorder(store, CLOCK, overdue_after=timedelta(seconds=30))
    for event in (trade("1"), trade("2"), bar(0)):
        recorder.owe(event)
    await recorder.trades([trade("1")])
    assert recorder.owed == 2
    await recorder.write_overdue()
    assert recorder.owed == 2, "it is not overdue yet"
    CLOCK.advance(timedelta(minutes=1))
    await recorder.write_overdue()
    assert recorder.owed == 0
    await until(lambda: _equals(quest.rows("SELECT count() FROM trade"), [[2]]))
    await until(lambda: _equals(quest.rows("SELECT count() FROM bar"), [[1]]))


async def test_a_ledger_whose_store_is_away_keeps_what_is_owed(quest):
    store = QuestStore("http://127.0.0.1:9")
    recorder = Recorder(store, CLOCK, overdue_after=timedelta(seconds=30))
    recorder.owe(trade("1"))
    CLOCK.advance(timedelta(minutes=1))
    await recorder.write_overdue()
    assert recorder.owed == 1
    await store.close()


async def _equals(answer, wanted):
    return await answer == wanted
