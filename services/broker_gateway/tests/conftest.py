"""The gateway against real servers: NATS, PostgreSQL, and a simulated Binance that speaks the real wire formats."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlencode

import aiohttp
import asyncpg
import httpx
import pytest
from algotrendy_broker_gateway.service import build_app
from algotrendy_broker_gateway.settings import BrokerGatewaySettings
from algotrendy_common import ids, subjects
from algotrendy_common.app import App
from algotrendy_common.approval import Signer
from algotrendy_common.enums import OrderSource, OrderType, Side, TimeInForce
from algotrendy_common.events.account import AccountReconciled, BalanceChanged, PositionChanged, ProtectionChanged
from algotrendy_common.events.event import Event
from algotrendy_common.events.market import QuoteChanged
from algotrendy_common.events.ops import AlertRaised, MessageDeadLettered
from algotrendy_common.events.order import (
    OrderApproved,
    OrderCancelRequested,
    OrderFilled,
    OrderOrigin,
    OrderTerms,
    OrderUpdated,
)
from algotrendy_common.events.risk import RiskStateChanged, TradingState
from algotrendy_common.rpc.call import Call
from algotrendy_common.settings import ServiceSettings, load
from algotrendy_local.testing import servers_running
from algotrendy_simulator.testing import RunningVenue, running_venue

SEED = "11" * 32
HEARD = (
    OrderUpdated,
    OrderFilled,
    PositionChanged,
    BalanceChanged,
    AccountReconciled,
    ProtectionChanged,
    AlertRaised,
    MessageDeadLettered,
)
PATIENT = {
    "RECONCILE_INTERVAL": "PT1S",
    "RECONCILE_RETRY": "PT0.2S",
    "ANSWER_TIMEOUT": "PT2S",
    "SETTLE_TIME": "PT0.3S",
    "NOT_FOUND_CHECKS": "3",
    "NOT_FOUND_SPAN": "PT0.6S",
    "RESOLVE_FIRST_DELAY": "PT0.1S",
    "RESOLVE_LONGEST_DELAY": "PT0.3S",
    # Longer than any machine stands still: a gateway whose lease has run out rightly sends nothing.
    "LEASE_TIME": "PT15S",
}
"""The production durations, shortened, but for the lease's."""


_LESS_ABLE = """
import runpy, sys
from dataclasses import replace
from algotrendy_broker_gateway.adapters.binance import BinanceVenue
from algotrendy_common.enums import OrderType
can = frozenset(OrderType(name) for name in sys.argv[1:])
BinanceVenue.capabilities = replace(BinanceVenue.capabilities, resting=can)
runpy.run_module("algotrendy_broker_gateway", run_name="__main__")
"""


async def eventually[T](question: Callable[[], Any], *, within_s: float = 60.0) -> Any:
    """The first true answer; asks again and again until the deadline, then fails with the last one."""
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        answer = question()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return answer
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {within_s} s, last answer {answer!r}")
        await asyncio.sleep(0.02)


@pytest.fixture(scope="session")
def servers() -> Iterator[Any]:
    with servers_running("nats", "postgres", migrate=True) as running:
        yield running


