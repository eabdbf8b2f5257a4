"""The gateway on real servers; the other services are played by small responders that answer over the real bus."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import nats
import pytest
import pytest_asyncio
import structlog
from algotrendy_common.app import App
from algotrendy_common.clock import monotonic_s
from algotrendy_common.enums import (
    FeedState,
    HaltLevel,
    HeldBy,
    Liquidity,
    Mode,
    OrderSource,
    OrderStatus,
    OrderType,
    ProtectionState,
    Side,
    Timeframe,
)
from algotrendy_common.errors import Refused
from algotrendy_common.events.account import AssetBalance, BalanceChanged, PositionChanged, ProtectionChanged
from algotrendy_common.events.event import Event
from algotrendy_common.events.market import FeedHealthChanged, QuoteChanged
from algotrendy_common.events.order import OrderFilled, OrderOrigin, OrderRefused, OrderTerms, OrderUpdated
from algotrendy_common.events.risk import ApprovalRequested, HaltChanged, LimitUse, RiskStateChanged, TradingState
from algotrendy_common.events.signal import SignalRaised, StrategyStateChanged
from algotrendy_common.ids import client_order_id, new_id
from algotrendy_common.rpc import agent, backtest, broker_gateway, ingest, risk
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.settings import ServiceSettings, load
from algotrendy_common.subjects import inbox_prefix, subject_of
from algotrendy_gateway.service import build_app
from algotrendy_gateway.settings import GatewaySettings
from algotrendy_local.testing import Servers, servers_running
from redis.asyncio import Redis

PASSWORD = "correct horse battery staple"
ACCOUNT = "paper-1"
PEERS = ("ingest", "broker_gateway", "risk", "agent", "backtest")


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """The default for terminals draws every local of every frame, which takes seconds for one exception."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with servers_running("nats", "postgres", "redis", migrate=True) as running:
        yield running


async def until[T](find: Callable[[], T | None] | Callable[[], Awaitable[T | None]], patience_s: float = 60.0) -> T:
    """The first answer that is neither None nor False; fails when patience ends."""
    deadline = monotonic_s() + patience_s
    while True:
        found = find()
        if isinstance(found, Awaitable):
            found = await found
        if found is not None and found is not False:
            return found
        assert monotonic_s() < deadline, "it did not come to pass"
        await asyncio.sleep(0.02)


# -- the rest of the platform ------------------------------------------------------------------------------------------


