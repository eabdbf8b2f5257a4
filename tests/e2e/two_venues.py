"""Agent, risk and broker gateway in this process, on real servers, with two simulated venues and market data of both.

Invariant: prices and the health of a feed come from the venue's own public calls, so a venue that is away has neither.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import aiohttp
from algotrendy_agent.service import build_app as agent
from algotrendy_agent.settings import AgentSettings
from algotrendy_broker_gateway.service import build_app as broker_gateway
from algotrendy_broker_gateway.settings import BrokerGatewaySettings
from algotrendy_common.app import App
from algotrendy_common.approval import Signer
from algotrendy_common.enums import FeedState, Timeframe
from algotrendy_common.events.event import Event
from algotrendy_common.events.market import BarUpdated, FeedHealthChanged, QuoteChanged
from algotrendy_common.events.ops import AlertRaised
from algotrendy_common.events.order import OrderProposed, OrderRefused, OrderUpdated
from algotrendy_common.events.risk import RiskStateChanged
from algotrendy_common.events.signal import StrategyStateChanged
from algotrendy_common.rpc import broker_gateway as rpc
from algotrendy_common.rpc import ingest
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.rpc.ingest import Candle, Candles, CandlesAsked, InstrumentInfo, Instruments, Quotes
from algotrendy_common.settings import ServiceSettings, load
from algotrendy_local.testing import Servers
from algotrendy_risk.service import build_app as risk
from algotrendy_risk.settings import PAPER_LIMITS, RiskSettings
from algotrendy_simulator.listings import PACKAGED, read_listings
from algotrendy_simulator.testing import RunningVenue

HOME, STAND_IN = "main-1", "spare-1"
VENUES = {HOME: "binance", STAND_IN: "bybit"}
SYMBOL = "BTC-USDT"
SEED = "11" * 32
PAST = 12
"""Bars of history: the first live one has this index."""
BEGINNING = datetime(2024, 1, 1, tzinfo=UTC)
_TICKERS = {
    "binance": "/api/v3/ticker/bookTicker?symbol=BTCUSDT",
    "bybit": "/v5/market/tickers?category=spot&symbol=BTCUSDT",
}


@dataclass
class TwoVenues:
    servers: Servers
    venues: dict[str, RunningVenue]
    """By name."""
    feed: App
    person: App
    """The gateway's place on the bus."""
    heard: list[Event] = field(default_factory=list)
    candles: dict[tuple[str, Timeframe], list[Candle]] = field(default_factory=dict)
    asked: list[CandlesAsked] = field(default_factory=list)

    # -- market data ---------------------------------------------------------------------------------------------

    async def publish_forever(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            while True:
                for venue in self.venues:
                    await self._publish(session, venue)
                await asyncio.sleep(0.2)

    async def _publish(self, session: aiohttp.ClientSession, venue: str) -> None:
        state = FeedState.LIVE
        try:
            quote = await self._quote(session, venue)
        except (aiohttp.ClientError, TimeoutError, KeyError):
            state = FeedState.DOWN
        else:
            await self.feed.bus.publish(quote)
        health = self.feed.events.make(
            FeedHealthChanged, venue=venue, state=state, latency_ms=None, last_message_at=None, stale_symbols=(),
            gaps=0, reconnects=0, replay=True,
        )  # fmt: skip
        await self.feed.bus.publish(health)

    async def _quote(self, session: aiohttp.ClientSession, venue: str) -> QuoteChanged:
        async with session.get(self.venues[venue].http + _TICKERS[venue], raise_for_status=True) as response:
            said = await response.json()
        if venue == "bybit":
            row = said["result"]["list"][0]
            prices = row["bid1Price"], row["bid1Size"], row["ask1Price"], row["ask1Size"]
        else:
            prices = said["bidPrice"], said["bidQty"], said["askPrice"], said["askQty"]
        bid, bid_quantity, ask, ask_quantity = map(Decimal, prices)
        return self.feed.events.make(
            QuoteChanged, venue=venue, symbol=SYMBOL, bid=bid, ask=ask, bid_quantity=bid_quantity,
            ask_quantity=ask_quantity,
        )  # fmt: skip

    def past(self, closes: int, timeframe: Timeframe) -> None:
        """History of a falling market, at both venues."""
        for venue in self.venues:
            self.candles[venue, timeframe] = [_candle(i, Decimal(200 - i), timeframe) for i in range(closes)]

    async def bar(
        self, index: int, close: str, timeframe: Timeframe = Timeframe.M1, *, only: str | None = None
    ) -> None:
        """A closed bar of each venue (or of one of them)."""
        candle = _candle(index, Decimal(close), timeframe)
        for venue in self.venues:
            if only in (None, venue):
                self.candles.setdefault((venue, timeframe), []).append(candle)
                bar = self.feed.events.make(
                    BarUpdated, event_time=candle.open_time + _length(timeframe), venue=venue, symbol=SYMBOL,
                    timeframe=timeframe, trade_count=1, **candle.model_dump(),
                )  # fmt: skip
                await self.feed.bus.publish(bar)

    async def answer_candles(self, asked: CandlesAsked) -> Candles:
        self.asked.append(asked)
        rows = self.candles.get((asked.venue, asked.timeframe), [])
        rows = [
            row
            for row in rows
            if (not asked.start or row.open_time >= asked.start) and (not asked.end or row.open_time < asked.end)
        ]
        return Candles(candles=tuple(rows[-asked.limit :]), more=False)

    async def answer_instruments(self, asked: Nothing) -> Instruments:
        (listed,) = (one.instrument for one in read_listings(PACKAGED) if one.instrument.symbol == SYMBOL)
        known = listed.model_dump(include=set(InstrumentInfo.model_fields))
        return Instruments(instruments=tuple(InstrumentInfo(**known | {"venue": venue}) for venue in self.venues))

    async def answer_quotes(self, asked: Nothing) -> Quotes:
        return Quotes(quotes=())

    # -- looking -------------------------------------------------------------------------------------------------

    async def hear(self, event: Event) -> None:
        self.heard.append(event)

    def of[E: Event](self, event_class: type[E], strategy: str | None = None) -> list[E]:
        found: dict[str, E] = {}
        for event in self.heard:
            if isinstance(event, event_class) and strategy in (None, _strategy(event)):
                found.setdefault(event.event_id, event)
        return list(found.values())

    def state(self, strategy: str) -> StrategyStateChanged | None:
        return max(self.of(StrategyStateChanged, strategy), key=lambda one: one.revision, default=None)

    def order(self, order_id: str) -> OrderUpdated | None:
        updates = [one for one in self.of(OrderUpdated) if one.terms.order_id == order_id]
        return max(updates, key=lambda one: one.revision, default=None)

    async def accounts(self) -> dict[str, rpc.AccountInfo]:
        answer = await self.person.bus.ask(rpc.ACCOUNTS, Nothing())
        return {info.account: info for info in answer.accounts}

    async def said(self, account: str) -> "Said":
        """Fills, orders and positions of an account as the broker gateway answers."""
        of = rpc.AccountAsked(account=account, limit=500)
        fills = (await self.person.bus.ask(rpc.FILLS, of)).fills
        orders = (await self.person.bus.ask(rpc.ORDERS, rpc.OrdersAsked(account=account, limit=500))).orders
        positions = (await self.person.bus.ask(rpc.POSITIONS, of)).positions
        return Said(
            {
                # Bybit's id of an execution is the trade's and the order's; the simulation's books have the trade's.
                "fills": [
                    fill.model_dump(mode="json") | {"trade_id": fill.trade_id.partition("-")[0]} for fill in fills
                ],
                "orders": [
                    one.model_dump(mode="json") | {"order_id": one.terms.order_id, "status": one.status.value}
                    for one in orders
                ],
                "positions": [position.model_dump(mode="json") for position in positions],
            }
        )


@dataclass(frozen=True)
class Said:
    """As ``books.differences`` asks for it."""

    rows: dict[str, list[dict[str, Any]]]

    def get(self, path: str, **query: Any) -> list[dict[str, Any]]:
        return self.rows[path]


def _length(timeframe: Timeframe) -> timedelta:
    return timedelta(seconds=timeframe.seconds)


def _candle(index: int, price: Decimal, timeframe: Timeframe) -> Candle:
    return Candle(
        open_time=BEGINNING + index * _length(timeframe), open=price, high=price, low=price, close=price,
        volume=Decimal(1), closed=True,
    )  # fmt: skip


def _strategy(event: Event) -> str | None:
    return event.origin.strategy if isinstance(event, OrderProposed) else getattr(event, "strategy", None)


@asynccontextmanager
async def running(
    servers: Servers, venues: dict[str, RunningVenue], seeds: list[dict[str, Any]]
) -> AsyncIterator[TwoVenues]:
    """Everything up, both accounts ready to trade and the strategies caught up."""
    apps = {name: App(name, load(ServiceSettings, name, _plain(servers, name))) for name in ("ingest", "gateway")}
    world = TwoVenues(servers, venues, apps["ingest"], apps["gateway"])
    for one in seeds:
        world.past(PAST, Timeframe(one["timeframe"]))
    world.feed.answers(ingest.CANDLES, world.answer_candles)
    world.feed.answers(ingest.INSTRUMENTS, world.answer_instruments)
    world.feed.answers(ingest.QUOTES, world.answer_quotes)
    for event_class in (OrderProposed, OrderRefused, OrderUpdated, StrategyStateChanged, RiskStateChanged, AlertRaised):
        world.person.reads(event_class, world.hear)
    services = (
        risk(load(RiskSettings, "risk", _risk(servers))),
        broker_gateway(load(BrokerGatewaySettings, "broker_gateway", _broker_gateway(servers, venues))),
        agent(load(AgentSettings, "agent", _agent(servers, seeds))),
    )
    async with AsyncExitStack() as stack:
        for app in (*apps.values(), *services):
            await stack.enter_async_context(app.running())
        publishing = asyncio.create_task(world.publish_forever())
        try:
            yield world
        finally:
            publishing.cancel()


def _plain(servers: Servers, name: str) -> dict[str, str]:
    """Only what every service knows."""
    shared = ("_NATS_SEED_FILE", "_POSTGRES_URL")
    return {
        key: value
        for key, value in servers.environment(name).items()
        if key.startswith("ALGOTRENDY_NATS_") or key.endswith(shared)
    }


def _own(servers: Servers, name: str, settings: dict[str, str]) -> dict[str, str]:
    return servers.environment(name) | {f"ALGOTRENDY_{name.upper()}_{key}": value for key, value in settings.items()}


def _risk(servers: Servers) -> dict[str, str]:
    rows = []
    for account, venue in VENUES.items():
        limits = PAPER_LIMITS.model_dump(mode="json") | {
            "instruments": [{"venue": venue, "symbol": SYMBOL}],
            "duplicate_window": "PT0S",
            "max_data_age": "PT2S",
        }
        rows.append({"account": account, "venue": venue, "quote_currency": "USDT", "limits": limits})
    return _own(
        servers,
        "risk",
        {"APPROVAL_SEED": SEED, "ACCOUNTS": json.dumps(rows), "SETTLE": "PT0.2S", "CONFIRM_EVERY": "PT0.5S"},
    )


def _broker_gateway(servers: Servers, venues: dict[str, RunningVenue]) -> dict[str, str]:
    rows = [
        {
            "account": account,
            "venue": venue,
            "http_url": venues[venue].http,
            "ws_url": venues[venue].ws,
            "symbols": [SYMBOL],
            "api_key": account,
            "api_secret": account,
            "failover": [other for other in VENUES if account == HOME and other != account],
        }
        for account, venue in VENUES.items()
    ]
    return _own(
        servers,
        "broker_gateway",
        {
            "ACCOUNTS": json.dumps(rows),
            "APPROVAL_PUBLIC_KEY": Signer(SEED).public_key,
            "VENUE_DOWN_AFTER": "PT2S",
            "KEEP_WARM_INTERVAL": "PT0.3S",
            "RECONCILE_INTERVAL": "PT1S",
            "RECONCILE_RETRY": "PT0.3S",
            "ANSWER_TIMEOUT": "PT2S",
        },
    )


def _agent(servers: Servers, seeds: list[dict[str, Any]]) -> dict[str, str]:
    return _own(servers, "agent", {"STRATEGIES": json.dumps(seeds), "ROUTE_INTERVAL": "PT0.2S"})
