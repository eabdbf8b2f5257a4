"""Strategies and bars to test with, and the rest of the platform as the agent's tests on real servers need it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from algotrendy_agent.domain.instance import Instance, StrategyConfig, fresh
from algotrendy_common.app import App
from algotrendy_common.enums import HaltLevel, Mode, OrderStatus, StrategyStatus, Timeframe
from algotrendy_common.errors import Retryable
from algotrendy_common.events.event import Event
from algotrendy_common.events.market import BarUpdated, QuoteChanged
from algotrendy_common.events.ops import MessageDeadLettered
from algotrendy_common.events.order import (
    OrderCancelRequested,
    OrderFilled,
    OrderOrigin,
    OrderProposed,
    OrderRefused,
    OrderTerms,
    OrderUpdated,
)
from algotrendy_common.events.risk import HaltChanged, RiskStateChanged, TradingState
from algotrendy_common.events.signal import SignalRaised, StrategyStateChanged
from algotrendy_common.ids import client_order_id, new_id
from algotrendy_common.rpc import broker_gateway, ingest
from algotrendy_common.rpc.broker_gateway import AccountInfo, Accounts
from algotrendy_common.rpc.call import Call, Nothing
from algotrendy_common.rpc.ingest import Candle, Candles, CandlesAsked, InstrumentInfo, Instruments, QuoteRow, Quotes
from algotrendy_common.settings import ServiceSettings, load
from algotrendy_core.instruments import Instrument
from algotrendy_local.testing import Servers, servers_running

MINUTE = timedelta(minutes=1)
BEGINNING = datetime(2024, 1, 1, tzinfo=UTC)
INSTRUMENT = InstrumentInfo(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step="0.01", quantity_step="0.00001",
    min_quantity="0.00001", max_quantity="9000", min_notional="5", maker_fee="0.001", taker_fee="0.001",
)  # fmt: skip


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with servers_running("nats", "postgres", migrate=True) as running:
        yield running


def config(**changes: Any) -> StrategyConfig:
    """Long after a rise, flat after a fall: an average of one bar against one of two."""
    values: dict[str, Any] = {
        "strategy": "cross", "name": "Cross", "kind": "sma_cross", "venue": "binance", "symbol": "BTC-USDT",
        "timeframe": Timeframe.M1, "account": "paper-1", "parameters": {"fast": 1, "slow": 2},
        "capital_share": Decimal("0.5"),
    }  # fmt: skip
    return StrategyConfig(**(values | changes))


@pytest.fixture
def instance() -> Instance:
    return fresh(config(), StrategyStatus.RUNNING)


@pytest.fixture
def making() -> SimpleNamespace:
    """The constants and functions of this file."""
    instrument = Instrument.model_validate(INSTRUMENT.model_dump())
    return SimpleNamespace(config=config, candle=candle, instrument=instrument, BEGINNING=BEGINNING, MINUTE=MINUTE)


def account_info(account: str, mode: Mode = Mode.PAPER) -> AccountInfo:
    return AccountInfo(account=account, venue="binance", mode=mode, quote_currency="USDT")


def candle(minute: int, close: str, closed: bool = True) -> Candle:
    price = Decimal(close)
    return Candle(
        open_time=BEGINNING + minute * MINUTE, open=price, high=price, low=price, close=price, volume=Decimal(1),
        closed=closed,
    )  # fmt: skip


@pytest.fixture
def elsewhere_of(servers) -> Callable[[], "Elsewhere"]:
    return lambda: Elsewhere(servers)


class Elsewhere:
    """Ingest, risk, broker gateway and gateway: ``heard`` holds what the agent published."""

    def __init__(self, servers: Servers) -> None:
        self.heard: list[Event] = []
        self.candles: dict[int, Candle] = {}
        """History, by minute."""
        self.asked: list[CandlesAsked] = []
        self.instrument = INSTRUMENT
        self.instruments = [INSTRUMENT]
        self.away = False
        """Ingest does not answer."""
        self.accounts: dict[str, AccountInfo] = {}
        """Whatever has equity is a paper account, until a test says otherwise."""
        names = ("ingest", "risk", "broker_gateway", "gateway")
        self.apps = {name: App(name, load(ServiceSettings, name, _plain(servers, name))) for name in names}
        self.apps["ingest"].answers(ingest.CANDLES, self._answer_candles)
        self.apps["ingest"].answers(ingest.INSTRUMENTS, self._answer_instruments)
        self.apps["ingest"].answers(ingest.QUOTES, self._answer_quotes)
        for event_class in (OrderProposed, SignalRaised, StrategyStateChanged, MessageDeadLettered):
            self.apps["gateway"].reads(event_class, self._hear)
        self.apps["broker_gateway"].reads(OrderCancelRequested, self._hear)
        self.apps["broker_gateway"].answers(broker_gateway.ACCOUNTS, self._answer_accounts)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Elsewhere"]:
        async with AsyncExitStack() as stack:
            for app in self.apps.values():
                await stack.enter_async_context(app.running())
            yield self

    # -- what others say ---------------------------------------------------------------------------------------

    async def say(self, service: str, event_class: type[Event], /, **fields: Any) -> Any:
        event = self.apps[service].events.make(event_class, **fields)
        await self.repeat(service, event)
        return event

    async def repeat(self, service: str, event: Event) -> None:
        await self.apps[service].bus.publish(event)
        await self.apps[service].bus.client.flush()

    async def ask(self, call: Call[Any, Any], request: Any) -> Any:
        return await self.apps["gateway"].bus.ask(call, request)

    def history(self, first_minute: int, *closes: str) -> None:
        self.candles |= {first_minute + i: candle(first_minute + i, close) for i, close in enumerate(closes)}

    async def bar(self, minute: int, close: str, closed: bool = True, **changes: Any) -> BarUpdated:
        """A live bar; history has it too once it is closed."""
        row = candle(minute, close, closed)
        if closed:
            self.candles[minute] = row
        event: BarUpdated = await self.say(
            "ingest", BarUpdated, event_time=row.open_time + MINUTE, symbol="BTC-USDT", trade_count=1,
            **row.model_dump(), **({"venue": "binance", "timeframe": Timeframe.M1} | changes),
        )  # fmt: skip
        return event

    async def equity(self, account: str, amount: str = "100000") -> None:
        self.accounts.setdefault(account, account_info(account))
        await self.say(
            "risk", RiskStateChanged, account=account, revision=1, trading_state=TradingState.ACTIVE, halted_by=None,
            halted_reason=None, halted_since=None, quote_currency="USDT", equity=Decimal(amount), cash=Decimal(amount),
            day_pnl=Decimal(0), day_realised=Decimal(0), day_unrealised=Decimal(0), day_fees=Decimal(0),
            exposure_gross=Decimal(0), exposure_reserved=Decimal(0), drawdown_ratio=Decimal(0), limits=(),
        )  # fmt: skip

    async def refuse(self, proposed: OrderProposed, code: str = "max_position") -> OrderRefused:
        event: OrderRefused = await self.say(
            "risk", OrderRefused, terms=proposed.terms, origin=proposed.origin, code=code, message="too much",
            limit="1", observed="2",
        )  # fmt: skip
        return event

    async def fill(
        self, terms: OrderTerms, quantity: str | Decimal, price: str = "100", fee: str = "0", **changes: Any
    ) -> OrderFilled:
        event: OrderFilled = await self.say(
            "broker_gateway", OrderFilled, order_id=terms.order_id, client_order_id=client_order_id(terms.order_id),
            account=terms.account, venue=terms.venue, symbol=terms.symbol, trade_id=new_id(), side=terms.side,
            price=Decimal(price), quantity=Decimal(quantity), fee=Decimal(fee), fee_currency="BTC",
            liquidity="taker", **({"strategy": None} | changes),
        )  # fmt: skip
        return event

    async def halt(self, level: HaltLevel, key: str, engaged: bool = True) -> None:
        now = self.apps["risk"].clock.now()
        await self.say(
            "risk", HaltChanged, level=level, key=key, revision=1, engaged=engaged, by="tom", reason="odd prices",
            flatten=False, since=now,
        )  # fmt: skip

    async def update(
        self, terms: OrderTerms, status: OrderStatus, revision: int, filled: str | Decimal = "0"
    ) -> OrderUpdated:
        now = self.apps["broker_gateway"].clock.now()
        event: OrderUpdated = await self.say(
            "broker_gateway", OrderUpdated, revision=revision, terms=terms, origin=OrderOrigin(source="strategy"),
            client_order_id=client_order_id(terms.order_id), venue_order_id="1", status=status,
            filled_quantity=Decimal(filled), average_price=None, fee=Decimal(0), fee_currency=None, reason_code=None,
            reason_message=None, created_at=now, submitted_at=now,
        )  # fmt: skip
        return event

    async def fill_whole(self, terms: OrderTerms, price: str = "100") -> None:
        await self.fill(terms, terms.quantity, price)
        await self.update(terms, OrderStatus.FILLED, 5, terms.quantity)

    # -- what the agent said -----------------------------------------------------------------------------------

    def of[E: Event](self, event_class: type[E], strategy: str) -> list[E]:
        """Once an event id, in the order heard."""
        found: dict[str, E] = {}
        for event in self.heard:
            if isinstance(event, event_class) and _strategy_of(event) == strategy:
                found.setdefault(event.event_id, event)
        return list(found.values())

    def state(self, strategy: str) -> StrategyStateChanged | None:
        rows = self.of(StrategyStateChanged, strategy)
        return max(rows, key=lambda row: row.revision) if rows else None

    async def _hear(self, event: Event) -> None:
        self.heard.append(event)

    # -- answers -----------------------------------------------------------------------------------------------

    async def _answer_candles(self, asked: CandlesAsked) -> Candles:
        self.asked.append(asked)
        if self.away:
            raise Retryable("ingest is away")
        start, end = asked.start, asked.end
        rows = [self.candles[minute] for minute in sorted(self.candles)]
        rows = [row for row in rows if (not start or row.open_time >= start) and (not end or row.open_time < end)]
        if start is None:
            return Candles(candles=tuple(rows[-asked.limit :]), more=False)
        return Candles(candles=tuple(rows[: asked.limit]), more=len(rows) > asked.limit)

    async def _answer_accounts(self, asked: Nothing) -> Accounts:
        return Accounts(accounts=tuple(self.accounts.values()))

    async def _answer_instruments(self, asked: Nothing) -> Instruments:
        return Instruments(instruments=tuple(self.instruments))

    async def _answer_quotes(self, asked: Nothing) -> Quotes:
        one = Decimal(1)
        quote = self.apps["ingest"].events.make(
            QuoteChanged, venue="binance", symbol="BTC-USDT", bid=Decimal(100), ask=Decimal(100), bid_quantity=one,
            ask_quantity=one,
        )  # fmt: skip
        return Quotes(quotes=(QuoteRow(quote=quote, last=None),))


def _strategy_of(event: Event) -> str | None:
    if isinstance(event, OrderCancelRequested):
        return event.requested_by
    return event.origin.strategy if isinstance(event, OrderProposed) else getattr(event, "strategy", None)


def _plain(servers: Servers, name: str) -> dict[str, str]:
    """Only what every service knows: the settings of ingest and gateway have fields of their own."""
    shared = ("_NATS_SEED_FILE", "_POSTGRES_URL")
    return {
        key: value
        for key, value in servers.environment(name).items()
        if key.startswith("ALGOTRENDY_NATS_") or key.endswith(shared)
    }
