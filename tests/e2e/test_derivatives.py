"""A perpetual with leverage on the whole way: listed and priced by ingest, judged by risk, placed, filled, closed.

Ingest, risk and broker gateway in this process on real servers; OKX as the simulated venue speaks it.
"""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from algotrendy_broker_gateway.service import build_app as broker_gateway
from algotrendy_broker_gateway.settings import BrokerGatewaySettings
from algotrendy_common.app import App
from algotrendy_common.approval import Signer
from algotrendy_common.enums import MarginMode, OrderSource, OrderStatus, OrderType, Side
from algotrendy_common.events.account import PositionChanged
from algotrendy_common.events.event import Event
from algotrendy_common.events.order import (
    OrderApproved,
    OrderFilled,
    OrderOrigin,
    OrderProposed,
    OrderRefused,
    OrderTerms,
    OrderUpdated,
    Protection,
)
from algotrendy_common.events.risk import RiskStateChanged, TradingState
from algotrendy_common.ids import new_id
from algotrendy_common.rpc import ingest as market_data
from algotrendy_common.rpc import risk as risk_rpc
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.settings import ServiceSettings, load
from algotrendy_common.testing.waiting import eventually
from algotrendy_ingest.service import build_app as ingest
from algotrendy_ingest.settings import IngestSettings
from algotrendy_local.testing import Servers, servers_running
from algotrendy_risk.service import build_app as risk
from algotrendy_risk.settings import PAPER_LIMITS, RiskSettings
from algotrendy_simulator.testing import RunningVenue, running_venue

ACCOUNT, PERP, SPOT, SEED = "paper-1", "BTC-USDT-PERP", "BTC-USDT", "11" * 32
D = Decimal
CASH = D(20_000)
_ROUNDING = D("0.0001")
"""What averages and the venue's own eight decimals may differ by."""


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with servers_running("nats", "postgres", "questdb", migrate=True) as found:
        yield found


@dataclass
class World:
    venue: RunningVenue
    person: App
    """The gateway's place on the bus."""
    heard: list[Event] = field(default_factory=list)

    async def propose(self, **changes: Any) -> OrderTerms:
        values = {
            "order_id": new_id(), "account": ACCOUNT, "venue": "okx", "symbol": PERP, "side": Side.BUY,
            "type": OrderType.MARKET, "margin_mode": MarginMode.CROSS,
        }  # fmt: skip
        terms = OrderTerms(**(values | changes))
        origin = OrderOrigin(source=OrderSource.TRADER, user="ada")
        await self.person.bus.publish(self.person.events.make(OrderProposed, terms=terms, origin=origin))
        return terms

    async def filled(self, **changes: Any) -> OrderUpdated:
        """Proposed again where the account was just being compared with the venue: that is an honest no, for now."""
        while True:
            found = await self._ended(**changes)
            if not isinstance(found, OrderRefused) or found.code != "account_reconciling":
                break
        assert isinstance(found, OrderUpdated), f"{found.code}: {found.message} ({found.observed}, {found.limit})"
        assert found.status is OrderStatus.FILLED, found.reason_message
        return found

    async def _ended(self, **changes: Any) -> OrderUpdated | OrderRefused:
        terms = await self.propose(**changes)

        def ended() -> OrderUpdated | OrderRefused | None:
            for event in reversed(self.heard):
                if isinstance(event, OrderRefused) and event.terms.order_id == terms.order_id:
                    return event
                mine = isinstance(event, OrderUpdated) and event.terms.order_id == terms.order_id
                if mine and event.status.terminal:
                    return event
            return None

        found = await eventually(ended)
        assert found is not None
        return found

    async def refused(self, **changes: Any) -> str:
        terms = await self.propose(**changes)

        def verdict() -> OrderRefused | OrderApproved | None:
            said = (event for event in self.heard if isinstance(event, OrderRefused | OrderApproved))
            return next((event for event in said if event.terms.order_id == terms.order_id), None)

        found = await eventually(verdict)
        assert isinstance(found, OrderRefused)
        return found.code

    @property
    def state(self) -> RiskStateChanged | None:
        told = [event for event in self.heard if isinstance(event, RiskStateChanged)]
        return max(told, key=lambda event: event.revision) if told else None

    async def position(self, quantity: Decimal) -> PositionChanged:
        def newest() -> PositionChanged | None:
            told = [event for event in self.heard if isinstance(event, PositionChanged)]
            last = max(told, key=lambda event: event.revision, default=None)
            return last if last is not None and last.quantity == quantity else None

        return await eventually(newest)

    async def portfolio(self, quantity: Decimal) -> Any:
        """Risk's view, once its fills and the broker gateway's word on the position are one."""

        async def settled() -> Any:
            told = await self.person.bus.ask(risk_rpc.PORTFOLIO, risk_rpc.PortfolioAsked(account=ACCOUNT))
            return told if sum((row.quantity for row in told.positions), D(0)) == quantity else None

        return await eventually(settled)

    async def venues_cash(self) -> Decimal:
        books = await self.venue.admin("GET", f"/admin/balances?account={ACCOUNT}")
        return D(books[ACCOUNT]["USDT"]["total"])

    async def hear(self, event: Event) -> None:
        self.heard.append(event)


