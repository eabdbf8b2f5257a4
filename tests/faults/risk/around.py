"""The rest of the platform as risk sees it: prices, an account that agrees with its venue, and somebody who proposes.

Invariant: it says only what the services it stands for would say, under their own users of the bus.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any

from algotrendy_common.app import App
from algotrendy_common.enums import FeedState, OrderStatus
from algotrendy_common.events.account import AccountReconciled, AssetBalance, BalanceChanged
from algotrendy_common.events.event import Event
from algotrendy_common.events.market import FeedHealthChanged, QuoteChanged
from algotrendy_common.events.order import (
    OrderApproved,
    OrderOrigin,
    OrderProposed,
    OrderRefused,
    OrderTerms,
    OrderUpdated,
)
from algotrendy_common.events.risk import RiskStateChanged, TradingState
from algotrendy_common.ids import client_order_id, new_id
from algotrendy_common.rpc import broker_gateway, ingest
from algotrendy_common.rpc.broker_gateway import AccountAsked, Balances, Orders, OrdersAsked, Positions
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.rpc.ingest import InstrumentInfo, Instruments, QuoteRow, Quotes
from algotrendy_common.settings import ServiceSettings, load
from algotrendy_common.testing.waiting import eventually
from algotrendy_local.testing import Servers
from algotrendy_risk.domain.account_limits import AccountLimits
from algotrendy_risk.settings import PAPER_LIMITS, AccountSeed

SEED = "11" * 32
PRICE = Decimal(20_000)
CASH = Decimal(100_000)
BTC = InstrumentInfo(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step="0.01", quantity_step="0.00001",
    min_quantity="0.00001", max_quantity="9000", min_notional="5", maker_fee="0.001", taker_fee="0.001",
)  # fmt: skip
OTHERS = ("ingest", "broker_gateway", "agent", "gateway")


def environment(servers: Servers, account: str, limits: dict[str, Any]) -> dict[str, str]:
    """Settings of a risk service that keeps one account."""
    changed = AccountLimits.model_validate(PAPER_LIMITS.model_dump() | limits)
    seed = AccountSeed(account=account, venue="binance", quote_currency="USDT", limits=changed)
    return servers.environment("risk") | {
        "ALGOTRENDY_RISK_APPROVAL_SEED": SEED,
        "ALGOTRENDY_RISK_ACCOUNTS": f"[{seed.model_dump_json()}]",
    }


class Around:
    """``verdicts`` holds what risk said of each order, with the time it was heard."""

    def __init__(self, servers: Servers, account: str) -> None:
        self.account = account
        self.verdicts: dict[str, list[OrderApproved | OrderRefused]] = {}
        self.heard_at: dict[str, float] = {}
        self.state: RiskStateChanged | None = None
        self._waiting: dict[str, asyncio.Future[OrderApproved | OrderRefused]] = {}
        self._said: tuple[BalanceChanged, AccountReconciled] | None = None
        self.apps = {name: App(name, load(ServiceSettings, name, _plain(servers, name))) for name in OTHERS}
        self.apps["ingest"].answers(ingest.INSTRUMENTS, self._instruments)
        self.apps["ingest"].answers(ingest.QUOTES, self._quotes)
        self.apps["ingest"].runs("prices", self._tell_prices)
        self.apps["broker_gateway"].answers(broker_gateway.POSITIONS, self._positions)
        self.apps["broker_gateway"].answers(broker_gateway.BALANCES, self._balances)
        self.apps["broker_gateway"].answers(broker_gateway.ORDERS, self._orders)
        for event_class in (OrderApproved, OrderRefused, RiskStateChanged):
            self.apps["gateway"].reads(event_class, self._hear)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Around"]:
        async with AsyncExitStack() as stack:
            for app in self.apps.values():
                await stack.enter_async_context(app.running())
            yield self

    async def ready(self) -> None:
        """The account has its cash and may trade."""
        row = AssetBalance(asset="USDT", total=CASH, available=CASH, reserved=Decimal(0))
        balance = self._make("broker_gateway", BalanceChanged, account=self.account, venue="binance", balances=(row,))
        agreed = self._make(
            "broker_gateway", AccountReconciled, account=self.account, venue="binance", ok=True, cause="start",
            orders_checked=0, fills_adopted=0, differences=(), duration_ms=1.0,
            checked_at=self.apps["broker_gateway"].clock.now(),
        )  # fmt: skip
        self._said = (balance, agreed)
        for event in self._said:
            await self.apps["broker_gateway"].bus.publish(event)
        await eventually(
            lambda: self.state and self.state.trading_state is TradingState.ACTIVE and self.state.equity, 60
        )
        await eventually(lambda: self.state and self.state.day_pnl is not None, 60)

    def terms(self, quantity: str, **changes: Any) -> OrderTerms:
        values: dict[str, Any] = {
            "order_id": new_id(), "account": self.account, "venue": "binance", "symbol": "BTC-USDT", "side": "buy",
            "type": "market", "quantity": Decimal(quantity),
        }  # fmt: skip
        return OrderTerms(**(values | changes))

    def proposal(self, terms: OrderTerms, service: str = "gateway") -> OrderProposed:
        return self._make(service, OrderProposed, terms=terms, origin=OrderOrigin(source="trader", user="tom"))

    async def propose(self, terms: OrderTerms, service: str = "gateway") -> None:
        """Without waiting for an answer; ``verdict`` does."""
        self._waiting[terms.order_id] = asyncio.get_running_loop().create_future()
        await self.apps[service].bus.publish(self.proposal(terms, service))

    async def verdict(self, terms: OrderTerms, within_s: float = 60.0) -> OrderApproved | OrderRefused:
        async with asyncio.timeout(within_s):
            return await self._waiting[terms.order_id]

    async def end(self, terms: OrderTerms) -> None:
        """The broker gateway cancelled it before anything traded."""
        await self.apps["broker_gateway"].bus.publish(self.ended(terms))

    def ended(self, terms: OrderTerms) -> OrderUpdated:
        now = self.apps["broker_gateway"].clock.now()
        return self._make(
            "broker_gateway", OrderUpdated, revision=9, terms=terms, origin=OrderOrigin(source="trader"),
            client_order_id=client_order_id(terms.order_id), venue_order_id="1", status=OrderStatus.CANCELLED,
            filled_quantity=Decimal(0), average_price=None, fee=Decimal(0), fee_currency=None, reason_code=None,
            reason_message=None, created_at=now, submitted_at=now,
        )  # fmt: skip

    def _make[E: Event](self, service: str, event_class: type[E], **fields: Any) -> E:
        return self.apps[service].events.make(event_class, **fields)

    async def _hear(self, event: Event) -> None:
        if isinstance(event, RiskStateChanged):
            if event.account == self.account and (self.state is None or event.revision > self.state.revision):
                self.state = event
            return
        assert isinstance(event, OrderApproved | OrderRefused)
        order_id = event.terms.order_id
        self.heard_at.setdefault(order_id, asyncio.get_running_loop().time())
        self.verdicts.setdefault(order_id, []).append(event)
        waiting = self._waiting.get(order_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(event)

    # -- what the others say -----------------------------------------------------------------------------------

    def _quote(self) -> QuoteChanged:
        one = Decimal(1)
        return self._make(
            "ingest", QuoteChanged, venue="binance", symbol="BTC-USDT", bid=PRICE, ask=PRICE, bid_quantity=one,
            ask_quantity=one,
        )  # fmt: skip

    async def _tell_prices(self) -> None:
        bus = self.apps["ingest"].bus
        while True:
            await bus.publish(self._quote())
            await bus.publish(
                self._make(
                    "ingest", FeedHealthChanged, venue="binance", state=FeedState.LIVE, latency_ms=1.0,
                    last_message_at=None, stale_symbols=(), gaps=0, reconnects=0, replay=True,
                )
            )  # fmt: skip
            await asyncio.sleep(0.2)

    async def _instruments(self, asked: Nothing) -> Instruments:
        return Instruments(instruments=(BTC,))

    async def _quotes(self, asked: Nothing) -> Quotes:
        return Quotes(quotes=(QuoteRow(quote=self._quote(), last=None),))

    async def _positions(self, asked: AccountAsked) -> Positions:
        return Positions(positions=())

    async def _balances(self, asked: AccountAsked) -> Balances:
        if self._said is None or asked.account != self.account:
            return Balances(balance=None, reconciled=None)
        return Balances(balance=self._said[0], reconciled=self._said[1])

    async def _orders(self, asked: OrdersAsked) -> Orders:
        return Orders(orders=())


def _plain(servers: Servers, name: str) -> dict[str, str]:
    """Only what every service knows: some have settings of their own."""
    return {
        key: value
        for key, value in servers.environment(name).items()
        if key.startswith("ALGOTRENDY_NATS_") or key.endswith(("_NATS_SEED_FILE", "_POSTGRES_URL"))
    }
