"""Recorded-like candles, and the backtest service between ingest and gateway on real servers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from algotrendy_backtest.service import build_app
from algotrendy_backtest.settings import BacktestSettings
from algotrendy_common.app import App
from algotrendy_common.enums import Timeframe
from algotrendy_common.events.backtest import BacktestFinished, BacktestProgressed, BacktestRequested, BacktestSpec
from algotrendy_common.events.event import Event
from algotrendy_common.events.ops import MessageDeadLettered
from algotrendy_common.ids import new_id
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.rpc.ingest import (
    CANDLES,
    INSTRUMENTS,
    Candle,
    Candles,
    CandlesAsked,
    InstrumentInfo,
    Instruments,
)
from algotrendy_common.settings import ServiceSettings, load
from algotrendy_common.subjects import address
from algotrendy_core.backtest.series import BarSeries, series_of
from algotrendy_core.bars import Candle as FloatCandle
from algotrendy_core.instruments import Instrument
from algotrendy_local.testing import Servers, servers_running

START = datetime(2026, 1, 5, tzinfo=UTC)
BTC = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.01"),
    quantity_step=Decimal("0.00001"), min_quantity=Decimal("0.00001"), max_quantity=Decimal(9000),
    min_notional=Decimal(5), maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"),
)  # fmt: skip


def spec_of(**changes: Any) -> BacktestSpec:
    fields: dict[str, Any] = {
        "strategy_kind": "sma_cross", "parameters": {"fast": 5, "slow": 20}, "venue": "binance", "symbol": "BTC-USDT",
        "timeframe": Timeframe.M1, "initial_cash": Decimal(100_000), "slippage_bps": Decimal(1),
    }  # fmt: skip
    return BacktestSpec(**(fields | changes))


def walk(count: int, seed: int = 1) -> list[Candle]:
    """A seeded walk of one-minute candles, the last one still growing."""
    rng = np.random.default_rng(seed)
    closes = np.round(20_000 * np.exp(np.cumsum(rng.normal(0, 0.001, count))), 2)
    opens = np.concatenate(([20_000.0], closes[:-1]))
    return [
        Candle(
            open_time=START + timedelta(minutes=index), open=_exact(open_), high=_exact(max(open_, close)),
            low=_exact(min(open_, close)), close=_exact(close), volume=Decimal(1), closed=index < count - 1,
        )
        for index, (open_, close) in enumerate(zip(opens.tolist(), closes.tolist(), strict=True))
    ]  # fmt: skip


def _exact(price: float) -> Decimal:
    return Decimal(repr(price))


def bars_of(candles: list[Candle]) -> BarSeries:
    return series_of(
        Timeframe.M1,
        (
            FloatCandle(
                int(c.open_time.timestamp() * 1000), float(c.open), float(c.high), float(c.low), float(c.close),
                float(c.volume),
            )
            for c in candles
            if c.closed
        ),
    )  # fmt: skip


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with servers_running("nats", "postgres", migrate=True) as running:
        yield running


class Platform:
    """Ingest and gateway, by their own users of the bus; ``heard`` holds what backtest published."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.candles = walk(2_500)
        self.heard: list[Event] = []
        self.asked: list[CandlesAsked] = []
        self.ingest_is_away = False
        self.hold = asyncio.Event()
        """Cleared, ingest lets everybody wait for candles."""
        self.hold.set()
        environment = {
            name: {key: value for key, value in servers.environment(name).items() if key.count("URL") == 0}
            | {"ALGOTRENDY_NATS_URL": servers.addresses.nats_url}
            for name in ("ingest", "gateway")
        }
        self.ingest = App("ingest", load(ServiceSettings, "ingest", environment["ingest"]))
        self.gateway = App("gateway", load(ServiceSettings, "gateway", environment["gateway"]))
        self.ingest.answers(CANDLES, self._answer_candles)
        self.ingest.answers(INSTRUMENTS, self._answer_instruments)
        for event_class in (BacktestProgressed, BacktestFinished, MessageDeadLettered):
            self.gateway.reads(event_class, self._hear)

    async def _hear(self, event: Event) -> None:
        self.heard.append(event)

    async def _answer_candles(self, asked: CandlesAsked) -> Candles:
        self.asked.append(asked)
        await self.hold.wait()
        if self.ingest_is_away:
            raise ConnectionError("no history")
        found = [
            candle
            for candle in self.candles
            if candle.open_time >= (asked.start or START) and (asked.end is None or candle.open_time < asked.end)
        ]
        return Candles(candles=tuple(found[: asked.limit]), more=len(found) > asked.limit)

    async def _answer_instruments(self, asked: Nothing) -> Instruments:
        return Instruments(instruments=(InstrumentInfo(**BTC.model_dump()),))

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Platform"]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.ingest.running())
            await stack.enter_async_context(self.gateway.running())
            yield self

    def backtest(self, **settings: str) -> App:
        """The service itself, not yet started."""
        own = {f"ALGOTRENDY_BACKTEST_{name.upper()}": value for name, value in settings.items()}
        return build_app(load(BacktestSettings, "backtest", self.servers.environment("backtest") | own))

    def request(self, spec: BacktestSpec, run_id: str | None = None) -> BacktestRequested:
        return self.gateway.events.make(BacktestRequested, run_id=run_id or new_id(), requested_by="ada", spec=spec)

    async def send(self, event: BacktestRequested) -> BacktestRequested:
        await self.send_raw(event.to_json(), event.event_id)
        return event

    async def send_raw(self, body: bytes, message_id: str) -> None:
        await self.gateway.bus.jetstream.publish(
            address(self.request(spec_of())), body, headers={"Nats-Msg-Id": message_id}
        )

    def finished(self, run_id: str) -> list[BacktestFinished]:
        """Each once: the outbox may say an event again, under its own id."""
        ends = [event for event in self.heard if isinstance(event, BacktestFinished) and event.run_id == run_id]
        return list({event.event_id: event for event in ends}.values())

    def letters(self, text: str) -> list[MessageDeadLettered]:
        letters = [event for event in self.heard if isinstance(event, MessageDeadLettered) and text in event.body]
        return list({event.event_id: event for event in letters}.values())


@pytest.fixture
async def platform(servers: Servers) -> AsyncIterator[Platform]:
    async with Platform(servers).running() as running:
        yield running


@pytest.fixture
def spec() -> Any:
    return spec_of


@pytest.fixture
def candles() -> list[Candle]:
    return walk(400)


@pytest.fixture
def bars(candles: list[Candle]) -> BarSeries:
    return bars_of(candles)


@pytest.fixture
def bars_of_candles() -> Any:
    return bars_of


@pytest.fixture
def many_bars() -> BarSeries:
    return bars_of(walk(3_000))


@pytest.fixture
def instrument() -> Instrument:
    return BTC