class World:
    """What the other services would say."""

    account = ACCOUNT

    def __init__(self, apps: dict[str, App]) -> None:
        self.apps = apps
        self.asked: list[Any] = []
        self.orders: dict[str, OrderUpdated] = {}
        self.fills: list[OrderFilled] = []
        self.refusals: list[OrderRefused] = []
        self.runs: dict[str, backtest.Run] = {}
        self.files: dict[str, bytes] = {}
        self.trading = TradingState.ACTIVE
        self.feed_state = FeedState.LIVE
        self.halts: list[HaltChanged] = []
        self.other: str | None = None
        """An account at another venue."""
        self.stand_in: str | None = None
        """The same where it stands in for the first one now."""
        """The account that stands in for ``ACCOUNT``, at bybit."""
        self.pending: list[ApprovalRequested] = []
        self.limits = risk.AccountLimitsSet(
            account=ACCOUNT, version=1, document={"max_orders": 60}, set_by="seed", set_at=datetime.now(UTC), reason=""
        )
        self.strategy = self.make("agent", StrategyStateChanged, **STRATEGY)

    def make(self, producer: str, event_class: type[Event], /, **fields: Any) -> Any:
        return self.apps[producer].events.make(event_class, **fields)

    async def tell(self, event: Event) -> None:
        """Publish as the service that owns the event."""
        await self.apps[event.producer].bus.publish(event)
        await self.apps[event.producer].bus.client.flush()

    def quote(self, bid: str = "30000", ask: str = "30010", symbol: str = "BTC-USDT") -> QuoteChanged:
        amounts = {"bid": bid, "bid_quantity": "1.5", "ask": ask, "ask_quantity": "2"}
        fields = {name: Decimal(value) for name, value in amounts.items()}
        return self.make("ingest", QuoteChanged, venue="binance", symbol=symbol, **fields)

    def feed(self) -> FeedHealthChanged:
        return self.make(
            "ingest", FeedHealthChanged, venue="binance", state=self.feed_state, latency_ms=0.4, last_message_at=None,
            stale_symbols=(), gaps=0, reconnects=0, replay=True,
        )  # fmt: skip

    async def speak_of_feeds(self) -> None:
        """As ingest does: now and then, whether or not something changed."""
        while True:
            await self.tell(self.feed())
            await asyncio.sleep(0.3)

    def risk_state(self, account: str = ACCOUNT) -> RiskStateChanged:
        return self.make(
            "risk", RiskStateChanged, account=account, revision=1, trading_state=self.trading, halted_by=None,
            halted_reason=None, halted_since=None, quote_currency="USDT", equity=Decimal("100500"),
            cash=Decimal("70000"),
            day_pnl=Decimal("500"), day_realised=Decimal("200"), day_unrealised=Decimal("300"), day_fees=Decimal("12"),
            exposure_gross=Decimal("30000"), exposure_reserved=Decimal("0"), drawdown_ratio=Decimal("0.01"),
            limits=(LimitUse(name="daily_loss", used=Decimal("0"), limit=Decimal("2000"), unit="USDT"),),
        )  # fmt: skip

    def position(self, quantity: str = "1", revision: int = 1, account: str = ACCOUNT) -> PositionChanged:
        return self.make(
            "broker_gateway", PositionChanged, account=account, venue="binance", symbol="BTC-USDT", revision=revision,
            quantity=Decimal(quantity), average_price=Decimal("29000") if Decimal(quantity) else None,
            realised_pnl=Decimal("-12"), fees=Decimal("12"), strategies=("sma-cross-btc",),
        )  # fmt: skip

    def order(self, status: OrderStatus = OrderStatus.OPEN, revision: int = 1, **changes: Any) -> OrderUpdated:
        terms = changes.pop("terms", None) or self.terms()
        fields = {
            "revision": revision, "terms": terms, "origin": OrderOrigin(source=OrderSource.STRATEGY),
            "client_order_id": client_order_id(terms.order_id), "venue_order_id": "4711", "status": status,
            "filled_quantity": Decimal(0), "average_price": None, "fee": Decimal(0), "fee_currency": None,
            "reason_code": None, "reason_message": None, "created_at": datetime.now(UTC), "submitted_at": None,
        }  # fmt: skip
        return self.make("broker_gateway", OrderUpdated, **(fields | changes))

    def fill(self, order: OrderUpdated) -> OrderFilled:
        return self.make(
            "broker_gateway", OrderFilled, order_id=order.terms.order_id, client_order_id=order.client_order_id,
            account=order.terms.account, venue="binance", symbol="BTC-USDT", trade_id=new_id()[:8], side=Side.BUY,
            price=Decimal("30010"), quantity=Decimal("0.1"), fee=Decimal("3.001"), fee_currency="USDT",
            liquidity=Liquidity.TAKER, strategy=None,
        )  # fmt: skip

    def refusal(self, terms: OrderTerms) -> OrderRefused:
        return self.make(
            "risk", OrderRefused, terms=terms, origin=OrderOrigin(source=OrderSource.TRADER, user="tom"),
            code="max_notional", message="too large", limit="10000", observed="30000",
        )  # fmt: skip

    def signal(self) -> SignalRaised:
        return self.make(
            "agent", SignalRaised, strategy="sma-cross-btc", venue="binance", symbol="BTC-USDT",
            timeframe=Timeframe.M1, account=ACCOUNT, target=Decimal(1), reason="fast above slow", price=Decimal(30000),
        )  # fmt: skip

    @staticmethod
    def terms(**changes: Any) -> OrderTerms:
        fields = {
            "order_id": new_id(), "account": ACCOUNT, "venue": "binance", "symbol": "BTC-USDT", "side": Side.BUY,
            "type": OrderType.LIMIT, "quantity": Decimal("0.1"), "limit_price": Decimal("29000"),
        }  # fmt: skip
        return OrderTerms(**(fields | changes))

    @staticmethod
    def ticket(**changes: Any) -> dict[str, Any]:
        """The body of an order as the page sends it."""
        fields = {
            "order_id": new_id(), "account": ACCOUNT, "symbol": "BTC-USDT", "side": "buy", "type": "limit",
            "quantity": "0.1", "limit_price": "29000",
        }  # fmt: skip
        return fields | changes

    # -- answers -----------------------------------------------------------------------------------------------

    async def answer_accounts(self, asked: Any) -> broker_gateway.Accounts:
        paper = broker_gateway.AccountInfo(account=ACCOUNT, venue="binance", mode=Mode.PAPER, quote_currency="USDT")
        other = self.stand_in or self.other
        others = () if other is None else (paper.model_copy(update={"account": other, "venue": "bybit"}),)
        if self.stand_in is not None:
            paper = paper.model_copy(update={"stand_in": self.stand_in, "priced_at": "bybit", "ready": False})
        return broker_gateway.Accounts(accounts=(paper, *others))

    async def answer_instruments(self, asked: Any) -> ingest.Instruments:
        return ingest.Instruments(instruments=(instrument(), instrument().model_copy(update={"venue": "bybit"})))

    async def answer_quotes(self, asked: Any) -> ingest.Quotes:
        return ingest.Quotes(quotes=(ingest.QuoteRow(quote=self.quote(), last=Decimal("30005")),))

    async def answer_feeds(self, asked: Any) -> ingest.Feeds:
        return ingest.Feeds(feeds=(self.feed(),))

    async def answer_candles(self, asked: ingest.CandlesAsked) -> ingest.Candles:
        if asked.symbol != "BTC-USDT":
            raise Refused("unknown_instrument", f"{asked.symbol} is not followed")
        start = datetime(2026, 3, 1, tzinfo=UTC)
        prices = {name: Decimal(30000) for name in ("open", "high", "low", "close")}
        rows = [
            ingest.Candle(open_time=start + timedelta(minutes=i), volume=Decimal(1), closed=True, **prices)
            for i in range(min(asked.limit, 3))
        ]
        return ingest.Candles(candles=tuple(rows), more=False)

    async def answer_orders(self, asked: broker_gateway.OrdersAsked) -> broker_gateway.Orders:
        found = [order for order in self.orders.values() if not (asked.open_only and order.status.terminal)]
        return broker_gateway.Orders(orders=tuple(found[: asked.limit]))

    async def answer_order(self, asked: broker_gateway.OrderAsked) -> broker_gateway.OrderHistory:
        order = self.orders.get(asked.order_id)
        if order is None:
            raise Refused("order_unknown", "no such order")
        steps = tuple(
            broker_gateway.OrderStep(status=status, time=order.created_at + timedelta(milliseconds=after), detail="")
            for status, after in (("approved", 0), ("submitting", 2), ("open", 14))
        )
        mine = tuple(fill for fill in self.fills if fill.order_id == asked.order_id)
        return broker_gateway.OrderHistory(order=order, steps=steps, fills=mine)

    async def answer_fills(self, asked: Any) -> broker_gateway.Fills:
        return broker_gateway.Fills(fills=tuple(self.fills))

    async def answer_positions(self, asked: Any) -> broker_gateway.Positions:
        return broker_gateway.Positions(positions=(self.position(),))

    async def answer_balances(self, asked: Any) -> broker_gateway.Balances:
        balance = self.make("broker_gateway", BalanceChanged, account=ACCOUNT, venue="binance", balances=(USDT,))
        return broker_gateway.Balances(balance=balance, reconciled=None)

    async def answer_state(self, asked: Any) -> risk.AccountState:
        point = risk.EquityPoint(time=datetime.now(UTC), equity=Decimal(100000))
        return risk.AccountState(state=self.risk_state(), equity_curve=(point,))

    async def answer_halt(self, asked: risk.HaltAsked) -> risk.HaltDone:
        self.asked.append(asked)
        self.trading = TradingState.HALTED
        self.halts = [self.halt(asked)]
        return risk.HaltDone(states=(self.risk_state(),), halts=tuple(self.halts))

    async def answer_resume(self, asked: risk.ResumeAsked) -> risk.HaltDone:
        self.asked.append(asked)
        if self.halts and self.halts[0].release_asked_by in (None, asked.by):
            self.halts = [self.halts[0].model_copy(update={"release_asked_by": asked.by})]
            return risk.HaltDone(states=(self.risk_state(),), halts=tuple(self.halts))
        self.trading, self.halts = TradingState.ACTIVE, []
        return risk.HaltDone(states=(self.risk_state(),), released=True)

    def halt(self, asked: risk.HaltAsked) -> HaltChanged:
        level = HaltLevel.STRATEGY if asked.strategy else HaltLevel.ACCOUNT if asked.account else HaltLevel.GLOBAL
        return self.make(
            "risk", HaltChanged, level=level, key=asked.strategy or asked.account or "*", revision=1, engaged=True,
            by=asked.by, reason=asked.reason, flatten=asked.flatten, since=datetime.now(UTC),
        )  # fmt: skip

    async def answer_halts(self, asked: Any) -> risk.Halts:
        return risk.Halts(halts=tuple(self.halts))

    def request(self, user: str = "ada", **changes: Any) -> ApprovalRequested:
        return self.make(
            "risk", ApprovalRequested, terms=self.terms(**changes),
            origin=OrderOrigin(source=OrderSource.TRADER, user=user, reason="order ticket"), notional=Decimal("2900"),
            reference_price=Decimal("30000"), code="approval_single", message="large", limit="1000", observed="2900",
            asked_again=False, expires_at=datetime.now(UTC) + timedelta(minutes=5),
        )  # fmt: skip

    async def answer_pending(self, asked: Any) -> risk.PendingApprovals:
        return risk.PendingApprovals(approvals=tuple(self.pending))

    async def answer_limits(self, asked: risk.LimitsAsked) -> risk.LimitsHistory:
        return risk.LimitsHistory(versions=(self.limits,))

    async def answer_set_limits(self, asked: risk.SetLimitsAsked) -> risk.AccountLimitsSet:
        self.asked.append(asked)
        if asked.version != self.limits.version:
            raise Refused("limits_changed", "somebody was quicker")
        changes = {"version": asked.version + 1, "document": asked.document, "set_by": asked.by}
        self.limits = self.limits.model_copy(update=changes)
        return self.limits

    async def answer_portfolio(self, asked: risk.PortfolioAsked) -> risk.Portfolio:
        self.asked.append(asked)
        held = risk.PortfolioPosition(
            account=ACCOUNT, venue="binance", symbol="BTC-USDT", quantity=Decimal(1), average_price=Decimal(29000),
            mark=Decimal(30000), realised_pnl=Decimal(0), unrealised_pnl=Decimal(1000), fees=Decimal(12),
            exposure=Decimal(30000),
        )  # fmt: skip
        told = risk.PortfolioStatistics(
            trades=3, win_rate=0.5, profit_factor=None, sharpe=1.2, sortino=None, max_drawdown=0.1, total_return=0.01
        )
        return risk.Portfolio(
            quote_currency="USDT", equity=Decimal(101000), realised_pnl=Decimal(0), unrealised_pnl=Decimal(1000),
            fees=Decimal(12), exposure_gross=Decimal(30000), exposure_net=Decimal(30000), positions=(held,),
            statistics=told, equity_curve=(risk.EquityPoint(time=datetime.now(UTC), equity=Decimal(101000)),),
        )  # fmt: skip

    async def answer_enable(self, asked: risk.EnableAsked) -> Nothing:
        self.asked.append(asked)
        return Nothing()

    def protection(self, revision: int = 1, **changes: Any) -> ProtectionChanged:
        fields = {
            "account": ACCOUNT, "venue": "binance", "symbol": "BTC-USDT", "revision": revision,
            "state": ProtectionState.PROTECTED, "held_by": HeldBy.VENUE, "position_quantity": Decimal(1),
            "protected_quantity": Decimal(1), "stop_price": Decimal(27000), "take_profit_price": None,
            "trailing_ratio": None, "order_ids": (), "detail": "",
        }  # fmt: skip
        return self.make("broker_gateway", ProtectionChanged, **(fields | changes))

    async def answer_protections(self, asked: Any) -> broker_gateway.Protections:
        return broker_gateway.Protections(protections=(self.protection(),))

    async def answer_cancel_all(self, asked: broker_gateway.CancelAllAsked) -> broker_gateway.CancelAllDone:
        self.asked.append(asked)
        return broker_gateway.CancelAllDone(orders=3)

    async def answer_credentials(self, asked: Any) -> broker_gateway.Credentials:
        row = broker_gateway.CredentialInfo(
            account=ACCOUNT, venue="binance", key_hint="wxyz", key_version=1, stored_at=datetime.now(UTC)
        )
        return broker_gateway.Credentials(credentials=(row,))

    async def answer_earn(self, asked: broker_gateway.EarnAsked) -> broker_gateway.EarnProducts:
        self.asked.append(asked)
        product = broker_gateway.EarnProduct(
            product_id="ESRFUO3", asset="ETH", lock="instant", apr_low=Decimal("0.02"), apr_high=None, minimum=None,
            can_allocate=True, allocated=Decimal(0), pending=False,
        )  # fmt: skip
        return broker_gateway.EarnProducts(products=(product,))

    async def answer_refusals(self, asked: risk.RefusalsAsked) -> risk.Refusals:
        wanted = [r for r in self.refusals if asked.order_id in (None, r.terms.order_id)]
        return risk.Refusals(refusals=tuple(wanted))

    async def answer_strategies(self, asked: Any) -> agent.Strategies:
        return agent.Strategies(strategies=(self.strategy,))

    async def answer_command(self, asked: agent.StrategyCommanded) -> agent.StrategyChanged:
        self.asked.append(asked)
        if asked.strategy != "sma-cross-btc":
            raise Refused("strategy_unknown", f"there is no strategy {asked.strategy}")
        return agent.StrategyChanged(strategy=self.strategy)

    async def answer_signals(self, asked: Any) -> agent.Signals:
        return agent.Signals(signals=(self.signal(),))

    async def answer_run(self, asked: backtest.RunAsked) -> backtest.Run:
        if asked.run_id not in self.runs:
            raise Refused("run_unknown", "no such run")
        return self.runs[asked.run_id]

    async def answer_runs(self, asked: Any) -> backtest.Runs:
        return backtest.Runs(runs=tuple(run.summary for run in self.runs.values()))

    async def answer_trials(self, asked: backtest.TrialsAsked) -> backtest.Trials:
        self.asked.append(asked)
        trial = backtest.Trial(
            window=0, number=3, parameters={"fast": 5}, status="finished", objective="1.25",
            statistics={"sharpe": 1.25, "odd": None}, result_hash=None, error=None,
        )  # fmt: skip
        return backtest.Trials(trials=(trial,), total=7)

    async def answer_artefacts(self, asked: backtest.ArtefactsAsked) -> backtest.Artefacts:
        return backtest.Artefacts(artefacts=tuple(self._info(name) for name in self.files))

    async def answer_artefact(self, asked: backtest.ArtefactAsked) -> backtest.ArtefactPart:
        if asked.name not in self.files:
            raise Refused("artefact_unknown", "no such file")
        content, end = self.files[asked.name], asked.offset + 10
        return backtest.ArtefactPart(
            info=self._info(asked.name), offset=asked.offset, more=end < len(content),
            data=base64.b64encode(content[asked.offset : end]).decode(),
        )  # fmt: skip

    def _info(self, name: str) -> backtest.ArtefactInfo:
        return backtest.ArtefactInfo(name=name, media_type="text/html", size=len(self.files[name]), sha256="00")

    async def answer_pause(self, asked: backtest.PauseAsked) -> backtest.RunSummary:
        self.asked.append(asked)
        status = "paused" if asked.paused else "queued"
        return (await self.answer_run(backtest.RunAsked(run_id=asked.run_id))).summary.model_copy(
            update={"status": status}
        )


