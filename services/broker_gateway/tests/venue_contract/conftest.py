"""VenueContract: what every adapter must do, proved against the simulated venue in its own wire format.

Each test runs once a venue; a venue's process is started once a session and stands still unless a test moves it. Each
test has an account of its own, and compares with the venue's own books and never with what the adapter remembers.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.registry import ADAPTERS, open_venue
from algotrendy_broker_gateway.domain.venue_report import Standing, VenueReport
from algotrendy_broker_gateway.errors import VenueUnreachable
from algotrendy_broker_gateway.ports import StreamMessage, StreamOpened, Venue
from algotrendy_common.enums import Mode, OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.ids import new_id
from algotrendy_simulator.testing import RunningVenue, running_venue
from pydantic import SecretStr

SPOT = "BTC-USDT"
PERPETUAL = "BTC-USDT-PERP"
NO_LIMITS = ("--weight-per-minute", "1000000", "--orders-per-10s", "100000")
SUBMISSIONS = {
    "binance": "/api/v3/order",
    "bybit": "/v5/order/create",
    "coinbase": "/api/v3/brokerage/orders",
    "cryptocom": "/exchange/v1/private/create-order",
    "kraken": "/0/private/AddOrder",
    "okx": "/api/v5/trade/order",
}
"""Where each venue takes a plain order: what the faults of an order call are laid on."""
TELL_RIGHTS = frozenset({"binance", "bybit", "coinbase", "kraken", "okx"})
"""Venues that say what a key may do; Crypto.com has no such call."""


@pytest.fixture(scope="session", params=sorted(ADAPTERS))
def running(request: pytest.FixtureRequest) -> Iterator[tuple[str, RunningVenue]]:
    manager = running_venue(venue=request.param, paused=True, history=30, extra=NO_LIMITS)
    with asyncio.Runner() as runner:
        venue = runner.run(manager.__aenter__())
        try:
            yield request.param, venue
        finally:
            runner.run(manager.__aexit__(None, None, None))


@dataclass
class Contract:
    """One account at one venue, seen through its adapter and through the venue's own books."""

    name: str
    simulated: RunningVenue
    account: str
    access: VenueAccess
    venue: Venue
    heard: list[StreamMessage] = field(default_factory=list)

    # -- doing -------------------------------------------------------------------------------------------------

    def terms(self, **changes: Any) -> OrderTerms:
        values: dict[str, Any] = {
            "order_id": new_id(),
            "account": "paper-1",
            "venue": self.name,
            "symbol": SPOT,
            "side": Side.BUY,
            "type": OrderType.MARKET,
            "quantity": Decimal("0.01"),
        }
        return OrderTerms(**(values | changes))

    async def submit(self, **changes: Any) -> tuple[str, VenueReport]:
        client_id = new_id()
        return client_id, await self.venue.submit(client_id, self.terms(**changes))

    async def rest(self, **changes: Any) -> tuple[str, VenueReport]:
        """A buy far below the market."""
        price = (await self.best(Side.BUY, changes.get("symbol", SPOT)) * Decimal("0.9")).quantize(Decimal(1))
        return await self.submit(
            **{"type": OrderType.LIMIT, "limit_price": price, "time_in_force": TimeInForce.GTC} | changes
        )

    async def found(self, client_id: str, symbol: str = SPOT) -> VenueReport | None:
        """By the way the venue offers: its client id, or the open orders and then those behind the fills."""
        if self.venue.capabilities.find_by_client_id:
            return await self.venue.order(symbol, client_id)
        for report in await self.venue.open_orders():
            if report.order.client_id == client_id:
                return report
        page = await self.venue.fills_after(symbol, self.nothing_yet)
        for order_id in dict.fromkeys(fill.venue_order_id for fill in page.fills):
            report = await self.venue.order_by_venue_id(symbol, order_id)
            if report is not None and report.order.client_id == client_id:
                return report
        return None

    async def ends(self, client_id: str, report: VenueReport, symbol: str = SPOT) -> VenueReport:
        """The order once it works no more: answers may come before the order has even been matched."""

        async def over() -> VenueReport | None:
            now = await self.venue.order_by_venue_id(symbol, report.order.venue_order_id)
            return now if now is not None and now.order.standing is not Standing.WORKING else None

        ended: VenueReport = await self.eventually(over)
        assert ended.order.client_id == client_id
        return ended

    @staticmethod
    async def eventually(question: Callable[[], Any], within_s: float = 60.0) -> Any:
        deadline = asyncio.get_running_loop().time() + within_s
        while True:
            try:
                answer = question()
                if asyncio.iscoroutine(answer):
                    answer = await answer
            except VenueUnreachable as error:  # a question without an answer is asked again, as the port says
                answer = None
                reason = repr(error)
            else:
                reason = repr(answer)
            if answer:
                return answer
            assert asyncio.get_running_loop().time() < deadline, f"not within {within_s} s: {reason}"
            await asyncio.sleep(0.02)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[list[StreamMessage]]:
        """The user stream, live, into ``heard``."""

        async def listen() -> None:
            async with contextlib.aclosing(self.venue.stream()) as messages:
                async for message in messages:
                    self.heard.append(message)

        task = asyncio.create_task(listen())
        try:
            await self.eventually(lambda: StreamOpened() in self.heard)
            yield self.heard
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def reports(self, client_id: str) -> list[VenueReport]:
        return [one for one in self.heard if isinstance(one, VenueReport) and one.order.client_id == client_id]

    # -- the venue's own books, and people outside -----------------------------------------------------------------

    async def fault(self, kind: str, **more: Any) -> None:
        body = {"kind": kind, "path": SUBMISSIONS[self.name], "method": "POST"}
        await self.simulated.admin("POST", "/admin/faults", body | more)

    async def orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.simulated.admin("GET", f"/admin/orders?account={self.account}")
        return found

    async def named(self, client_id: str) -> list[dict[str, Any]]:
        return [order for order in await self.orders() if order["clientOrderId"] == client_id]

    async def fills(self, order_id: str | None = None) -> list[dict[str, Any]]:
        found = await self.simulated.admin("GET", f"/admin/fills?account={self.account}")
        return [fill for fill in found if order_id is None or str(fill["orderId"]) == order_id]

    async def balances(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Total and free, zeros left out."""
        found = (await self.simulated.admin("GET", f"/admin/balances?account={self.account}"))[self.account]
        return {
            asset: (Decimal(row["total"]), Decimal(row["free"]))
            for asset, row in found.items()
            if Decimal(row["total"])
        }

    async def best(self, side: Side, symbol: str = SPOT) -> Decimal:
        """The best price of the book's side, after giving the crowd time to quote where it was swept away."""
        book = await self._book(symbol)
        if not book["bids"] or not book["asks"]:
            await self.step()
            book = await self._book(symbol)
        return Decimal(book["bids" if side is Side.BUY else "asks"][0][0])

    async def _book(self, symbol: str) -> dict[str, Any]:
        book: dict[str, Any] = (await self.simulated.admin("GET", "/admin/books"))[listed(symbol)]
        return book

    async def step(self, minutes: int = 1) -> None:
        """The recording goes on, and the crowd quotes both sides anew."""
        await self.simulated.admin("POST", "/admin/step", {"candles": minutes})

    async def sweep(self, side: Side, price: Decimal, symbol: str = SPOT) -> None:
        """Somebody else trades through the book until the last price is at ``price`` or beyond it."""
        taken = (await self._book(symbol))["asks" if side is Side.BUY else "bids"]
        short_of_it = [row for row in taken if (price - Decimal(row[0])) * side.sign > 0]
        # And one more: the levels are not where the price is.
        beyond = taken[: len(short_of_it) + 1]
        assert len(beyond) > len(short_of_it)
        quantity = sum(Decimal(row[1]) for row in beyond[:-1]) + Decimal(beyond[-1][1]) / 2
        await self.act(side, quantity.quantize(Decimal("0.0001")), symbol)

    async def act(self, side: Side, quantity: Decimal, symbol: str = SPOT, **more: str) -> None:
        body = {"account": f"crowd-{self.account}", "symbol": listed(symbol), "side": side, "quantity": str(quantity)}
        await self.simulated.admin("POST", "/admin/orders/place", body | more)

    # -- an adapter of one's own -------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def opened(self, **changes: Any) -> AsyncIterator[Venue]:
        """Another adapter of the same account, for instance with other addresses; not yet connected."""
        venue = open_venue(self.name, replace(self.access, **changes))
        try:
            yield venue
        finally:
            await venue.close()

    nothing_yet: str = ""
    """The fills cursor of the untouched account."""


def listed(symbol: str) -> str:
    """Our symbol as the simulator's own books have it."""
    base, quote, *perpetual = symbol.split("-")
    return f"{base}{quote}{'-PERP' if perpetual else ''}"


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def farewells() -> AsyncIterator[list[asyncio.Task[None]]]:
    """Adapters on their way out: closing one takes a quarter of a second, and no test need wait for it."""
    leaving: list[asyncio.Task[None]] = []
    yield leaving
    await asyncio.gather(*leaving)


@pytest_asyncio.fixture(loop_scope="session")
async def contract(running: tuple[str, RunningVenue], farewells: list[asyncio.Task[None]]) -> AsyncIterator[Contract]:
    name, simulated = running
    account = f"test-{new_id()[:12]}"
    await _open_account(simulated, account, f"{simulated.key}-{account}", {"USDT": "200000", "BTC": "2"})
    await _open_account(simulated, f"crowd-{account}", f"crowd-{account}", {"USDT": "90000000", "BTC": "900"})
    access = VenueAccess(
        mode=Mode.PAPER,
        http_url=simulated.http,
        ws_url=simulated.ws,
        api_key=SecretStr(f"{simulated.key}-{account}"),
        api_secret=SecretStr(simulated.secret),
        passphrase=SecretStr(simulated.passphrase) if name == "okx" else None,
        answer_timeout=timedelta(seconds=1),
    )
    venue = open_venue(name, access)
    try:
        await venue.connect()
        around = Contract(name, simulated, account, access, venue)
        around.nothing_yet = await venue.fills_cursor(SPOT)
        yield around
    finally:
        await simulated.admin("DELETE", "/admin/faults")
        farewells.append(asyncio.create_task(venue.close()))
        for owner in (account, f"crowd-{account}"):
            await simulated.admin("POST", "/admin/orders/cancel", {"account": owner})
            # What is held on margin is looked at with every trade that follows.
            with contextlib.suppress(aiohttp.ClientResponseError):
                await simulated.admin("POST", "/admin/liquidate", {"account": owner})


async def _open_account(simulated: RunningVenue, account: str, key: str, balances: dict[str, str], **more: Any) -> None:
    keys = {"key": key, "secret": simulated.secret, "passphrase": simulated.passphrase}
    await simulated.admin("POST", "/admin/accounts", {"account": account, "balances": balances, **keys, **more})


@pytest_asyncio.fixture(loop_scope="session")
async def powerful_key(contract: Contract) -> str:
    """The key of an account that may also take money out."""
    name = f"{contract.account}-p"
    await _open_account(contract.simulated, name, f"{contract.simulated.key}-{name}", {}, may_withdraw=True)
    return f"{contract.simulated.key}-{name}"


@dataclass
class Garbler:
    """Stands between an adapter and its venue and passes everything on, but for one answer that it replaces."""

    http: str
    path: str
    body: str | None = None
    """What the next answer from ``path`` is replaced with; the venue has done what it was asked all the same."""
    status: int = 200
    posted: list[tuple[str, str]] = field(default_factory=list)
    """Path and body of what was posted."""

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            self.posted.append((request.path, await request.text()))
        headers = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "expect")}
        async with (
            aiohttp.ClientSession(auto_decompress=True) as session,
            session.request(
                request.method, self.http + request.raw_path, headers=headers, data=await request.read() or None
            ) as answer,
        ):
            text, status, kind = await answer.text(), answer.status, answer.content_type
        if self.body is not None and request.method == "POST" and request.path == self.path:
            text, status, self.body = self.body, self.status, None
        return web.Response(text=text, status=status, content_type=kind)


@pytest_asyncio.fixture(loop_scope="session")
async def garbler(contract: Contract) -> AsyncIterator[tuple[Garbler, str]]:
    """The garbler and the address to give the adapter."""
    standing = Garbler(contract.simulated.http, SUBMISSIONS[contract.name])
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", standing.pass_on)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield standing, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
