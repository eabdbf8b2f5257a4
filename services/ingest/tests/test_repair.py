"""Tables that QuestDB suspended, for real: told to in its mode for developers, or by files that were cut off."""

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_common.enums import Severity, Timeframe
from algotrendy_core.bars import Bar
from algotrendy_ingest.handlers.mending import Mending, RowsLost
from algotrendy_ingest.store import QuestStore
from algotrendy_ingest.store.repair import Repair, Step
from algotrendy_local.testing import running_servers

DAY = datetime(2022, 12, 13, tzinfo=UTC)


class Told:
    """People, as the alarm reaches them."""

    def __init__(self):
        self.alerts = []

    async def alert(self, severity, code, message, **context):
        self.alerts.append((severity, code))


@pytest.fixture
async def own(monkeypatch):
    """A QuestDB that lets a table be suspended by hand."""
    monkeypatch.setenv("QDB_DEV_MODE_ENABLED", "true")
    async with running_servers("questdb") as servers:
        yield servers


def bars(first, last):
    one = Decimal(1)
    return [
        Bar(Timeframe.M1, DAY + timedelta(minutes=minute), one, one, one, one, one, one, 1, complete=True)
        for minute in range(first, last)
    ]


async def count(store):
    [[rows]] = await store.quest.command("SELECT count() FROM bar")
    return rows


@pytest.mark.timeout(600)
async def test_a_suspended_table_is_resumed_passed_over_or_made_anew(own, until):
    store = QuestStore(own.addresses.questdb_url)
    told = Told()
    mending = Mending(Repair(store.quest), told)
    try:
        await store.write_bars("binance", "BTC-USDT", bars(0, 10))
        await store.quest.applied("bar")

        # Suspended with rows waiting: resumed, and nothing is lost.
        await store.quest.command("ALTER TABLE bar SUSPEND WAL")
        await store.write_bars("binance", "BTC-USDT", bars(10, 20))
        assert await store.problem() == "suspended tables: bar"
        await mending.look()
        await store.quest.applied("bar")
        assert (await count(store), await store.problem()) == (20, None)
        assert told.alerts == [(Severity.WARNING, "table_suspended")]

        # Suspended by what cannot be applied: two transactions whose file is cut off.
        await store.quest.command("ALTER TABLE bar SUSPEND WAL")
        await store.write_bars("binance", "BTC-USDT", bars(20, 30))
        await store.write_bars("binance", "BTC-USDT", bars(30, 40))
        await own.processes["questdb"].stop()
        segments = (own.home.data("questdb") / "db").glob("bar~*/wal*/*/close.d")
        os.truncate(max(segments, key=lambda file: file.stat().st_mtime), 0)
        await own.start("questdb")

        repair = Repair(store.quest)
        taken = []

        async def mended():
            for one in await repair.round():
                taken.append((one.step, one.lost))
            return (Step.REBUILT, True) in taken

        await until(mended, 120)
        assert taken[0] == (Step.RESUMED, False)
        assert (Step.SKIPPED, True) in taken
        assert (await count(store), await store.problem()) == (20, None)

        # It is the table that it was: keys, time to live, and it takes rows again.
        for _ in range(2):
            await store.write_bars("binance", "BTC-USDT", bars(20, 40))
        await store.quest.applied("bar")
        assert await count(store) == 40
        [[keys, days]] = await store.quest.command("SELECT dedup, ttlValue FROM tables() WHERE table_name = 'bar'")
        assert (keys, days) == (True, 365)
        assert {row[0] for row in await store.quest.command("SELECT view_status FROM materialized_views()")} == {
            "valid"
        }
    finally:
        await store.close()


async def test_the_service_ends_where_rows_were_lost_so_that_its_start_fetches_them(own):
    store = QuestStore(own.addresses.questdb_url)
    told = Told()
    repair = Repair(store.quest)
    try:
        await store.migrate()
        await store.quest.command("ALTER TABLE trade SUSPEND WAL")
        [table] = await repair.suspended()
        repair._tried[table.name] = (table.applied, Step.RESUMED)  # resuming it did not help before
        with pytest.raises(RowsLost, match="rows of trade"):
            await Mending(repair, told).look()
        assert told.alerts == [(Severity.CRITICAL, "table_suspended")]
        assert await store.problem() is None
    finally:
        await store.close()


async def test_how_long_rows_are_kept_can_be_changed_and_longer_candles_are_made_of_minutes(own, until):
    store = QuestStore(own.addresses.questdb_url)
    await store.migrate()
    await store.close()
    shorter = QuestStore(own.addresses.questdb_url, retention=timedelta(days=28), candle_retention=timedelta(days=1000))
    try:
        await shorter.migrate()
        kept = await shorter.quest.command("SELECT table_name, ttlValue, ttlUnit FROM tables()")
        days = {name: value * {"DAY": 1, "WEEK": 7}[unit] for name, value, unit in kept if value}
        assert {days[name] for name in ("trade", "quote", "book", "signal", "feed_health")} == {28}
        assert {days[name] for name in ("bar", "absent", "bar_5m", "bar_1d")} == {1000}

        await shorter.write_bars("binance", "BTC-USDT", bars(0, 13))
        await shorter.quest.applied("bar")
        await shorter.quest.command("REFRESH MATERIALIZED VIEW bar_5m INCREMENTAL")

        async def made():
            found = await shorter.candles("binance", "BTC-USDT", Timeframe.M5, None, None, 10)
            return [(candle.open_time, candle.volume) for candle in found]

        # The third has three of its five minutes, and is not told.
        assert await until(made) == [(DAY, 5), (DAY + timedelta(minutes=5), 5)]
    finally:
        await shorter.close()
