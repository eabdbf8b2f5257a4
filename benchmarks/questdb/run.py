"""QuestDB: rows a second that the recorder writes beside the bare client with the same rows, and how soon it is asked.

Both write the same trades in batches of the same size, in turns, into tables of the same shape; the bare client has its
rows ready, the recorder has events off the bus. Time is the processor's of this process as well as the clock's: on a
machine that does other things too the clock says little. Then a day of minutes and the newest trade of each symbol are
asked for, without the cache and with it.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import batched

import questdb
from algotrendy_common.clock import SystemClock, monotonic_s
from algotrendy_common.enums import Side, Timeframe
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.market import TradePrinted
from algotrendy_core.bars import Bar
from algotrendy_ingest.adapters.answer_cache import AnswerCache
from algotrendy_ingest.handlers.recorder import Recorder
from algotrendy_ingest.store import rows
from algotrendy_ingest.store.cached import CachedStore
from algotrendy_local.testing import Servers, running_servers

from benchmarks.result import close, percentile

ROWS = int(os.environ.get("ALGOTRENDY_BENCH_ROWS", "100000"))
BATCH = 2000
TURNS = 5
ASKED = 200
DAY = datetime(2022, 12, 13, tzinfo=UTC)
SYMBOLS = ("BTC-USDT", "ETH-USDT", "LTC-USDT", "XRP-USDT")


def trades(count: int) -> list[TradePrinted]:
    events = EventFactory("ingest", SystemClock())
    return [
        events.make(
            TradePrinted,
            event_time=DAY + timedelta(milliseconds=number),
            venue="binance",
            symbol=SYMBOLS[number % len(SYMBOLS)],
            trade_id=str(number),
            price=Decimal("17000.01") + number % 1000,
            quantity=Decimal("0.00012345"),
            side=Side.BUY if number % 2 else Side.SELL,
        )
        for number in range(count)
    ]


async def timed(work: Awaitable[None]) -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    began, processor = monotonic_s(), time.process_time()
    await work
    return monotonic_s() - began, time.process_time() - processor


async def bare(sender: questdb.Sender, made: list[rows.Row]) -> None:
    """As its documentation has it: a buffer of rows, flushed."""
    for batch in batched(made, BATCH, strict=False):
        buffer = sender.new_buffer()
        for symbols, columns, at in batch:
            buffer.row("bare", symbols=symbols, columns=columns, at=questdb.TimestampNanos.from_datetime(at))
        await asyncio.to_thread(sender.flush, buffer, transactional=True)


async def recorded(recorder: Recorder, events: list[TradePrinted]) -> None:
    for batch in batched(events, BATCH, strict=False):
        await recorder.trades(list(batch))


async def writing(servers: Servers, store: CachedStore) -> dict[str, float]:
    events = trades(ROWS)
    made = [rows.trade_row(event) for event in events]
    await store.migrate()
    [[shape]] = await store.quest.command("SHOW CREATE TABLE trade")
    await store.quest.command(shape.replace("'trade'", "'bare'", 1).rstrip(";"))
    url = servers.addresses.questdb_url
    login, _, address = url.partition("://")[2].rpartition("@")
    user, _, password = login.partition(":")
    sender = questdb.Sender.from_conf(
        f"http::addr={address};username={user};password={password};protocol_version=3;auto_flush=off;"
    )
    sender.establish()
    recorder = Recorder(store, SystemClock(), overdue_after=timedelta(seconds=45))
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    for _ in range(TURNS):
        theirs.append(await timed(bare(sender, made)))
        ours.append(await timed(recorded(recorder, events)))
    sender.close(False)
    for table in ("trade", "bare"):
        await store.quest.applied(table)
        [[count]] = await store.quest.command(f"SELECT count() FROM {table}")
        if count != ROWS:
            raise SystemExit(f"{count} rows in {table}, {ROWS} were written")

    def best(measured: list[tuple[float, float]], which: int) -> float:
        return min(each[which] for each in measured)

    return {
        "recorder_rows_per_s": round(ROWS / best(ours, 0)),
        "bare_rows_per_s": round(ROWS / best(theirs, 0)),
        "rate_ratio": round(best(theirs, 0) / best(ours, 0), 3),
        "recorder_rows_per_processor_s": round(ROWS / best(ours, 1)),
        "bare_rows_per_processor_s": round(ROWS / best(theirs, 1)),
        "processor_ratio": round(best(theirs, 1) / best(ours, 1), 3),
    }


async def asking(store: CachedStore) -> dict[str, float]:
    price = Decimal("17000.01")
    for symbol in SYMBOLS:
        minutes = [
            Bar(
                Timeframe.M1, DAY + timedelta(minutes=minute), price, price, price, price, Decimal(1), price, 9,
                complete=True,
            )
            for minute in range(7 * 1440)
        ]  # fmt: skip
        await store.write_bars("binance", symbol, minutes)
    await store.quest.applied("bar")

    async def day_of(number: int) -> None:
        start = DAY + timedelta(days=number % 6, minutes=number)
        found = await super(CachedStore, store).candles(
            "binance", SYMBOLS[number % 4], Timeframe.M1, start, start + timedelta(days=1), 1440
        )
        if len(found) != 1440:
            raise SystemExit(f"{len(found)} candles in a day")

    async def cached_day(number: int) -> None:
        found = await store.candles("binance", "BTC-USDT", Timeframe.M1, DAY, DAY + timedelta(days=1), 1440)
        if len(found) != 1440:
            raise SystemExit(f"{len(found)} candles in a day")

    async def newest(number: int) -> None:
        if len(await store.newest_trade_ids("binance")) != len(SYMBOLS):
            raise SystemExit("not every symbol has a newest trade")

    await asyncio.sleep(6)  # what was just written is not kept in the cache yet
    return {
        **await took("day_uncached", day_of),
        **await took("day_cached", cached_day),
        **await took("latest_on", newest),
    }


async def took(name: str, ask: Callable[[int], Awaitable[None]]) -> dict[str, float]:
    for number in range(20):
        await ask(number)
    measured = []
    for number in range(ASKED):
        began = monotonic_s()
        await ask(number)
        measured.append((monotonic_s() - began) * 1000)
    return {
        f"{name}_p50_ms": round(percentile(measured, 0.5), 2),
        f"{name}_p95_ms": round(percentile(measured, 0.95), 2),
    }


async def measure() -> dict[str, float]:
    async with running_servers("questdb", "redis") as servers:
        cache = AnswerCache(servers.addresses.redis_url)
        store = CachedStore(servers.addresses.questdb_url, cache, SystemClock())
        try:
            return await writing(servers, store) | await asking(store)
        finally:
            await store.close()
            await cache.close()


def main() -> None:
    close(
        "questdb",
        dict(asyncio.run(measure())),
        {
            "rate_ratio": (">=", 0.8),
            "day_uncached_p50_ms": ("<=", 10.0),
            "day_cached_p50_ms": ("<=", 10.0),
            "latest_on_p50_ms": ("<=", 10.0),
        },
    )


if __name__ == "__main__":
    main()