USDT = AssetBalance(asset="USDT", total=Decimal(100000), available=Decimal(90000), reserved=Decimal(10000))
STRATEGY: dict[str, Any] = {
    "strategy": "sma-cross-btc", "revision": 1, "name": "SMA crossover", "strategy_kind": "sma_cross",
    "venue": "binance", "symbol": "BTC-USDT", "timeframe": "1m", "account": ACCOUNT, "status": "running",
    "status_detail": "", "parameters": {"fast": 10, "slow": 30}, "position_quantity": Decimal(1),
    "realised_pnl": Decimal(0), "last_signal_time": None, "last_signal_target": None, "last_signal_reason": None,
}  # fmt: skip


def instrument() -> ingest.InstrumentInfo:
    return ingest.InstrumentInfo(
        venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.01"),
        quantity_step=Decimal("0.00001"), min_quantity=Decimal("0.00001"), max_quantity=Decimal(9000),
        min_notional=Decimal(5), maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"),
    )  # fmt: skip


def _responders(world: World) -> dict[str, list[tuple[Any, Any]]]:
    return {
        "ingest": [
            (ingest.INSTRUMENTS, world.answer_instruments),
            (ingest.QUOTES, world.answer_quotes),
            (ingest.FEEDS, world.answer_feeds),
            (ingest.CANDLES, world.answer_candles),
        ],
        "broker_gateway": [
            (broker_gateway.ACCOUNTS, world.answer_accounts),
            (broker_gateway.ORDERS, world.answer_orders),
            (broker_gateway.ORDER, world.answer_order),
            (broker_gateway.FILLS, world.answer_fills),
            (broker_gateway.POSITIONS, world.answer_positions),
            (broker_gateway.BALANCES, world.answer_balances),
            (broker_gateway.PROTECTIONS, world.answer_protections),
            (broker_gateway.CANCEL_ALL, world.answer_cancel_all),
            (broker_gateway.CREDENTIALS, world.answer_credentials),
            (broker_gateway.EARN, world.answer_earn),
            (broker_gateway.EARN_CHANGE, world.answer_earn),
        ],
        "risk": [
            (risk.STATE, world.answer_state),
            (risk.HALT, world.answer_halt),
            (risk.RESUME, world.answer_resume),
            (risk.REFUSALS, world.answer_refusals),
            (risk.HALTS, world.answer_halts),
            (risk.PENDING, world.answer_pending),
            (risk.LIMITS, world.answer_limits),
            (risk.SET_LIMITS, world.answer_set_limits),
            (risk.PORTFOLIO, world.answer_portfolio),
            (risk.ENABLE, world.answer_enable),
        ],
        "agent": [
            (agent.STRATEGIES, world.answer_strategies),
            (agent.START, world.answer_command),
            (agent.PAUSE, world.answer_command),
            (agent.STOP, world.answer_command),
            (agent.SIGNALS, world.answer_signals),
        ],
        "backtest": [
            (backtest.RUN, world.answer_run),
            (backtest.RUNS, world.answer_runs),
            (backtest.TRIALS, world.answer_trials),
            (backtest.ARTEFACTS, world.answer_artefacts),
            (backtest.ARTEFACT, world.answer_artefact),
            (backtest.PAUSE, world.answer_pause),
        ],
    }


