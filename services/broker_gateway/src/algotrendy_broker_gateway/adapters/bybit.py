"""Bybit's unified account: spot, and USDT linear perpetuals with cross margin.

Invariant: an order is created and cancelled under its ``orderLinkId``, which Bybit never takes twice; the answer to
either is a receipt, and what became of the order is heard on the private stream or asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from algotrendy_common.clock import to_ms
from algotrendy_common.enums import MarginMode, OrderType, TimeInForce
from algotrendy_common.events.account import AssetBalance
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import plain
from algotrendy_core.fills import Fill
from algotrendy_core.instruments import InstrumentKind

from algotrendy_broker_gateway.adapters import bybit_messages as messages
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.answered import Answered
from algotrendy_broker_gateway.adapters.bybit_guard import DisconnectionGuard
from algotrendy_broker_gateway.adapters.bybit_messages import LINEAR, SPOT
from algotrendy_broker_gateway.adapters.bybit_questions import RANGE_MS, SETTLED_IN, Questions
from algotrendy_broker_gateway.adapters.bybit_requests import already_there, order_request
from algotrendy_broker_gateway.adapters.bybit_wire import (
    LEVERAGE_AS_IT_WAS,
    NO_SUCH_ORDER,
    Wire,
    asks_for_silence,
    explicit,
    refused,
)
from algotrendy_broker_gateway.adapters.ccxt_venue import SENSELESS, CcxtVenue
from algotrendy_broker_gateway.adapters.fill_windows import FillCursor
from algotrendy_broker_gateway.adapters.paired_stream import PairedStream
from algotrendy_broker_gateway.adapters.subscribing import until_confirmed
from algotrendy_broker_gateway.domain.venue_report import VenueReport
from algotrendy_broker_gateway.errors import KeyTooPowerful, OutcomeUnknown, VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.ports import (
    BalancesReported,
    Capabilities,
    DuplicateIds,
    FillPage,
    StreamMessage,
    VenuePosition,
)

CATEGORIES = (SPOT, LINEAR)
_TOPICS = ["order", "execution", "wallet"]
_ORDERS_PER_S = {SPOT: 20.0, LINEAR: 10.0}
_CALLS, _CALLS_WINDOW_S = 600.0, 5.0
_LONGEST_WINDOW_S, _SHORTEST_WINDOW_S = 300, 3
_PRODUCTS = ("SPOT", "DERIVATIVES")
"""Of the disconnection protection."""


class BybitVenue(CcxtVenue):
    """One account. Use ``connect`` first; ``close`` at the end."""

    name = messages.VENUE
    capabilities = Capabilities(
        resting=frozenset(
            {
                OrderType.MARKET,
                OrderType.LIMIT,
                OrderType.STOP,
                OrderType.STOP_LIMIT,
                OrderType.TAKE_PROFIT,
                OrderType.TAKE_PROFIT_LIMIT,
            }
        ),
        times_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY}),
        # Isolated margin is a setting of the whole account there, not of an order or a symbol.
        margin_modes=frozenset({MarginMode.NONE, MarginMode.CROSS}),
        max_leverage=Decimal(100),
        reduce_only=True,
        dead_man_switch=True,
        cancel_all=True,
        find_by_client_id=True,
        duplicate_ids=DuplicateIds.ALWAYS,
    )

    def __init__(self, access: VenueAccess) -> None:
        super().__init__(access)
        self._calls = self._bucket("calls", _CALLS, _CALLS / _CALLS_WINDOW_S)
        self._orders = {
            category: self._bucket(f"orders-{category}", per_s, per_s, per_key=True)
            for category, per_s in _ORDERS_PER_S.items()
        }
        self._leverages: dict[str, Decimal] = {}
        self._paired = PairedStream()
        self._subscribed = asyncio.Event()
        self._watching: asyncio.Future[Any] | None = None
        config = self._config(defaultType="spot", fetchMarkets={"types": list(CATEGORIES)})
        self._wire = self._aimed(Wire(config, self._arrived.put_nowait, self._subscribed.set))
        self._questions = Questions(self._wire, self._ask, self._symbol, self.assets)
        self._private_url: str = self._wire.implode_hostname(self._wire.urls["api"]["ws"]["private"]["contract"])
        self._guard = DisconnectionGuard(
            self._private_url, access.api_key.get_secret_value(), access.api_secret.get_secret_value()
        )

    def _is_explicit(self, answer: Answered) -> bool:
        return explicit(answer)

    def _refused(self, answer: Answered) -> VenueRefused:
        return refused(answer)

    def _asks_for_silence(self, answer: Answered) -> bool:
        return asks_for_silence(answer)

    # -- life --------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        await self.ping()
        await self._ask(self._wire.privateGetV5UserQueryApi, self._check_key)
        await self._ask(self._wire.privateGetV5AccountQueryDcpInfo, self._check_protection)
        # What ccxt would ask once more before the first private stream.
        self._wire.options |= {"enableUnifiedMargin": False, "enableUnifiedAccount": True, "unifiedMarginStatus": 6}
        await self._ask(lambda: self._wire.load_markets(True), lambda _: None)
        for category in CATEGORIES:
            request = {"category": category}
            rates = await self._ask(
                lambda request=request: self._wire.privateGetV5AccountFeeRate(request),  # type: ignore[misc]
                messages.fee_rates,
            )
            self._list_all(category, rates)

    def _check_key(self, answer: Mapping[str, Any]) -> None:
        found = answer["result"]
        if "Withdraw" in found["permissions"].get("Wallet", ()):
            raise KeyTooPowerful("the API key may withdraw money: give one that may only trade and read")
        if found["uta"] != 1:
            raise VenueRefused("account_not_unified", "only Bybit's unified trading accounts are supported")

    def _check_protection(self, answer: Mapping[str, Any]) -> None:
        """The disconnection protection is turned on by Bybit's people, account by account; arming alone does not."""
        on = {row["product"] for row in answer["result"]["dcpInfos"] if row["dcpStatus"] == "ON"}
        if not on.issuperset(_PRODUCTS):
            self._log.warning("the venue's dead-man's switch is not turned on for this account", on=sorted(on))
            self.capabilities = replace(self.capabilities, dead_man_switch=False)

    def _list_all(self, category: str, rates: Mapping[str, tuple[Decimal, Decimal]]) -> None:
        for market in self._wire.markets.values():
            if not (market["spot"] if category == SPOT else market["swap"] and market["settle"] == SETTLED_IN):
                continue
            wire_symbol = market["id"]
            try:
                self._list(
                    messages.key_of(category, wire_symbol),
                    messages.instrument(category, market["info"], rates[wire_symbol]),
                )
            except SENSELESS as error:
                # One odd listing among thousands must not keep the account from trading the others.
                self._log.warning("a listing that makes no sense is left out", market=wire_symbol, error=repr(error))

    async def close(self) -> None:
        await self._guard.release()
        await self._wire.close()

    async def ping(self) -> None:
        """The venue's time, which keeps ours: a stamp a second ahead of it is refused (10002)."""
        await self._ask(self._wire.load_time_difference, lambda _: None)

    # -- orders ------------------------------------------------------------------------------------------------

    async def submit(self, client_order_id: str, terms: OrderTerms) -> VenueReport:
        category, wire_symbol = self._product(terms.symbol)
        request = order_request(client_order_id, terms, category, wire_symbol)
        if category == LINEAR and terms.leverage is not None and not terms.reduce_only:
            await self._have_leverage(terms.symbol, terms.leverage, terms.margin_mode)
        if category == SPOT and terms.type.triggered:
            await self._check_trigger(terms, wire_symbol)
        await self._wait_to_order(self._orders[category])
        read = lambda answer: messages.acknowledged(answer, client_order_id, terms)  # noqa: E731
        return await self._changed(lambda: self._wire.privatePostV5OrderCreate(request), read)

    async def _check_trigger(self, terms: OrderTerms, wire_symbol: str) -> None:
        """A spot order cannot say from which side its price must come: past it, a stop would wait as a take-profit,
        for the price to come back."""
        request = {"category": SPOT, "symbol": wire_symbol}
        read = lambda answer: Decimal(answer["result"]["list"][0]["lastPrice"])  # noqa: E731
        try:
            last = await self._ask(lambda: self._wire.publicGetV5MarketTickers(request), read)
        except VenueUnreachable as silent:
            raise VenueRefused("price_unknown", f"nothing was sent: {silent}") from silent
        if already_there(terms, last):
            raise VenueRefused("would_trigger", f"the last price is {last}: the trigger has been passed already")

    async def _have_leverage(self, symbol: str, leverage: Decimal, mode: MarginMode) -> None:
        """Leverage is the symbol's there and not the order's; without a sure yes nothing is sent."""
        if self._leverages.get(symbol) == leverage:
            return
        try:
            await self.set_leverage(symbol, leverage, mode)
        except OutcomeUnknown as unknown:
            raise VenueRefused("leverage_unknown", f"the leverage was not set for sure: {unknown}") from unknown

    async def cancel(self, symbol: str, client_id: str, venue_order_id: str | None = None) -> VenueReport | None:
        category, wire_symbol = self._product(symbol)
        name = {"orderLinkId": client_id} if venue_order_id is None else {"orderId": venue_order_id}
        request = {"category": category, "symbol": wire_symbol} | name
        # A conditional spot order is found only by a call that says that it is one.
        filters = ({"orderFilter": "Order"}, {"orderFilter": "StopOrder"}) if category == SPOT else ({},)
        for order_filter in filters:
            if await self._cancelled(category, request | order_filter):
                try:
                    return await self._questions.order(category, {"symbol": wire_symbol} | name)
                except VenueUnreachable as silent:
                    raise OutcomeUnknown(f"cancelled, and then not told what of it: {silent}") from silent
        return None

    async def _cancelled(self, category: str, request: Mapping[str, str]) -> bool:
        """False where there is nothing to cancel."""
        await self._wait(self._orders[category], 1, urgent=True)
        try:
            await self._changed(lambda: self._wire.privatePostV5OrderCancel(request), _order_id)
        except VenueRefused as no:
            if no.context.get("venue_code") in NO_SUCH_ORDER:
                return False
            raise
        return True

    async def cancel_all(self) -> None:
        """Three calls: spot orders, spot orders that wait, and everything on perpetuals."""
        everything: tuple[dict[str, str], ...] = (
            {"category": SPOT, "orderFilter": "Order"},
            {"category": SPOT, "orderFilter": "StopOrder"},
            {"category": LINEAR, "settleCoin": SETTLED_IN},
        )
        for request in everything:
            await self._wait(self._orders[request["category"]], 1, urgent=True)
            await self._changed(
                lambda request=request: self._wire.privatePostV5OrderCancelAll(request),  # type: ignore[misc]
                lambda answer: answer["result"]["list"],
            )

    async def arm_dead_man_switch(self, timeout: timedelta) -> None:
        """See ``bybit_guard``. Of a process that dies the orders go after ``timeout``, of one that only stops arming
        after twice that; Bybit counts whole seconds, from 3 to 300."""
        if not self.capabilities.dead_man_switch:
            raise VenueRefused("not_offered", "Bybit has not turned the disconnection protection on for this account")
        timeout_s = timeout.total_seconds()
        if timeout_s <= 0:
            await self._guard.release()
            return
        window = min(max(int(timeout_s), _SHORTEST_WINDOW_S), _LONGEST_WINDOW_S)
        for product in _PRODUCTS:
            request = {"product": product, "timeWindow": window}
            await self._changed(
                lambda request=request: self._wire.privatePostV5OrderDisconnectedCancelAll(request),  # type: ignore[misc]
                lambda answer: answer["retCode"],
            )
        try:
            await self._guard.hold(timeout_s)
        except VenueUnreachable as silent:
            raise OutcomeUnknown(str(silent)) from silent

    async def set_leverage(self, symbol: str, leverage: Decimal, mode: MarginMode) -> None:
        category, wire_symbol = self._product(symbol)
        if category != LINEAR:
            raise VenueRefused("not_offered", "leverage is for perpetuals here")
        if mode is not MarginMode.CROSS:
            raise VenueRefused("margin_mode", f"the account's margin is shared: {mode} is not offered")
        value = plain(leverage)
        request = {"category": category, "symbol": wire_symbol, "buyLeverage": value, "sellLeverage": value}
        try:
            await self._changed(lambda: self._wire.privatePostV5PositionSetLeverage(request), lambda _: None)
        except VenueRefused as no:
            if no.context.get("venue_code") != LEVERAGE_AS_IT_WAS:
                raise
        self._leverages[symbol] = leverage

    # -- questions ---------------------------------------------------------------------------------------------

    async def order(self, symbol: str, client_id: str) -> VenueReport | None:
        category, wire_symbol = self._product(symbol)
        return await self._questions.order(category, {"symbol": wire_symbol, "orderLinkId": client_id})

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueReport | None:
        category, wire_symbol = self._product(symbol)
        return await self._questions.order(category, {"symbol": wire_symbol, "orderId": venue_order_id})

    async def open_orders(self) -> tuple[VenueReport, ...]:
        return await self._questions.open_orders()

    async def fills_of(self, symbol: str, venue_order_id: str) -> tuple[Fill, ...]:
        """From the order's beginning: asked without a time, the venue tells of the last seven days only."""
        product = self._product(symbol)
        report = await self.order_by_venue_id(symbol, venue_order_id)
        now_ms = await self._questions.time_ms()
        since_ms = now_ms - RANGE_MS if report is None else to_ms(report.order.created_at)
        return await self._questions.fills(*product, since_ms, now_ms, venue_order_id)

    async def fills_cursor(self, symbol: str) -> str:
        product = self._product(symbol)
        now_ms = await self._questions.time_ms()
        lately = await self._questions.fills(*product, FillCursor.since(now_ms), now_ms)
        return FillCursor.begun(now_ms, lately).text()

    async def fills_after(self, symbol: str, cursor: str) -> FillPage:
        product, before = self._product(symbol), FillCursor.of_text(cursor)
        now_ms = await self._questions.time_ms()
        return before.page(await self._questions.fills(*product, before.since_ms, now_ms), now_ms)

    async def balances(self) -> tuple[AssetBalance, ...]:
        return await self._questions.balances()

    async def positions(self) -> tuple[VenuePosition, ...]:
        return await self._questions.positions()

    async def _ask[R](self, call: Callable[[], Awaitable[Any]], read: Callable[[Any], R]) -> R:
        if not self._silent():
            await self._wait(self._calls, 1)
        return await self._asked(call, read)

    def _product(self, symbol: str) -> tuple[str, str]:
        """Category and the venue's symbol; raises VenueRefused where it is not listed."""
        category, _, wire_symbol = self._market_id(symbol).partition("/")
        assert (category == LINEAR) is (self.instrument(symbol).kind is InstrumentKind.PERPETUAL)
        return category, wire_symbol

    # -- the private stream ------------------------------------------------------------------------------------

    async def _subscribe(self) -> None:
        self._subscribed.clear()
        self._paired.clear()
        await self._wire.authenticate(self._private_url)
        # It never returns, because we take the messages before it; it raises when the socket is lost.
        self._watching = asyncio.ensure_future(self._wire.watch_topics(self._private_url, _TOPICS, _TOPICS))
        await until_confirmed(self._watching, self._subscribed, self._access.answer_timeout.total_seconds())

    async def _until_lost(self) -> None:
        assert self._watching is not None
        await self._watching

    def _understood(self, message: Mapping[str, Any]) -> tuple[StreamMessage, ...]:
        rows = message["data"]
        match str(message["topic"]).split(".")[0]:
            case "order":
                ours = [row for row in rows if row["category"] in CATEGORIES]
                return self._paired.orders(messages.order(row, row["category"], self._symbol) for row in ours)
            case "execution":
                ours = [row for row in rows if row["category"] in CATEGORIES]
                fills = (messages.execution(row, self._symbol, self.assets) for row in ours)
                return self._paired.trades(fill for fill in fills if fill is not None)
            case "wallet":
                return (BalancesReported(messages.balances(rows)),)
        raise ValueError(f"a topic that was not asked for: {message['topic']}")


def _order_id(answer: Mapping[str, Any]) -> str:
    return str(answer["result"]["orderId"])
