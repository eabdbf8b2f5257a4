"""Collecting a live day page by page: what the services answer is put together in order, each piece once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_common.clock import ManualClock
from algotrendy_common.enums import StrategyStatus, Timeframe
from algotrendy_common.events.event import EventFactory
from algotrendy_common.events.signal import SignalRaised, StrategyStateChanged
from algotrendy_common.rpc import agent, ingest
from algotrendy_local.operations import recorded_day

NOON = datetime(2022, 12, 13, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CLOCK = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
EVENTS = EventFactory("agent", CLOCK)


class Kept:
    """What the services keep, answered as they answer: candles before an end, signals newest first."""

    def __init__(self, candles: int, signals: int) -> None:
        self.candles = [
            ingest.Candle(
                open_time=NOON + number * MINUTE, open="1", high="1", low="1", close="1", volume="1", closed=True
            )
            for number in range(candles)
        ]
        self.signals = [self._signal(number) for number in range(signals)]
        self.asked = 0

    def _signal(self, number: int) -> SignalRaised:
        CLOCK.advance(timedelta(milliseconds=10))
        return EVENTS.make(
            SignalRaised, event_time=NOON + (number + 1) * MINUTE, strategy="cross", venue="binance",
            symbol="BTC-USDT", timeframe=Timeframe.M1, account="paper-1", target=Decimal(number % 2), reason="so",
            price="1",
        )  # fmt: skip

    async def ask(self, call, asked):
        self.asked += 1
        if call is ingest.CANDLES:
            found = [candle for candle in self.candles if candle.open_time < asked.end]
            return ingest.Candles(candles=tuple(found[-asked.limit :]), more=False)
        assert call is agent.SIGNALS
        found = [one for one in self.signals if asked.before is None or one.received_time < asked.before]
        return agent.Signals(signals=tuple(reversed(found[-asked.limit :])))


def state(bars_taken: int, last: int) -> StrategyStateChanged:
    return EVENTS.make(
        StrategyStateChanged, strategy="cross", revision=1, name="cross", strategy_kind="sma_cross", venue="binance",
        symbol="BTC-USDT", timeframe=Timeframe.M1, account="paper-1", status=StrategyStatus.RUNNING, status_detail="",
        parameters={}, position_quantity="0", realised_pnl="0", bars_taken=bars_taken,
        last_bar_time=NOON + last * MINUTE, last_signal_time=None, last_signal_target=None, last_signal_reason=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("bars_taken", "last", "first"),
    [(2500, 2990, 491), (3, 2990, 2988), (1000, 2999, 2000), (5000, 2990, 0)],
)
async def test_the_candles_that_made_a_state_come_in_order_with_those_after_it(bars_taken, last, first):
    bars = await recorded_day._bars(Kept(3000, 0), state(bars_taken, last))
    times = [bar.open_time for bar in bars]
    assert times == [NOON + number * MINUTE for number in range(first, min(last + 4, 3000))]


@pytest.mark.parametrize(("begins", "first"), [(0, 0), (1, 0), (1190, 1189), (5000, 1199)])
async def test_signals_go_back_to_the_one_that_stood_when_the_day_began(begins, first):
    kept = Kept(0, 1200)
    found = await recorded_day._signals(kept, state(1, 1), NOON + begins * MINUTE)
    assert found == kept.signals[first:]
    assert kept.asked == (3 if begins < 2 else 1)