def _own(servers: Servers, name: str, settings: dict[str, str]) -> dict[str, str]:
    plain = {
        key: value
        for key, value in servers.environment(name).items()
        if key.startswith("ALGOTRENDY_NATS_") or key.endswith(("_NATS_SEED_FILE", "_POSTGRES_URL"))
    }
    return plain | {f"ALGOTRENDY_{name.upper()}_{key}": value for key, value in settings.items()}


def _limits() -> dict[str, Any]:
    ample = dict.fromkeys(("max_order_notional", "max_position_notional"), "200000")
    return PAPER_LIMITS.model_dump(mode="json") | ample | {
        "instruments": [{"venue": "okx", "symbol": symbol} for symbol in (PERP, SPOT)],
        "max_leverage": "5",
        "max_gross_exposure": str(CASH * 3),
        "max_net_exposure": str(CASH * 3),
        "max_concentration": "4",
        "allow_short": True,
        "duplicate_window": "PT0S",
    }  # fmt: skip


@asynccontextmanager
async def running(servers: Servers, venue: RunningVenue) -> AsyncIterator[World]:
    feed = {"venue": "okx", "symbols": [PERP, SPOT], "http_url": venue.http, "ws_url": venue.ws}
    seed = {"account": ACCOUNT, "venue": "okx", "quote_currency": "USDT", "limits": _limits()}
    account = {
        "account": ACCOUNT, "venue": "okx", "http_url": venue.http, "ws_url": venue.ws, "symbols": [PERP, SPOT],
        "api_key": venue.key, "api_secret": venue.secret, "passphrase": venue.passphrase,
    }  # fmt: skip
    own = {
        "ingest": {"FEEDS": json.dumps([feed]), "REPLAY": "true", "QUESTDB_URL": servers.addresses.questdb_url},
        "risk": {"APPROVAL_SEED": SEED, "ACCOUNTS": json.dumps([seed]), "SETTLE": "PT0.2S", "CONFIRM_EVERY": "PT0.5S"},
        "broker_gateway": {
            "ACCOUNTS": json.dumps([account]), "APPROVAL_PUBLIC_KEY": Signer(SEED).public_key,
            "RECONCILE_INTERVAL": "PT1S", "RECONCILE_RETRY": "PT0.3S",
        },
    }  # fmt: skip
    person = App("gateway", load(ServiceSettings, "gateway", _own(servers, "gateway", {})))
    world = World(venue, person)
    for event_class in (OrderApproved, OrderRefused, OrderUpdated, OrderFilled, PositionChanged, RiskStateChanged):
        person.reads(event_class, world.hear)
    environment = {name: _own(servers, name, settings) for name, settings in own.items()}
    services = (
        ingest(load(IngestSettings, "ingest", environment["ingest"])),
        risk(load(RiskSettings, "risk", environment["risk"])),
        broker_gateway(load(BrokerGatewaySettings, "broker_gateway", environment["broker_gateway"])),
    )
    async with AsyncExitStack() as stack:
        for app in (person, *services):
            await stack.enter_async_context(app.running())
        await eventually(
            lambda: world.state is not None and world.state.trading_state is TradingState.ACTIVE and world.state.equity
        )
        yield world


