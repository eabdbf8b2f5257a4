"""Trades set aside, kept while the store is away, told once, and given back once; and venues that are apart."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_common.clock import ManualClock
from algotrendy_common.enums import Severity, Side, Timeframe
from algotrendy_common.errors import Refused
from algotrendy_common.events.event import Event, EventFactory
from algotrendy_common.events.market import QuoteChanged, TradePrinted
from algotrendy_common.rpc import ingest as rpc
from algotrendy_common.rpc.ingest import QuarantineAsked, RestoreAsked
from algotrendy_ingest.domain.health import FeedHealth
from algotrendy_ingest.domain.market import Market
from algotrendy_ingest.domain.ticks import Stamp, TradeTick
from algotrendy_ingest.errors import StoreAway
from algotrendy_ingest.handlers.announcer import Announcer
from algotrendy_ingest.handlers.crosscheck import CrossCheck
from algotrendy_ingest.handlers.live import LiveHandlers
from algotrendy_ingest.handlers.quarantine import Quarantine, Restoring
from algotrendy_ingest.handlers.recorder import Recorder
from algotrendy_ingest.store.connection import Quest
from algotrendy_ingest.store.quarantine import QuarantineStore, SetAside

NOON = datetime(2022, 12, 13, 12, tzinfo=UTC)
CLOCK = ManualClock(NOON)


class Kept:
    """A ``QuarantineStore`` in memory that can be away."""

    def __init__(self) -> None:
        self.rows: dict[str, SetAside] = {}
        self.away = False

    async def write(self, trades) -> None:
        if self.away:
            raise StoreAway("QuestDB does not answer")
        self.rows |= {trade.trade_id: trade for trade in trades}

    async def newest(self, venue, symbol, limit) -> list[SetAside]:
        return list(self.rows.values())[:limit]

    async def one(self, venue, symbol, trade_id) -> SetAside | None:
        return self.rows.get(trade_id)


class Alarm:
    def __init__(self) -> None:
        self.told: list[tuple[Severity, str, str]] = []

    async def alert(self, severity, code, message, **context) -> None:
        self.told.append((severity, code, message))


def tick(trade_id: str, price: str = "1") -> TradeTick:
    return TradeTick(
        "BTC-USDT", trade_id, int(trade_id), Decimal(price), Decimal(2), Side.BUY, NOON, Stamp(NOON, 0.0, 0)
    )


async def test_trades_wait_while_the_store_is_away_and_people_are_told_once() -> None:
    kept, alarm = Kept(), Alarm()
    quarantine = Quarantine(kept, alarm, CLOCK)
    kept.away = True
    quarantine.set_aside("binance", tick("1"), "far off")
    quarantine.set_aside("binance", tick("2"), "far off")
    await quarantine.write()
    await quarantine.tell()
    assert kept.rows == {}
    [(severity, code, message)] = alarm.told
    assert (severity, code) == (Severity.WARNING, "price_set_aside")
    assert message == "binance printed BTC-USDT at 1, which is not believed: far off"
    kept.away = False
    quarantine.set_aside("binance", tick("3"), "far off")
    quarantine.given_back("binance", tick("2"))
    await quarantine.write()
    await quarantine.tell()
    assert {trade_id: row.restored for trade_id, row in kept.rows.items()} == {"1": False, "2": True, "3": False}
    assert len(alarm.told) == 1
    asked = await quarantine.asked(QuarantineAsked())
    assert [(trade.trade_id, trade.restored) for trade in asked.trades] == [("1", False), ("2", True), ("3", False)]


async def test_a_trade_is_given_back_once_on_a_persons_word() -> None:
    kept, delivered = Kept(), []
    quarantine = Quarantine(kept, Alarm(), CLOCK)
    quarantine.set_aside("binance", tick("1", "9"), "far off")
    await quarantine.write()
    restoring = Restoring(kept, {"binance": delivered.append}, CLOCK)
    asked = RestoreAsked(venue="binance", symbol="BTC-USDT", trade_id="1")
    restored = await restoring.restore(asked)
    assert restored.restored
    [back] = delivered
    assert (back.trade_id, back.price, back.quantity, back.event_time) == ("1", Decimal(9), Decimal(2), NOON)
    for wrong, code in (
        (asked, "restored_already"),
        (asked.model_copy(update={"trade_id": "7"}), "not_set_aside"),
    ):
        with pytest.raises(Refused) as refused:
            await restoring.restore(wrong)
        assert refused.value.code == code
    kept.rows["8"] = replace(kept.rows["1"], trade_id="8", restored=False)
    with pytest.raises(Refused, match="not among the feeds"):
        await Restoring(kept, {}, CLOCK).restore(asked.model_copy(update={"trade_id": "8"}))
    assert len(delivered) == 1


def quoted(price: str, at: datetime = NOON) -> Market:
    quote = EventFactory("ingest", CLOCK).make(
        QuoteChanged, event_time=at, venue="x", symbol="BTC-USDT", bid=Decimal(price), bid_quantity=Decimal(1),
        ask=Decimal(price), ask_quantity=Decimal(1),
    )  # fmt: skip
    return Market("BTC-USDT", quote=quote)


async def test_venues_that_stay_apart_are_told_once_an_episode() -> None:
    alarm = Alarm()
    venues = {"binance": {"BTC-USDT": quoted("100")}, "okx": {"BTC-USDT": quoted("100.05")}}
    check = CrossCheck(venues, alarm, looks=3)

    async def looks(count: int, price: str, at: datetime = NOON) -> int:
        venues["okx"]["BTC-USDT"] = quoted(price, at)
        for _ in range(count):
            await check.look()
        return len(alarm.told)

    assert await looks(5, "100.05") == 0
    assert await looks(2, "100.2") == 0
    assert await looks(1, "100.05") == 0
    assert await looks(9, "100.2") == 1
    assert alarm.told[0] == (
        Severity.WARNING, "venues_apart", "binance and okx are 0.20% apart on BTC-USDT, more than 0.1%",
    )  # fmt: skip
    assert await looks(1, "100.05") == 1
    assert await looks(9, "120", NOON - timedelta(minutes=1)) == 1
    assert await looks(3, "99") == 2


class Bus:
    """What was published, in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def publish(self, event: Event) -> None:
        self.events.append(event)

    @property
    def trades(self) -> list[str]:
        return [event.trade_id for event in self.events if isinstance(event, TradePrinted)]


