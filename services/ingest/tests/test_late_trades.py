"""A trade that comes after its minute was told, from the feed to the bus."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from algotrendy_common.clock import ManualClock
from algotrendy_common.enums import Side, Timeframe
from algotrendy_common.events.event import Event, EventFactory
from algotrendy_common.events.market import BarUpdated
from algotrendy_core.bars import Bar
from algotrendy_ingest.domain.health import FeedHealth
from algotrendy_ingest.domain.ladder import MINUTE
from algotrendy_ingest.domain.market import Market
from algotrendy_ingest.domain.series import BarSeries
from algotrendy_ingest.domain.ticks import Stamp, TradeTick
from algotrendy_ingest.handlers.announcer import Announcer
from algotrendy_ingest.handlers.live import LiveHandlers
from algotrendy_ingest.handlers.recorder import Recorder

NOON = datetime(2022, 12, 13, 12, tzinfo=UTC)
CLOCK = ManualClock(NOON)


class Bus:
    def __init__(self) -> None:
        self.events: list[Event] = []

    async def publish(self, event: Event) -> None:
        self.events.append(event)

    def told(self, timeframe: Timeframe) -> list[tuple[int, Decimal, int, bool]]:
        """Minute, close, trades and whether it is a correction, of each closed candle."""
        return [
            ((event.open_time - NOON) // timedelta(minutes=1), event.close, event.trade_count, event.corrected)
            for event in self.events
            if isinstance(event, BarUpdated) and event.closed and event.timeframe is timeframe
        ]


class Line:
    venue = "kraken"
    venue_time = NOON


async def test_the_correction_of_a_candle_is_published_and_owed_to_the_store() -> None:
    bus, market = Bus(), Market("BTC-USDT", series=BarSeries(seconds=True))
    value = Decimal(100)
    before = Bar(MINUTE, NOON - timedelta(minutes=1), value, value, value, value, value, value, 1, True)
    market.series.seed({MINUTE: [before]})
    market.series.mark_gap(NOON)
    health = FeedHealth(("BTC-USDT",), timedelta(seconds=3), timedelta(seconds=10))
    recorder = Recorder(None, CLOCK, overdue_after=timedelta(seconds=45))  # type: ignore[arg-type]
    announcer = Announcer(bus, EventFactory("ingest", CLOCK), CLOCK, Line(), health, recorder, replay=False)  # type: ignore[arg-type]
    live = LiveHandlers(announcer, Line(), {"BTC-USDT": market}, health, None)  # type: ignore[arg-type]

    async def trade(number: int, second: float, price: str) -> None:
        at = NOON + timedelta(seconds=second)
        tick = TradeTick("BTC-USDT", str(number), None, Decimal(price), Decimal(1), Side.BUY, at, Stamp(NOON, 0.0, 0))
        await live.handle(tick)

    await trade(1, 10, "100")
    await trade(2, 61, "101")
    await trade(3, 59, "103")
    await trade(4, 300, "102")
    assert bus.told(MINUTE)[:2] == [(0, Decimal(100), 1, False), (0, Decimal(103), 2, True)]
    assert [row[0] for row in bus.told(MINUTE)[2:]] == [1, 2, 3, 4]
    assert bus.told(Timeframe.M5) == [(0, Decimal(101), 3, False)]
    await trade(5, 299, "104")
    assert bus.told(MINUTE)[-1] == (4, Decimal(104), 1, True)
    assert bus.told(Timeframe.M5)[-1] == (0, Decimal(104), 4, True)
    assert [count for _, _, count, _ in bus.told(Timeframe.S1)] == [1, 1, 1, 1]
    assert recorder.owed == 5 + 5 + 1 + 4  # trades; minutes, five minutes and seconds, each once however often told