@pytest.mark.timeout(600)
async def test_a_leveraged_perpetual_travels_the_whole_way_and_what_is_not_allowed_does_not(servers):
    extra = ("--quote-balance", str(CASH))
    async with running_venue(venue="okx", speed=20, history=30, extra=extra) as venue, running(servers, venue) as world:
        listed = (await world.person.bus.ask(market_data.INSTRUMENTS, Nothing())).instruments
        (perpetual,) = [row for row in listed if row.symbol == PERP]
        assert (perpetual.kind, perpetual.contract_size, perpetual.max_leverage) == ("perpetual", D("0.01"), D(100))

        async def quoted() -> Any:
            rows = (await world.person.bus.ask(market_data.QUOTES, Nothing())).quotes
            return next((row.quote for row in rows if row.quote.symbol == PERP), None)

        price = (await eventually(quoted)).ask
        # Twice the account's money, with a fifth of its value behind it.
        quantity = (2 * CASH / price).quantize(D("0.001"))

        # -- what risk does not let pass -------------------------------------------------------------------------
        for changes, code in (
            ({"quantity": quantity, "leverage": D(6)}, "max_leverage"),
            ({"quantity": quantity}, "buying_power"),
            ({"quantity": 2 * quantity, "leverage": D(5)}, "max_gross_exposure"),
            ({"quantity": quantity, "side": Side.SELL, "reduce_only": True}, "not_a_reduction"),
            ({"quantity": D("0.01"), "symbol": SPOT, "leverage": D(2)}, "margin_not_offered"),
            ({"quantity": D("0.01"), "symbol": "ETH-USDT-PERP", "leverage": D(2)}, "feed_"),
        ):
            refused = await world.refused(**changes)
            assert refused.startswith(code) or (code == "feed_" and refused in ("instrument_unknown",)), refused
        assert await venue.admin("GET", f"/admin/orders?account={ACCOUNT}") == []

        # -- long, with exits ------------------------------------------------------------------------------------
        stop = (price * D("0.9")).quantize(D("0.1"))
        await world.filled(quantity=quantity, leverage=D(5), protection=Protection(stop_price=stop))
        opened = await world.position(quantity)
        assert (opened.margin_mode, opened.leverage) == (MarginMode.CROSS, D(5))
        own = (await venue.admin("GET", f"/admin/positions?account={ACCOUNT}"))[0]
        assert (D(own["quantity"]), own["leverage"]) == (quantity, "5")
        held = await world.portfolio(quantity)
        assert held.exposure_net == held.exposure_gross > CASH
        assert abs(held.unrealised_pnl) < CASH / 10
        # A second one of the same size would exceed what the account may hold.
        assert await world.refused(quantity=quantity, leverage=D(5)) == "max_gross_exposure"

        # -- closed by a reduction, which nothing stands in the way of --------------------------------------------
        await world.filled(quantity=quantity, side=Side.SELL, reduce_only=True)
        await world.position(D(0))
        # Risk counts the worse of fills and positions, which travel apart, until both have come.
        await eventually(lambda: world.state is not None and world.state.exposure_gross == 0)

        # -- short -----------------------------------------------------------------------------------------------
        await world.filled(quantity=quantity, side=Side.SELL, leverage=D(4))
        short = await world.portfolio(-quantity)
        assert short.exposure_net == -short.exposure_gross
        (row,) = [row for row in short.positions if row.symbol == PERP]
        assert abs(row.unrealised_pnl - (row.average_price - row.mark) * quantity) < _ROUNDING
        await world.filled(quantity=quantity, side=Side.BUY, reduce_only=True)

        # -- what was made of it is what the venue has ------------------------------------------------------------
        flat = await world.portfolio(D(0))
        assert abs(flat.realised_pnl - (await world.venues_cash() - CASH)) < _ROUNDING
        fees = sum((event.fee for event in world.heard if isinstance(event, OrderFilled)), D(0))
        assert flat.fees == fees > 0

        def told() -> bool:
            equity = world.state.equity if world.state is not None else None
            return equity is not None and abs(equity - CASH - flat.realised_pnl) < _ROUNDING

        await eventually(told)
        assert await venue.admin("GET", f"/admin/positions?account={ACCOUNT}") == []
