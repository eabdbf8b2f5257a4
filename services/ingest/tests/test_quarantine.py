"""Trades set aside, kept while the store is away, told once, and given back once; and venues that are apart."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_common.clock import ManualClock
from algotrendy_common.enums import Severity, Side
from algotrendy_common.errors import Refused
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.market import QuoteChanged
from algotrendy_common.rpc.ingest import QuarantineAsked, RestoreAsked
from algotrendy_ingest.domain.market import Market
from algotrendy_ingest.domain.ticks import Stamp, TradeTick
from algotrendy_ingest.errors import StoreAway
from algotrendy_ingest.handlers.crosscheck import CrossCheck
from algotrendy_ingest.handlers.quarantine import Quarantine, Restoring
from algotrendy_ingest.store.quarantine import SetAside

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