def peer_app(servers: Servers, service: str) -> App:
    environment = {
        name: value
        for name, value in servers.environment(service).items()
        if name.startswith("ALGOTRENDY_NATS_") or name.endswith("_NATS_SEED_FILE")
    }
    return App(service, load(ServiceSettings, service, environment))


@asynccontextmanager
async def playing(servers: Servers, *services: str) -> AsyncIterator[World]:
    """The named services, answering; the others are not there, though the world can speak of their events."""
    apps = {service: peer_app(servers, service) for service in PEERS}
    world = World(apps)
    responders = _responders(world)
    async with AsyncExitStack() as stack:
        for service in services:
            for call, answer in responders[service]:
                apps[service].answers(call, answer)
            if service == "ingest":
                apps[service].runs("feeds", world.speak_of_feeds)
            await stack.enter_async_context(apps[service].running())
        yield world


# -- the gateway -------------------------------------------------------------------------------------------------------


def gateway_settings(servers: Servers, **changes: str) -> GatewaySettings:
    own = {"TOKEN_KEY": "11" * 32, "DEMO_PASSWORD": PASSWORD, "PAGE_DIR": "/nowhere"} | changes
    environment = servers.environment("gateway") | {f"ALGOTRENDY_GATEWAY_{name}": own[name] for name in own}
    return load(GatewaySettings, "gateway", environment)


