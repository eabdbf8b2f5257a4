"""Books and markets to judge by, and the rest of the platform as risk's tests on real servers need it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from algotrendy_common.app import App
from algotrendy_common.clock import ManualClock
from algotrendy_common.enums import FeedState, OrderStatus
from algotrendy_common.errors import Retryable
from algotrendy_common.events.account import AccountReconciled, AssetBalance, BalanceChanged, PositionChanged
from algotrendy_common.events.event import Event, EventFactory
from algotrendy_common.events.market import FeedHealthChanged, QuoteChanged
from algotrendy_common.events.ops import AlertRaised, MessageDeadLettered
from algotrendy_common.events.order import (
    OrderApproved,
    OrderFilled,
    OrderOrigin,
    OrderProposed,
    OrderRefused,
    OrderTerms,
    OrderUpdated,
)
from algotrendy_common.events.risk import (
    ApprovalDecided,
    ApprovalRequested,
    HaltChanged,
    RiskBreached,
    RiskStateChanged,
    TradingState,
)
from algotrendy_common.ids import client_order_id, new_id
from algotrendy_common.rpc import broker_gateway, ingest
from algotrendy_common.rpc.broker_gateway import AccountAsked, Balances, Orders, OrdersAsked, Positions
from algotrendy_common.rpc.call import Call, Nothing
from algotrendy_common.rpc.ingest import InstrumentInfo, Instruments, QuoteRow, Quotes
from algotrendy_common.settings import ServiceSettings, load
from algotrendy_common.testing.waiting import eventually
from algotrendy_local.testing import Servers, servers_running
from algotrendy_risk.domain.account_limits import AccountLimits
from algotrendy_risk.domain.book import AccountBook, Day
from algotrendy_risk.domain.market import MarketView
from algotrendy_risk.settings import PAPER_LIMITS, AccountSeed

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with servers_running("nats", "postgres", migrate=True) as running:
        yield running


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def events(clock) -> EventFactory:
    return EventFactory("test", clock)


def instrument(symbol: str = "BTC-USDT", **changes) -> InstrumentInfo:
    values = {
        "venue": "binance",
        "symbol": symbol,
        "base": symbol.split("-")[0],
        "quote": "USDT",
        "price_step": Decimal("0.01"),
        "quantity_step": Decimal("0.00001"),
        "min_quantity": Decimal("0.00001"),
        "max_quantity": Decimal(9000),
        "min_notional": Decimal(5),
        "maker_fee": Decimal("0.001"),
        "taker_fee": Decimal("0.001"),
    }
    return InstrumentInfo(**(values | changes))


def quote(events: EventFactory, price: str = "20000", symbol: str = "BTC-USDT", **changes) -> QuoteChanged:
    """Bid and ask are the same, so that values can be told at a glance."""
    values = {"bid": Decimal(price), "ask": Decimal(price), "bid_quantity": Decimal(1), "ask_quantity": Decimal(1)}
    return events.make(QuoteChanged, venue="binance", symbol=symbol, **(values | changes))


def feed(events: EventFactory, state: FeedState = FeedState.LIVE, **changes) -> FeedHealthChanged:
    values = {
        "state": state,
        "latency_ms": 1.0,
        "last_message_at": None,
        "stale_symbols": (),
        "gaps": 0,
        "reconnects": 0,
        "replay": True,
    }
    return events.make(FeedHealthChanged, venue="binance", **(values | changes))


@pytest.fixture
def market(events) -> MarketView:
    view = MarketView()
    for symbol, price in (("BTC-USDT", "20000"), ("LTC-USDT", "100")):
        view.take_instrument(instrument(symbol))
        view.take_quote(quote(events, price, symbol))
    view.take_feed(feed(events))
    view.take_confirmation("paper-1", NOW)
    return view


@pytest.fixture
def book() -> AccountBook:
    """100,000 USDT, nothing held, everything known."""
    cash = Decimal(100_000)
    return AccountBook(
        account="paper-1",
        venue="binance",
        quote="USDT",
        version=0,
        moved_at=NOW - timedelta(minutes=1),
        limits=PAPER_LIMITS,
        anchored=True,
        cash=cash,
        observed_cash=cash,
        balance_at=NOW,
        reconciled=True,
        reconciled_at=NOW,
        day=Day(NOW.date(), cash, Decimal(0), Decimal(0)),
        high_water=cash,
    )


@pytest.fixture
def making() -> SimpleNamespace:
    """The functions of this file that make events and records."""
    return SimpleNamespace(instrument=instrument, quote=quote, feed=feed, environment=environment, ready=ready, NOW=NOW)


@pytest.fixture
def elsewhere_of(servers) -> Callable[[str], "Elsewhere"]:
    """``Elsewhere`` around one account."""
    return lambda account: Elsewhere(servers, account, [instrument("BTC-USDT"), instrument("LTC-USDT")])


SEED = "11" * 32


def environment(servers: Servers, account: str, **limits: Any) -> dict[str, str]:
    """Settings of a risk service that keeps one new account, and is in a hurry."""
    changed = AccountLimits.model_validate(PAPER_LIMITS.model_dump() | limits)
    seed = AccountSeed(account=account, venue="binance", quote_currency="USDT", limits=changed)
    return servers.environment("risk") | {
        "ALGOTRENDY_RISK_APPROVAL_SEED": SEED,
        "ALGOTRENDY_RISK_ACCOUNTS": f"[{seed.model_dump_json()}]",
        "ALGOTRENDY_RISK_SETTLE": "PT0.2S",
        "ALGOTRENDY_RISK_CONFIRM_EVERY": "PT0.3S",
        "ALGOTRENDY_RISK_EQUITY_EVERY": "PT0.1S",
    }


async def ready(elsewhere: "Elsewhere") -> None:
    """100,000 USDT, reconciled, and risk knows it."""
    await elsewhere.cash("100000")
    await elsewhere.reconcile()
    await eventually(
        lambda: (
            elsewhere.state
            and elsewhere.state.trading_state is TradingState.ACTIVE
            and elsewhere.state.equity is not None
            and elsewhere.state.day_pnl is not None
        ),
        60,
    )


class Elsewhere:
    """Ingest, broker gateway, agent and gateway: ``heard`` holds what risk published."""

    def __init__(self, servers: Servers, account: str, instruments: list[InstrumentInfo]) -> None:
        self.account = account
        self.heard: list[Event] = []
        self.positions: dict[str, PositionChanged] = {}
        self.balance: BalanceChanged | None = None
        self.reconciled: AccountReconciled | None = None
        self.orders: dict[str, OrderUpdated] = {}
        self.silent = False
        """The broker gateway does not answer."""
        self.page = 200
        """Most orders in an answer."""
        self._prices = {"BTC-USDT": "20000", "LTC-USDT": "100"}
        self._instruments = instruments
        self._feed: dict[str, Any] = {}
        names = ("ingest", "broker_gateway", "agent", "gateway")
        self.apps = {name: App(name, load(ServiceSettings, name, _plain(servers, name))) for name in names}
        self.apps["ingest"].answers(ingest.INSTRUMENTS, self._answer_instruments)
        self.apps["ingest"].answers(ingest.QUOTES, self._answer_quotes)
        self.apps["ingest"].runs("health", self._tell_feed_forever)
        self.apps["broker_gateway"].answers(broker_gateway.POSITIONS, self._answer_positions)
        self.apps["broker_gateway"].answers(broker_gateway.BALANCES, self._answer_balances)
        self.apps["broker_gateway"].answers(broker_gateway.ORDERS, self._answer_orders)
        for event_class in (
            OrderApproved, OrderRefused, RiskStateChanged, RiskBreached, HaltChanged, ApprovalRequested, AlertRaised,
            MessageDeadLettered,
        ):  # fmt: skip
            self.apps["gateway"].reads(event_class, self._hear)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Elsewhere"]:
        async with AsyncExitStack() as stack:
            for app in self.apps.values():
                await stack.enter_async_context(app.running())
            yield self

    # -- what others say ---------------------------------------------------------------------------------------

    async def say(self, service: str, event_class: type[Event], /, **fields: Any) -> Any:
        event = self.apps[service].events.make(event_class, **fields)
        await self.apps[service].bus.publish(event)
        await self.apps[service].bus.client.flush()
        return event

    async def ask(self, call: Call[Any, Any], request: Any) -> Any:
        return await self.apps["gateway"].bus.ask(call, request)

    async def quote(self, price: str, symbol: str = "BTC-USDT") -> None:
        self._prices[symbol] = price
        await self.say("ingest", QuoteChanged, **_quote_fields(price, symbol))

    async def feed(self, state: FeedState = FeedState.LIVE, stale: tuple[str, ...] = ()) -> None:
        """From now on, and repeated as ingest does."""
        self._feed = {"state": state, "stale_symbols": stale}
        await self._tell_feed()

    async def _tell_feed(self) -> None:
        event = feed(self.apps["ingest"].events, **self._feed)
        await self.apps["ingest"].bus.publish(event)

    async def _tell_feed_forever(self) -> None:
        while True:
            await self._tell_feed()
            await asyncio.sleep(0.2)

    async def hold(self, quantity: str, symbol: str = "BTC-USDT", price: str | None = None, fees: str = "0") -> None:
        """The position that the broker gateway tells of."""
        revision = self.positions[symbol].revision + 1 if symbol in self.positions else 1
        self.positions[symbol] = await self.say(
            "broker_gateway", PositionChanged, account=self.account, venue="binance", symbol=symbol, revision=revision,
            quantity=Decimal(quantity), average_price=Decimal(price) if price else None, realised_pnl=Decimal(0),
            fees=Decimal(fees), strategies=(),
        )  # fmt: skip

    async def cash(self, total: str) -> None:
        row = AssetBalance(asset="USDT", total=Decimal(total), available=Decimal(total), reserved=Decimal(0))
        self.balance = await self.say(
            "broker_gateway", BalanceChanged, account=self.account, venue="binance", balances=(row,)
        )

    async def reconcile(self, ok: bool = True) -> None:
        app = self.apps["broker_gateway"]
        self.reconciled = await self.say(
            "broker_gateway", AccountReconciled, account=self.account, venue="binance", ok=ok, cause="start",
            orders_checked=0, fills_adopted=0, differences=(), duration_ms=1.0, checked_at=app.clock.now(),
        )  # fmt: skip

    async def propose(
        self, service: str = "agent", user: str | None = None, strategy: str = "s", **changes: Any
    ) -> OrderTerms:
        """By a strategy, or by a user where one is named."""
        terms = self.terms(**changes)
        origin = OrderOrigin(source="trader", user=user) if user else OrderOrigin(source="strategy", strategy=strategy)
        await self.say(service, OrderProposed, terms=terms, origin=origin)
        return terms

    async def decide(
        self, asked: ApprovalRequested, by: str, approved: bool = True, price: str | None = None, **changes: Any
    ) -> ApprovalDecided:
        """A person's word on an order that was asked about."""
        event: ApprovalDecided = await self.say(
            "gateway", ApprovalDecided, order_id=asked.terms.order_id, terms=asked.terms.model_copy(update=changes),
            approved=approved, decided_by=by, reason="looked at it",
            reference_price=Decimal(price) if price else asked.reference_price,
        )  # fmt: skip
        return event

    def asked(self, order_id: str) -> list[ApprovalRequested]:
        return [row for row in self.heard if isinstance(row, ApprovalRequested) and row.terms.order_id == order_id]

    def alerts(self, code: str) -> list[AlertRaised]:
        return [row for row in self.heard if isinstance(row, AlertRaised) and row.code == code]

    def halts(self, key: str) -> list[HaltChanged]:
        return [row for row in self.heard if isinstance(row, HaltChanged) and row.key == key]

    def terms(self, **changes: Any) -> OrderTerms:
        values: dict[str, Any] = {
            "order_id": new_id(), "account": self.account, "venue": "binance", "symbol": "BTC-USDT", "side": "buy",
            "type": "market", "quantity": Decimal("0.5"),
        }  # fmt: skip
        return OrderTerms(**(values | changes))

    async def update(
        self, terms: OrderTerms, status: OrderStatus, revision: int, filled: str = "0", source: str = "strategy"
    ) -> OrderUpdated:
        fields = _update_fields(self.apps, terms, status, revision, filled) | {"origin": OrderOrigin(source=source)}
        event: OrderUpdated = await self.say("broker_gateway", OrderUpdated, terms=terms, **fields)
        return event

    async def fill(
        self, terms: OrderTerms, quantity: str, price: str, trade_id: str | None = None, strategy: str | None = None
    ) -> OrderFilled:
        event: OrderFilled = await self.say(
            "broker_gateway", OrderFilled, order_id=terms.order_id, client_order_id=client_order_id(terms.order_id),
            account=terms.account, venue=terms.venue, symbol=terms.symbol, trade_id=trade_id or new_id(),
            side=terms.side, price=Decimal(price), quantity=Decimal(quantity), fee=Decimal(0), fee_currency="USDT",
            liquidity="taker", strategy=strategy,
        )  # fmt: skip
        return event

    # -- what risk said ----------------------------------------------------------------------------------------

    def verdict(self, order_id: str) -> OrderApproved | OrderRefused | None:
        said = self.verdicts(order_id)
        return said[0] if said else None

    def verdicts(self, order_id: str) -> list[OrderApproved | OrderRefused]:
        return [
            event
            for event in self.heard
            if isinstance(event, OrderApproved | OrderRefused) and event.terms.order_id == order_id
        ]

    @property
    def state(self) -> RiskStateChanged | None:
        """The newest one of the account."""
        mine = [event for event in self.heard if isinstance(event, RiskStateChanged) and event.account == self.account]
        return max(mine, key=lambda event: event.revision) if mine else None

    async def _hear(self, event: Event) -> None:
        self.heard.append(event)

    # -- answers -----------------------------------------------------------------------------------------------

    async def _answer_instruments(self, asked: Nothing) -> Instruments:
        return Instruments(instruments=tuple(self._instruments))

    async def _answer_quotes(self, asked: Nothing) -> Quotes:
        events = self.apps["ingest"].events
        rows = [events.make(QuoteChanged, **_quote_fields(price, symbol)) for symbol, price in self._prices.items()]
        return Quotes(quotes=tuple(QuoteRow(quote=row, last=None) for row in rows))

    async def _answer_positions(self, asked: AccountAsked) -> Positions:
        self._refuse_when_silent()
        return Positions(positions=tuple(self.positions.values()) if asked.account == self.account else ())

    async def _answer_balances(self, asked: AccountAsked) -> Balances:
        self._refuse_when_silent()
        if asked.account != self.account:
            return Balances(balance=None, reconciled=None)
        return Balances(balance=self.balance, reconciled=self.reconciled)

    async def _answer_orders(self, asked: OrdersAsked) -> Orders:
        """A page, newest first, as the broker gateway gives it."""
        self._refuse_when_silent()
        rows = [row for row in self.orders.values() if row.terms.account == asked.account]
        rows = [row for row in rows if asked.before is None or row.created_at < asked.before]
        rows.sort(key=lambda row: row.created_at, reverse=True)
        return Orders(orders=tuple(rows[: min(asked.limit, self.page)]))

    def _refuse_when_silent(self) -> None:
        if self.silent:
            raise Retryable("the broker gateway is away")


