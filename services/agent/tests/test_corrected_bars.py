from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

from algotrendy_agent.handlers import Handlers
from algotrendy_common.clock import ManualClock
from algotrendy_common.enums import Timeframe
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.market import BarUpdated

NOON = datetime(2022, 12, 13, 12, tzinfo=UTC)
EVENTS = EventFactory("ingest", ManualClock(NOON))


def bar(**changes: object) -> BarUpdated:
    price = Decimal(100)
    fields = {
        "venue": "binance", "symbol": "BTC-USDT", "timeframe": Timeframe.H4, "open_time": NOON, "open": price,
        "high": price, "low": price, "close": price, "volume": Decimal(1), "trade_count": 1, "closed": True,
    }  # fmt: skip
    return EVENTS.make(BarUpdated, **(fields | changes))


async def test_a_bar_is_decided_on_when_it_closes_and_not_again_when_it_is_corrected() -> None:
    offered: list[BarUpdated] = []
    trading = SimpleNamespace(venue="binance", symbol="BTC-USDT", timeframe=Timeframe.H4)
    runner = SimpleNamespace(instance=SimpleNamespace(trading=trading), offer=offered.append)
    handlers = Handlers(database=None, store=None, market=None, runners={"one": runner}, events=EVENTS)  # type: ignore[arg-type]
    closed = bar()
    for event in (bar(closed=False), closed, bar(corrected=True, close=Decimal(101)), bar(timeframe=Timeframe.D1)):
        await handlers.on_bar(event)
    assert offered == [closed]