@asynccontextmanager
async def running_gateway(servers: Servers, **changes: str) -> AsyncIterator["Gateway"]:
    app = build_app(gateway_settings(servers, **changes))
    async with app.running():
        yield Gateway(app)


@pytest.fixture
def gateways(servers: Servers) -> Callable[..., AbstractAsyncContextManager["Gateway"]]:
    """``async with gateways(SETTING="value") as fresh``: a gateway of one's own, on the same servers."""
    return partial(running_gateway, servers)


@pytest.fixture
def players(servers: Servers) -> Callable[..., AbstractAsyncContextManager["World"]]:
    """``async with players("ingest", …) as world``: only these services are there."""
    return partial(playing, servers)


@dataclass
class Gateway:
    app: App
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.app.http_port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.app.http_port}/api/stream"

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=20)

    async def login(self, username: str) -> dict[str, str]:
        """Headers of a user who is logged in; one login a user and gateway."""
        if username not in self.tokens:
            async with self.client() as http:
                answer = await http.post("/api/auth/login", json={"username": username, "password": PASSWORD})
                assert answer.status_code == 200, answer.text
                self.tokens[username] = answer.json()["access_token"]
        return {"Authorization": f"Bearer {self.tokens[username]}"}

    async def call(self, username: str, method: str, path: str, **options: Any) -> httpx.Response:
        async with self.client() as http:
            return await http.request(method, path, headers=await self.login(username), **options)

    async def synchronised(self) -> None:
        """Wait until the board is full."""

        async def full() -> bool:
            return (await self.call("vic", "GET", f"/api/overview?account={ACCOUNT}")).status_code == 200 and (
                await self.call("vic", "GET", "/api/instruments")
            ).status_code == 200

        await until(full)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(servers: Servers) -> AsyncIterator[World]:
    async with playing(servers, *PEERS) as world:
        yield world


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running(servers: Servers, world: World, page_dir: Path) -> AsyncIterator[Gateway]:
    """One gateway for all tests that leave it as they found it."""
    async with running_gateway(servers, PAGE_DIR=str(page_dir)) as running:
        await running.synchronised()
        yield running


