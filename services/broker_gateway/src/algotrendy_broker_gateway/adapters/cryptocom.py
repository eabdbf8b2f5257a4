"""Crypto.com Exchange, spot.

Invariant: an order is created and cancelled under our ``client_oid``, sent by its own name because ccxt drops the
unified one; the answer to either is a receipt, and what became of the order is heard on the user stream or asked.

Nothing there says what an API key may do: that it cannot withdraw has to be seen to where it is made.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from algotrendy_common.clock import Clock, SystemClock, to_ms
from algotrendy_common.enums import MarginMode, Mode, OrderType, TimeInForce
from algotrendy_common.events.account import AssetBalance
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import ZERO
from algotrendy_core.fills import Fill

from algotrendy_broker_gateway.adapters import cryptocom_messages as messages
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.answered import Answered
from algotrendy_broker_gateway.adapters.ccxt_venue import SENSELESS, CcxtVenue
from algotrendy_broker_gateway.adapters.cryptocom_wire import NO_SUCH_ORDER, Wire, explicit, refused
from algotrendy_broker_gateway.adapters.fill_windows import FillCursor, windows
from algotrendy_broker_gateway.adapters.paired_stream import PairedStream
from algotrendy_broker_gateway.adapters.subscribing import until_confirmed
from algotrendy_broker_gateway.domain.rate_limit import TokenBucket
from algotrendy_broker_gateway.domain.venue_report import VenueReport
from algotrendy_broker_gateway.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.ports import (
    BalancesReported,
    Capabilities,
    DuplicateIds,
    FillPage,
    StreamMessage,
    VenuePosition,
)

_CHANNELS = ["user.order", "user.trade", "user.balance"]
_ORDERS, _ORDERS_PER_S = 15.0, 150.0
_DETAILS, _DETAILS_PER_S = 30.0, 300.0
_OTHERS, _OTHERS_PER_S = 3.0, 30.0
_TRADES = 1.0
"""And one a second."""
_PUBLIC_PER_S = 100.0
_PAGE_OF_TRADES = 100
_DAY_MS = 86_400_000
_CLOCKS_APART_MS = 65_000
"""A call whose stamp is a minute off is refused (40102), so the clocks are never further apart; it tells no time."""


class CryptocomVenue(CcxtVenue):
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
        margin_modes=frozenset({MarginMode.NONE}),
        max_leverage=Decimal(1),
        reduce_only=False,
        # Its cancel-on-disconnect covers only orders that were made over that very connection.
        dead_man_switch=False,
        cancel_all=True,
        find_by_client_id=True,
        duplicate_ids=DuplicateIds.WHILE_OPEN,
    )

    def __init__(self, access: VenueAccess, clock: Clock | None = None) -> None:
        super().__init__(access)
        self._clock = clock or SystemClock()
        self._public = self._limit("public", _PUBLIC_PER_S, _PUBLIC_PER_S)
        self._orders = self._bucket("orders", _ORDERS, _ORDERS_PER_S, per_key=True)
        self._details = self._limit("details", _DETAILS, _DETAILS_PER_S)
        self._others = self._limit("others", _OTHERS, _OTHERS_PER_S)
        self._trades = self._limit("trades", _TRADES, _TRADES)
        self._paired = PairedStream()
        self._subscribed = asyncio.Event()
        self._watching: asyncio.Future[Any] | None = None
        config = self._config(defaultType="spot")
        self._wire = self._aimed(Wire(config, self._arrived.put_nowait, self._subscribed.set))

    def _limit(self, name: str, capacity: float, per_second: float) -> TokenBucket:
        """A limit on questions: nothing of it is kept for cancellations, which have a limit of their own."""
        key = self._access.api_key.get_secret_value()
        return self._access.limits.by_key(self.name, name, key, lambda: TokenBucket(capacity, per_second))

    def _is_explicit(self, answer: Answered) -> bool:
        return explicit(answer)

    def _refused(self, answer: Answered) -> VenueRefused:
        return refused(answer)

    # -- life --------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        await self._ask(self._public, lambda: self._wire.load_markets(True), lambda _: None)
        least = await self._ask(
            self._public, lambda: self._wire.v1PublicGetPublicGetRiskParameters({}), messages.least_values
        )
        rates = await self._ask(self._others, lambda: self._wire.v1PrivatePostPrivateGetFeeRate({}), messages.fee_rates)
        for market in self._wire.markets.values():
            if not market["spot"]:
                continue
            try:
                listed = market["info"]
                self._list(market["id"], messages.instrument(listed, rates, least.get(listed["base_ccy"], ZERO)))
            except SENSELESS as error:
                # One odd listing among thousands must not keep the account from trading the others.
                self._log.warning("a listing that makes no sense is left out", market=market["id"], error=repr(error))
        if self._access.mode is Mode.LIVE:
            self._log.warning("the venue does not tell an API key's rights: see that it may not withdraw")

    async def close(self) -> None:
        await self._wire.close()

    async def ping(self) -> None:
        """The cheapest public call; the venue tells no time of its own."""
        name = next(iter(self._symbols), "BTC_USDT")
        call = lambda: self._wire.v1PublicGetPublicGetTickers({"instrument_name": name})  # noqa: E731
        await self._ask(self._public, call, lambda _: None)

    # -- orders ------------------------------------------------------------------------------------------------

    async def submit(self, client_order_id: str, terms: OrderTerms) -> VenueReport:
        request = messages.order_request(client_order_id, terms, self._market_id(terms.symbol))
        await self._wait_to_order(self._orders)
        at = self._clock.now()
        read = lambda answer: messages.acknowledged(answer, terms, client_order_id, at)  # noqa: E731
        return await self._changed(lambda: self._wire.v1PrivatePostPrivateCreateOrder(request), read)

    async def cancel(self, symbol: str, client_id: str, venue_order_id: str | None = None) -> VenueReport | None:
        self.instrument(symbol)
        # One of the two names and never a null beside it: see ``order_request``.
        named = {"client_oid": client_id} if venue_order_id is None else {"order_id": venue_order_id}
        await self._wait(self._orders, 1, urgent=True)
        try:
            await self._changed(lambda: self._wire.v1PrivatePostPrivateCancelOrder(named), _order_id)
        except VenueRefused as no:
            if no.context.get("venue_code") in NO_SUCH_ORDER:
                return None
            raise
        try:
            return await self._order(named)
        except VenueUnreachable as silent:
            raise OutcomeUnknown(f"cancelled, and then not told what of it: {silent}") from silent

    async def cancel_all(self) -> None:
        await self._wait(self._orders, 1, urgent=True)
        await self._changed(lambda: self._wire.v1PrivatePostPrivateCancelAllOrders({}), lambda answer: answer["code"])

    async def arm_dead_man_switch(self, timeout: timedelta) -> None:
        raise VenueRefused("not_offered", "Crypto.com has no dead-man's switch for orders made by REST")

    async def set_leverage(self, symbol: str, leverage: Decimal, mode: MarginMode) -> None:
        raise VenueRefused("not_offered", "spot has no leverage")

    # -- questions ---------------------------------------------------------------------------------------------

    async def order(self, symbol: str, client_id: str) -> VenueReport | None:
        self.instrument(symbol)
        return await self._order({"client_oid": client_id})

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueReport | None:
        self.instrument(symbol)
        return await self._order({"order_id": venue_order_id})

    async def _order(self, named: Mapping[str, str]) -> VenueReport | None:
        read = lambda answer: VenueReport(messages.order(answer["result"], self._symbol))  # noqa: E731
        try:
            return await self._ask(self._details, lambda: self._wire.v1PrivatePostPrivateGetOrderDetail(named), read)
        except VenueRefused as no:
            if no.context.get("venue_code") in NO_SUCH_ORDER:
                return None
            raise

    async def open_orders(self) -> tuple[VenueReport, ...]:
        def read(answer: Mapping[str, Any]) -> tuple[VenueReport, ...]:
            # Derivatives of the same account are none of ours.
            ours = (row for row in answer["result"]["data"] if row["instrument_name"] in self._symbols)
            return tuple(VenueReport(messages.order(row, self._symbol)) for row in ours)

        return await self._ask(self._others, lambda: self._wire.v1PrivatePostPrivateGetOpenOrders({}), read)

    async def fills_of(self, symbol: str, venue_order_id: str) -> tuple[Fill, ...]:
        """Out of all trades of the symbol while the order lived: they cannot be asked for by order."""
        report = await self.order_by_venue_id(symbol, venue_order_id)
        if report is None or not report.order.executed_quantity:
            return ()
        began, changed = to_ms(report.order.created_at), to_ms(report.order.updated_at)
        found = await self._fills(symbol, began, changed)
        return tuple(fill for fill in found if fill.venue_order_id == venue_order_id)

    async def fills_cursor(self, symbol: str) -> str:
        newest = await self._trades_of({"instrument_name": self._market_id(symbol)})
        return FillCursor.begun(self._reached_ms(newest), newest).text()

    async def fills_after(self, symbol: str, cursor: str) -> FillPage:
        before = FillCursor.of_text(cursor)
        found = await self._fills(symbol, before.since_ms, to_ms(self._clock.now()))
        return before.page(found, self._reached_ms(found))

    def _reached_ms(self, known: Sequence[Fill]) -> int:
        """Until when all trades are known: the newest one's time, or as late as the venue's clock must be by now."""
        least_ms = to_ms(self._clock.now()) - _CLOCKS_APART_MS
        return max(least_ms, *(to_ms(fill.event_time) for fill in known), 0)

    async def _fills(self, symbol: str, since_ms: int, until_ms: int) -> tuple[Fill, ...]:
        """Oldest first, a day at a time and each from its end: the venue gives the newest hundred of a range."""
        name = self._market_id(symbol)
        found: dict[str, Fill] = {}
        for begin_ms, end_ms in windows(since_ms, until_ms, _DAY_MS):
            while True:
                page = await self._trades_of(
                    {"instrument_name": name, "start_time": str(begin_ms), "end_time": str(end_ms + 1)}
                )
                found |= {fill.trade_id: fill for fill in page}
                oldest_ms = min((to_ms(fill.event_time) for fill in page), default=begin_ms)
                if len(page) < _PAGE_OF_TRADES or oldest_ms >= end_ms:
                    break
                end_ms = oldest_ms
        return tuple(sorted(found.values(), key=lambda fill: fill.event_time))

    async def _trades_of(self, request: Mapping[str, str]) -> list[Fill]:
        """Oldest first of what the venue gives newest first."""
        asked = {**request, "limit": str(_PAGE_OF_TRADES)}
        return await self._ask(
            self._trades,
            lambda: self._wire.v1PrivatePostPrivateGetTrades(asked),
            lambda answer: [messages.own_trade(row, self._symbol) for row in answer["result"]["data"]][::-1],
        )

    async def balances(self) -> tuple[AssetBalance, ...]:
        read = lambda answer: messages.balances(answer["result"]["data"])  # noqa: E731
        found = await self._ask(self._others, lambda: self._wire.v1PrivatePostPrivateUserBalance({}), read)
        return tuple(row for row in found if row.total or row.reserved)

    async def positions(self) -> tuple[VenuePosition, ...]:
        return ()

    async def _ask[R](self, bucket: TokenBucket, call: Callable[[], Awaitable[Any]], read: Callable[[Any], R]) -> R:
        if not self._silent():
            await self._wait(bucket, 1)
        return await self._asked(call, read)

    # -- the user stream ---------------------------------------------------------------------------------------

    async def _subscribe(self) -> None:
        self._subscribed.clear()
        self._paired.clear()
        await self._wire.authenticate()
        url = self._wire.urls["api"]["ws"]["private"]
        nonce = self._wire.incrementing_nonce()
        request = {"id": nonce, "nonce": nonce, "method": "subscribe", "params": {"channels": _CHANNELS}}
        # It never returns, because we take the messages before it; it raises when the socket is lost.
        self._watching = asyncio.ensure_future(self._wire.watch(url, "account", request, "account"))
        await until_confirmed(self._watching, self._subscribed, self._access.answer_timeout.total_seconds())

    async def _until_lost(self) -> None:
        assert self._watching is not None
        await self._watching

    def _understood(self, message: Mapping[str, Any]) -> tuple[StreamMessage, ...]:
        rows = message["data"]
        match message["channel"]:
            case "user.order":
                ours = (row for row in rows if row["instrument_name"] in self._symbols)
                return self._paired.orders(messages.order(row, self._symbol) for row in ours)
            case "user.trade":
                ours = (row for row in rows if row["instrument_name"] in self._symbols)
                return self._paired.trades(messages.own_trade(row, self._symbol) for row in ours)
            case "user.balance":
                return (BalancesReported(messages.balances(rows)),)
        raise ValueError(f"a channel that was not asked for: {message['channel']}")


def _order_id(answer: Mapping[str, Any]) -> str:
    return str(answer["result"]["order_id"])