def _plain(servers: Servers, name: str) -> dict[str, str]:
    """Only what every service knows: the settings of ingest and gateway have fields of their own."""
    shared = ("_NATS_SEED_FILE", "_POSTGRES_URL")
    return {
        key: value
        for key, value in servers.environment(name).items()
        if key.startswith("ALGOTRENDY_NATS_") or key.endswith(shared)
    }


def _quote_fields(price: str, symbol: str) -> dict[str, Any]:
    one = Decimal(1)
    return {
        "venue": "binance", "symbol": symbol, "bid": Decimal(price), "ask": Decimal(price),
        "bid_quantity": one, "ask_quantity": one,
    }  # fmt: skip


def _update_fields(
    apps: dict[str, App], terms: OrderTerms, status: OrderStatus, revision: int, filled: str
) -> dict[str, Any]:
    now = apps["broker_gateway"].clock.now()
    return {
        "revision": revision, "origin": OrderOrigin(source="strategy"), "client_order_id":
        client_order_id(terms.order_id), "venue_order_id": "1", "status": status, "filled_quantity": Decimal(filled),
        "average_price": None, "fee": Decimal(0), "fee_currency": None, "reason_code": None, "reason_message": None,
        "created_at": now, "submitted_at": now,
    }  # fmt: skip