@dataclass
class World:
    """Everything around the gateway: the venue, and the services that talk to it, played by the test."""

    servers: Any
    venue: RunningVenue
    account: str
    risk: App
    gateway: App
    ingest: App
    heard: list[Event] = field(default_factory=list)
    signer: Signer = field(default_factory=lambda: Signer(SEED))
    hurried: ClassVar[dict[str, str]] = {"LEASE_TIME": "PT2S"}
    """For what is to happen once a gateway has fallen silent."""

    def environment(self, **changes: str) -> dict[str, str]:
        own = {
            "ACCOUNT": self.account,
            "BINANCE_HTTP_URL": self.venue.http,
            "BINANCE_WS_URL": self.venue.ws,
            "BINANCE_API_KEY": self.account,
            "BINANCE_API_SECRET": self.account,
            "APPROVAL_PUBLIC_KEY": self.signer.public_key,
        } | PATIENT
        wanted = {
            name: value
            for name, value in self.servers.environment("broker_gateway").items()
            if name.startswith("ALGOTRENDY_NATS_") or name.endswith(("_NATS_SEED_FILE", "_POSTGRES_URL"))
        }
        return wanted | {f"ALGOTRENDY_BROKER_GATEWAY_{name}": value for name, value in (own | changes).items()}

    @asynccontextmanager
    async def running(self, *, active: bool = True, **changes: str) -> AsyncIterator[App]:
        """The service in this process, reconciled and allowed to trade unless ``active`` is false."""
        settings = load(BrokerGatewaySettings, "broker_gateway", self.environment(**changes))
        app = build_app(settings)
        async with app.running():
            if active:
                await self.activate(app.http_port)
            yield app

    async def activate(self, port: int) -> None:
        async with httpx.AsyncClient(timeout=60) as client:

            async def ready() -> bool:
                await self.say_risk(TradingState.ACTIVE)
                return (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200

            await eventually(ready)

    @asynccontextmanager
    async def process(
        self, holding: tuple[str, ...] | None = None, **changes: str
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """The service as a process of its own, ready; killed at the end.

        ``holding``: the order types that its adapter says the venue holds; None leaves what it says.
        """
        port = _free_port()
        environment = self.environment(HEALTH_PORT=str(port), **changes)
        log = (self.servers.home.logs / "broker_gateway-test.log").open("a")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(("-m", "algotrendy_broker_gateway") if holding is None else ("-c", _LESS_ABLE, *holding)),
            env=os.environ | environment,
            stdout=log,
            stderr=log,
        )
        try:
            await self._await_port(port)
            await self.activate(port)
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _await_port(self, port: int) -> None:
        async def answers() -> bool:
            try:
                async with httpx.AsyncClient(timeout=60) as client:
                    return (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(answers, within_s=90)

    # -- what the others say -----------------------------------------------------------------------------------

    async def say_risk(self, state: TradingState) -> None:
        await self.risk.bus.publish(
            self.risk.events.make(
                RiskStateChanged,
                account=self.account,
                revision=1,
                trading_state=state,
                halted_by="ada" if state is TradingState.HALTED else None,
                halted_reason="drill" if state is TradingState.HALTED else None,
                halted_since=None,
                quote_currency="USDT",
                equity=None,
                cash=None,
                day_pnl=None,
                day_realised=Decimal(0),
                day_unrealised=None,
                day_fees=Decimal(0),
                exposure_gross=None,
                exposure_reserved=Decimal(0),
                drawdown_ratio=None,
                limits=(),
            )
        )

    async def say_quote(self, bid: Decimal | str, ask: Decimal | str | None = None) -> None:
        """The market's word, as the market data service has it: what the gateway watches prices by."""
        await self.ingest.bus.publish(
            self.ingest.events.make(
                QuoteChanged,
                venue="binance",
                symbol="BTC-USDT",
                bid=Decimal(bid),
                bid_quantity=Decimal(1),
                ask=Decimal(ask) if ask is not None else Decimal(bid) + Decimal("0.01"),
                ask_quantity=Decimal(1),
            )
        )

    def terms(self, **changes: Any) -> OrderTerms:
        return OrderTerms(
            **(
                {
                    "order_id": ids.new_id(),
                    "account": self.account,
                    "venue": "binance",
                    "symbol": "BTC-USDT",
                    "side": Side.BUY,
                    "type": OrderType.MARKET,
                    "quantity": Decimal("0.01"),
                }
                | changes
            )
        )

    def approval(
        self, terms: OrderTerms, *, notional: Decimal | None = None, lifetime_s: float = 30, strategy: str | None = None
    ) -> OrderApproved:
        """As risk makes one: ample notional unless said otherwise."""
        approval_id = ids.derived_id("approval", terms.order_id)
        notional = notional or terms.quantity * (terms.limit_price or Decimal(100_000))
        expires_at = datetime.now(UTC) + timedelta(seconds=lifetime_s)
        return self.risk.events.make(
            OrderApproved,
            approval_id=approval_id,
            terms=terms,
            origin=OrderOrigin(source=OrderSource.STRATEGY if strategy else OrderSource.TRADER, strategy=strategy),
            notional=notional,
            expires_at=expires_at,
            signature=self.signer.sign(approval_id, terms, notional, expires_at),
        )

    async def send(self, event: Event) -> None:
        """Store an event on its stream, as a relay does."""
        app = self.risk if isinstance(event, OrderApproved) else self.gateway
        await app.bus.jetstream.publish(
            subjects.address(event), event.to_json(), headers={"Nats-Msg-Id": event.event_id}
        )

    async def approve(self, **changes: Any) -> OrderTerms:
        strategy = changes.pop("strategy", None)
        terms = self.terms(**changes)
        await self.send(self.approval(terms, strategy=strategy))
        return terms

    async def approve_resting(self, **changes: Any) -> OrderTerms:
        """A buy far below the market."""
        return await self.approve(
            **{"type": OrderType.LIMIT, "limit_price": Decimal("5000"), "time_in_force": TimeInForce.GTC} | changes
        )

    async def request_cancel(self, order_id: str, **changes: Any) -> None:
        await self.send(
            self.gateway.events.make(
                OrderCancelRequested,
                **{"order_id": order_id, "account": self.account, "requested_by": "tom", "reason": "changed my mind"}
                | changes,
            )
        )

    async def ask(self, call: Call[Any, Any], request: Any) -> Any:
        return await self.gateway.bus.ask(call, request)

    # -- what was heard, and the venue's own books -------------------------------------------------------------

    def updates(self, order_id: str) -> list[OrderUpdated]:
        return [event for event in self.heard if isinstance(event, OrderUpdated) and event.terms.order_id == order_id]

    def status(self, order_id: str) -> str | None:
        updates = self.updates(order_id)
        return max(updates, key=lambda update: update.revision).status.value if updates else None

    async def reaches(self, order_id: str, *statuses: str, within_s: float = 60.0) -> OrderUpdated:
        try:
            await eventually(lambda: self.status(order_id) in statuses, within_s=within_s)
        except AssertionError as error:
            newest = self.updates(order_id)[-1:]
            raise AssertionError(
                f"{error}; told {[(str(one.status), one.reason_message) for one in newest]}"
            ) from error
        return max(self.updates(order_id), key=lambda update: update.revision)

    async def hears[E: Event](self, event_class: type[E], matching: Callable[[E], bool]) -> E:
        found = await eventually(
            lambda: [event for event in self.heard if isinstance(event, event_class) and matching(event)]
        )
        return found[-1]  # type: ignore[no-any-return]

    def fills(self) -> list[OrderFilled]:
        return [event for event in self.heard if isinstance(event, OrderFilled)]

    async def venue_orders(self) -> list[dict[str, Any]]:
        return _of(await self.venue.admin("GET", f"/admin/orders?account={self.account}"), self.account)

    async def venue_fills(self) -> list[dict[str, Any]]:
        return _of(await self.venue.admin("GET", f"/admin/fills?account={self.account}"), self.account)

    async def venue_balances(self) -> dict[str, Decimal]:
        books = await self.venue.admin("GET", f"/admin/balances?account={self.account}")
        return {asset: Decimal(row["total"]) for asset, row in books[self.account].items()}

    async def fault(self, kind: str, method: str = "POST", path: str = "/api/v3/order", **more: Any) -> None:
        await self.venue.admin("POST", "/admin/faults", {"kind": kind, "path": path, "method": method, **more})

    async def by_hand(self, method: str, path: str, account: str | None = None, **parameters: str) -> Any:
        """A signed call that somebody else makes with the account's own key (or with another account's)."""
        key = account or self.account
        query = urlencode(parameters | {"timestamp": str(int(datetime.now(UTC).timestamp() * 1000))})
        signature = hmac.new(key.encode(), query.encode(), hashlib.sha256).hexdigest()
        async with httpx.AsyncClient(headers={"X-MBX-APIKEY": key}) as client:
            answer = await client.request(method, f"{self.venue.http}{path}?{query}&signature={signature}")
        answer.raise_for_status()
        return answer.json()

    async def best(self, side: Side, symbol: str = "BTCUSDT") -> Decimal:
        book = (await self.venue.admin("GET", "/admin/books"))[symbol]
        return Decimal(book["bids" if side is Side.BUY else "asks"][0][0])

    async def standing_market(self) -> Decimal:
        """The best bid of a market that stands still, with a whole book on both sides."""
        await self.venue.admin("POST", "/admin/pause")
        await self.venue.admin("POST", "/admin/step", {"candles": 1})
        return await self.best(Side.BUY)

    async def levels(self, side: Side, symbol: str = "BTCUSDT") -> list[Decimal]:
        """Prices of a side's levels, best first."""
        book = (await self.venue.admin("GET", "/admin/books"))[symbol]
        return [Decimal(level[0]) for level in book["bids" if side is Side.BUY else "asks"]]

    async def by_others(self, side: Side, price: Decimal, quantity: str = "400", type_: str = "limit") -> None:
        """Somebody else's order, which takes what the book has up to its price and is then gone."""
        name = f"{self.account}-x"
        with contextlib.suppress(aiohttp.ClientResponseError):  # it is there already
            balances = {"BTC": "100000", "USDT": "1000000000"}
            body = {"account": name, "key": name, "secret": name, "balances": balances}
            await self.venue.admin("POST", "/admin/accounts", body)
        order = {
            "account": name,
            "symbol": "BTCUSDT",
            "side": side.value,
            "type": type_,
            "time_in_force": "ioc",
            "quantity": quantity,
            "limit_price": str(price),
        }
        await self.venue.admin("POST", "/admin/orders/place", order)

    def protections(self) -> list[ProtectionChanged]:
        return [event for event in self.heard if isinstance(event, ProtectionChanged)]

    async def guarded(self, state: str, **expected: Any) -> ProtectionChanged:
        """The newest word on the position, once it says this."""

        def says() -> bool:
            told = self.protections()
            newest = max(told, key=lambda event: event.revision) if told else None
            return (
                newest is not None
                and newest.state == state
                and all(getattr(newest, name) == value for name, value in expected.items())
            )

        try:
            await eventually(says)
        except AssertionError as error:
            told = [(one.revision, str(one.state), one.protected_quantity) for one in self.protections()]
            raise AssertionError(f"{error}; told {told[-5:]}") from error
        return max(self.protections(), key=lambda event: event.revision)

    async def becomes(self, question: Callable[[], Any]) -> Any:
        return await eventually(question)

    async def working(self) -> list[dict[str, Any]]:
        """What works at the venue now, by its own account."""
        return [order for order in await self.venue_orders() if order["status"] in ("NEW", "PARTIALLY_FILLED")]

    def alerts(self, code: str) -> list[AlertRaised]:
        return [event for event in self.heard if isinstance(event, AlertRaised) and event.code == code]

    async def books_equal_the_venues(self) -> None:
        """Fills, fees, positions, balances and orders: ours, read from the store, against the venue's own dump."""
        ours = await self.query(
            "SELECT symbol, trade_id, document::json AS body FROM fills WHERE account = $1", self.account
        )
        bodies = [json.loads(row["body"]) for row in ours]
        assert {
            (
                body["symbol"].replace("-", ""),
                body["trade_id"],
                Decimal(body["quantity"]),
                Decimal(body["price"]),
                Decimal(body["fee"]),
                body["fee_currency"],
            )
            for body in bodies
        } == {
            (
                fill["symbol"],
                str(fill["id"]),
                Decimal(fill["qty"]),
                Decimal(fill["price"]),
                Decimal(fill["commission"]),
                fill["commissionAsset"],
            )
            for fill in await self.venue_fills()
        }
        held = await self.query("SELECT asset, quantity FROM holdings WHERE account = $1", self.account)
        venues = await self.venue_balances()
        assert {row["asset"]: row["quantity"] for row in held if row["quantity"]} == {
            asset: total for asset, total in venues.items() if total
        }
        positions = await self.query(
            "SELECT symbol, quantity FROM positions WHERE account = $1 AND strategy = ''", self.account
        )
        opening = {
            row["asset"]: row["quantity"]
            for row in await self.query("SELECT asset, quantity FROM entries WHERE account = $1", self.account)
        }
        for row in positions:
            base = row["symbol"].split("-")[0]
            assert row["quantity"] == venues[base] - opening.get(base, 0)
        client_ids = [order["clientOrderId"] for order in await self.venue_orders()]
        assert len(client_ids) == len(set(client_ids))
        known = await self.query(
            "SELECT unnest(array_append(ended_venue_ids, venue_order_id)) AS venue_order_id FROM orders"
            " WHERE account = $1",
            self.account,
        )
        assert {_order_id(order) for order in await self.venue_orders()} == {
            row["venue_order_id"] for row in known if row["venue_order_id"]
        }

    async def query(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Straight from the service's schema."""
        connection = await asyncpg.connect(self.servers.addresses.service_postgres_url("broker_gateway"))
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await connection.close()


def _order_id(order: dict[str, Any]) -> str:
    """As our adapter names it: a pair of legs is one order, by the number of the pair."""
    return str(order["orderId"]) if order["sibling"] is None else f"list:{min(order['orderId'], order['sibling'])}"


def _of(answer: Any, account: str) -> list[dict[str, Any]]:
    rows = answer[account] if isinstance(answer, dict) and account in answer else answer
    return [row for row in rows if row.get("account", account) == account]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def venue() -> Iterator[RunningVenue]:
    manager = running_venue(speed=1, history=30, extra=("--weight-per-minute", "1000000", "--orders-per-10s", "10000"))
    with asyncio.Runner() as runner:
        running = runner.run(manager.__aenter__())
        try:
            yield running
        finally:
            runner.run(manager.__aexit__(None, None, None))


@pytest.fixture
async def world(servers: Any, venue: RunningVenue) -> AsyncIterator[World]:
    """An account of its own at the venue, so that tests do not see each other."""
    account = f"test-{ids.new_id()[:12]}"
    await venue.admin(
        "POST",
        "/admin/accounts",
        {"account": account, "key": account, "secret": account, "balances": {"USDT": "100000", "BTC": "1"}},
    )
    risk, gateway, ingest = (_bystander(servers, name) for name in ("risk", "gateway", "ingest"))
    async with risk.running(), gateway.running(), ingest.running():
        around = World(servers, venue, account, risk, gateway, ingest)
        for event_class in HEARD:
            await _listen(gateway, event_class, around)
        try:
            yield around
        finally:
            await venue.admin("DELETE", "/admin/faults")
            await venue.admin("POST", "/admin/resume")


async def _listen(gateway: App, event_class: type[Event], world: World) -> None:
    row = subjects.subject_of(event_class)

    async def hear(message: Any) -> None:
        event = subjects.parse(row, message.data)
        if isinstance(event, event_class):
            world.heard.append(event)

    named = {"account": world.account} if "{account}" in row.pattern else {}
    subject = subjects.filtered(event_class, **named)
    await gateway.bus.client.subscribe(subject, cb=hear)


def _bystander(servers: Any, service: str) -> App:
    environment = {
        name: value
        for name, value in servers.environment(service).items()
        if name.startswith("ALGOTRENDY_NATS_") or name.endswith("_NATS_SEED_FILE")
    }
    return App(service, load(ServiceSettings, service, environment))


class Wire:
    """A TCP relay in front of the venue's sockets, which a test can cut and keep down."""

    def __init__(self, upstream: str) -> None:
        self._host, self._port = upstream.removeprefix("ws://").split(":")
        self._writers: set[asyncio.StreamWriter] = set()
        self.down = False

    async def cut(self) -> None:
        self.down = True
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection(self._host, int(self._port))
        self._writers |= {writer, there_writer}
        await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
        self._writers -= {writer, there_writer}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def wire(venue: RunningVenue) -> AsyncIterator[tuple[Wire, str]]:
    """The relay, and the URL by which the gateway reaches the venue's sockets through it."""
    relay = Wire(venue.ws)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield relay, f"ws://127.0.0.1:{port}"
    server.close()
    await relay.cut()