@pytest.fixture(scope="session")
def page_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export like the page's build makes."""
    root = tmp_path_factory.mktemp("out")
    (root / "_next/static").mkdir(parents=True)
    (root / "terminal").mkdir()
    (root / "index.html").write_text("<!doctype html><title>home</title><script>boot()</script>" + " " * 2000)
    (root / "terminal/index.html").write_text("<!doctype html><title>terminal</title>")
    (root / "404.html").write_text("<!doctype html><title>lost</title>")
    (root / "_next/static/app-abc123.js").write_text("console.log(1)")
    (root / "csp-hashes.json").write_text('{"script_src": [], "pages": {"index.html": ["\'sha256-AAAA\'"]}}')
    (root.parent / "secret.txt").write_text("outside")
    return root


@pytest_asyncio.fixture(loop_scope="session")
async def sql(servers: Servers) -> AsyncIterator[asyncpg.Connection]:
    """As the gateway's own role."""
    connection = await asyncpg.connect(servers.addresses.service_postgres_url("gateway"))
    yield connection
    await connection.close()


@pytest_asyncio.fixture(loop_scope="session")
async def forgetful(servers: Servers) -> AsyncIterator[None]:
    """What this test makes Redis count does not slow down the next one's logins."""
    yield
    redis = Redis.from_url(servers.addresses.redis_url)
    await redis.flushdb()
    await redis.aclose()


@dataclass
class Heard:
    """What travelled on the bus, as a program outside hears it."""

    events: list[Event] = field(default_factory=list)

    def of[E: Event](self, event_class: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, event_class)]


@pytest_asyncio.fixture(loop_scope="session")
async def heard(servers: Servers) -> AsyncIterator[Callable[..., Awaitable[Heard]]]:
    """``await heard(OrderProposed, …)`` begins to listen for these."""
    client = await nats.connect(
        servers.addresses.nats_url, nkeys_seed_str=servers.addresses.nats_seed("observer"),
        inbox_prefix=inbox_prefix("observer"),
    )  # fmt: skip

    async def listen(*event_classes: type[Event]) -> Heard:
        heard = Heard()
        for event_class in event_classes:

            async def take(message: Any, event_class: type[Event] = event_class) -> None:
                heard.events.append(event_class.from_json(message.data))

            await client.subscribe(subject_of(event_class).wildcard, cb=take)
        await client.flush()
        return heard

    yield listen
    await client.close()