class Line:
    venue = "binance"
    venue_time = NOON


async def test_the_feed_holds_a_slip_back_and_gives_a_crash_on_in_order(until) -> None:
    bus, kept = Bus(), Kept()
    quarantine = Quarantine(kept, Alarm(), CLOCK)
    health = FeedHealth(("BTC-USDT",), timedelta(seconds=3), timedelta(seconds=10))
    recorder = Recorder(kept, CLOCK, overdue_after=timedelta(seconds=45))
    announcer = Announcer(bus, EventFactory("ingest", CLOCK), CLOCK, Line(), health, recorder, replay=False)
    market = Market("BTC-USDT")
    live = LiveHandlers(announcer, Line(), {"BTC-USDT": market}, health, quarantine)
    for number, price in enumerate(("100", "101", "9", "100", "60", "61", "60", "61"), start=1):
        await live.handle(tick(str(number), price))
    await quarantine.write()
    assert bus.trades == ["1", "2", "4", "5", "6", "7", "8"]
    assert {trade_id: row.restored for trade_id, row in kept.rows.items()} == {"3": False, "5": True, "6": True}
    assert "-91.0% off the newest, 100" in kept.rows["3"].reason
    live.restore(tick("3", "9"))
    work = asyncio.create_task(live.work_forever())
    await until(lambda: bus.trades[-1] == "3")
    work.cancel()
    assert market.series.growing(Timeframe.M1).low == 9


@pytest.mark.timeout(900)  # the servers' start is in it
async def test_a_trade_set_aside_comes_back_through_the_service(ingest, heard, caller, quest, servers, until) -> None:
    """On real servers: listed, given back onto the tape and into the store, and no second time."""
    store = Quest(servers.addresses.questdb_url)
    await store.command("DROP TABLE IF EXISTS quarantine")
    aside = SetAside("binance", "BTC-USDT", "7", NOON, Side.SELL, Decimal("1.25"), Decimal("0.5"), "far off")
    await QuarantineStore(store).write([aside, replace(aside, trade_id="8", restored=True)])
    await store.applied("quarantine")
    try:
        async with ingest():
            await until(lambda: heard.trades("BTC-USDT"))
            listed = await caller(rpc.QUARANTINE, rpc.QuarantineAsked(venue="binance"))
            assert {(trade.trade_id, trade.price, trade.restored) for trade in listed.trades} == {
                ("7", Decimal("1.25"), False), ("8", Decimal("1.25"), True),
            }  # fmt: skip
            wanted = rpc.RestoreAsked(venue="binance", symbol="BTC-USDT", trade_id="7")
            assert (await caller(rpc.RESTORE, wanted)).restored
            back = await until(lambda: [trade for trade in heard.trades("BTC-USDT") if trade.trade_id == "7"])
            assert (back[0].price, back[0].quantity, back[0].event_time) == (Decimal("1.25"), Decimal("0.5"), NOON)
            await until(lambda: quest.try_rows("SELECT 1 FROM trade WHERE trade_id = '7' AND symbol = 'BTC-USDT'"))
            await store.applied("quarantine")
            assert await caller(rpc.RESTORE, wanted) == "restored_already"
            assert len([trade for trade in heard.trades("BTC-USDT") if trade.trade_id == "7"]) == 1
    finally:
        await store.command("DROP TABLE IF EXISTS quarantine")
        await store.close()
