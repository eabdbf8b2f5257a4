"""Binance spot: what its calls are, what they weigh, and how its pairs and its clock are kept.

Invariant: only an answer with a 4xx status and the venue's own error code is a refusal; every call waits for the
weight it costs, so that the venue's limits are not met by being refused.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, cast

from algotrendy_common.enums import MarginMode, Mode, OrderType, TimeInForce
from algotrendy_common.events.account import AssetBalance
from algotrendy_common.events.order import OrderTerms
from algotrendy_core.fills import Fill

from algotrendy_broker_gateway.adapters import binance_messages as messages
from algotrendy_broker_gateway.adapters import binance_pairs as pairs
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.answered import Answered
from algotrendy_broker_gateway.adapters.binance_requests import order_request, pair_request
from algotrendy_broker_gateway.adapters.binance_wire import NO_SUCH_ORDER, Wire, explicit, refused
from algotrendy_broker_gateway.adapters.ccxt_venue import SENSELESS, CcxtVenue
from algotrendy_broker_gateway.domain.venue_report import VenueReport
from algotrendy_broker_gateway.errors import KeyTooPowerful, VenueRefused
from algotrendy_broker_gateway.ports import (
    BalancesReported,
    Capabilities,
    DuplicateIds,
    FillPage,
    StreamMessage,
    Unreadable,
    VenuePosition,
)

_PAGE = 1000
_WEIGHTS_PER_MINUTE = 6000.0
_ORDERS_PER_TEN_SECONDS = 100.0
"""Binance's own; replaced by what ``exchangeInfo`` says."""


class BinanceVenue(CcxtVenue):
    """One account. Use ``connect`` first; ``close`` at the end."""

    name = messages.VENUE
    capabilities = Capabilities(
        resting=frozenset(OrderType),
        times_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY}),
        margin_modes=frozenset({MarginMode.NONE}),
        max_leverage=Decimal(1),
        reduce_only=False,
        dead_man_switch=False,
        cancel_all=True,
        find_by_client_id=True,
        duplicate_ids=DuplicateIds.WHILE_OPEN,
    )

    def __init__(self, access: VenueAccess) -> None:
        super().__init__(access)
        self._limit_weights(_WEIGHTS_PER_MINUTE)
        self._limit_orders(_ORDERS_PER_TEN_SECONDS)
        self._endings = pairs.Endings()
        config = self._config(defaultType="spot", fetchMarkets={"types": ["spot"]}, fetchCurrencies=False)
        self._wire = self._aimed(Wire(config, self._arrived.put_nowait))

    def _is_explicit(self, answer: Answered) -> bool:
        return explicit(answer)

    def _refused(self, answer: Answered) -> VenueRefused:
        return refused(answer)

    # -- life --------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        await self.ping()
        await self._ask(lambda: self._wire.load_markets(True), lambda _: None, weight=20)
        rates = await self._own_rates()
        for market in self._wire.markets.values():
            if not market.get("spot"):
                continue
            try:
                self._list(market["id"], messages.instrument(market["info"], rates))
            except SENSELESS as error:
                # One odd listing among thousands must not keep the account from trading the others.
                self._log.warning("a listing that makes no sense is left out", market=market["id"], error=repr(error))
        first = next(iter(self._market_ids.values()), None)
        if first is not None:
            call = lambda: self._wire.public_get_exchangeinfo({"symbol": first})  # noqa: E731 - as everywhere here
            await self._ask(call, lambda about: self._limit_as_told(about["rateLimits"]), weight=20)
        await self._refuse_withdrawal_rights()

    async def _own_rates(self) -> tuple[Decimal, Decimal]:
        """Maker's and taker's fee rate of the account."""
        call = lambda: self._wire.private_get_account({"omitZeroBalances": "true"})  # noqa: E731
        return await self._ask(call, messages.fee_rates, weight=20)

    def _limit_as_told(self, limits: list[dict[str, Any]]) -> None:
        for row in limits:
            seconds = int(row["intervalNum"]) * {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}[row["interval"]]
            allowed = float(row["limit"])
            if row["rateLimitType"] == "REQUEST_WEIGHT" and seconds == 60:
                self._limit_weights(allowed)
            elif row["rateLimitType"] == "ORDERS" and seconds == 10:
                self._limit_orders(allowed)

    def _limit_weights(self, per_minute: float) -> None:
        """Counted by address; another limit is another bucket."""
        self._weights = self._bucket(f"weights {per_minute}", per_minute, per_minute / 60)

    def _limit_orders(self, per_ten_seconds: float) -> None:
        """Counted by account."""
        self._orders = self._bucket(f"orders {per_ten_seconds}", per_ten_seconds, per_ten_seconds / 10, per_key=True)

    async def close(self) -> None:
        await self._wire.close()

    async def _refuse_withdrawal_rights(self) -> None:
        call = lambda: self._wire.sapi_get_account_apirestrictions({})  # noqa: E731
        try:
            may_withdraw = await self._ask(call, lambda rights: rights["enableWithdrawals"] is True, weight=1)
        except VenueRefused as no:
            if self._access.mode is Mode.LIVE:
                raise KeyTooPowerful("the venue does not say what the API key may do", answer=str(no)) from no
            self._log.info("the venue does not tell an API key's rights", answer=str(no))
            return
        if may_withdraw:
            raise KeyTooPowerful("the API key may withdraw money: give one that may only trade and read")

    async def ping(self) -> None:
        """The venue's time, which keeps ours: calls are stamped, and a stamp a second ahead is refused (-1021)."""
        await self._ask(self._wire.load_time_difference, lambda _: None, weight=1)

    # -- orders ------------------------------------------------------------------------------------------------

    async def submit(self, client_order_id: str, terms: OrderTerms) -> VenueReport:
        market_id = self._market_id(terms.symbol)
        if terms.type is OrderType.OCO:
            pair = pair_request(client_order_id, terms, market_id)
            await self._wait_to_order(self._orders, 2, also=self._weights)
            return await self._changed(lambda: self._wire.private_post_orderlist_oco(pair), self._answered_pair)
        single = order_request(client_order_id, terms, market_id)
        await self._wait_to_order(self._orders, also=self._weights)
        return await self._changed(lambda: self._wire.private_post_order(single), self._answered)

    async def cancel(self, symbol: str, client_id: str, venue_order_id: str | None = None) -> VenueReport | None:
        market = {"symbol": self._market_id(symbol)}
        if venue_order_id is not None and pairs.list_id(venue_order_id) is not None:
            return await self._cancel_pair(market | {"listClientOrderId": client_id})
        request = market | {"origClientOrderId": client_id}
        # Who cancels a leg has cancelled its pair, and is told of both.
        read = lambda answer: (self._answered_pair if "orderReports" in answer else self._answered)(answer)  # noqa: E731
        try:
            return await self._change(lambda: self._wire.private_delete_order(request), read, urgent=True)
        except VenueRefused as no:
            if no.context.get("venue_code") not in NO_SUCH_ORDER:
                raise
            # A pair's working leg may be the stop, which has another id: only the list's is sure.
            return await self._cancel_pair(market | {"listClientOrderId": client_id})

    async def _cancel_pair(self, request: dict[str, str]) -> VenueReport | None:
        try:
            call = lambda: self._wire.private_delete_orderlist(request)  # noqa: E731
            return await self._change(call, self._answered_pair, urgent=True)
        except VenueRefused as no:
            if no.context.get("venue_code") in NO_SUCH_ORDER:
                return None
            raise

    async def cancel_all(self) -> None:
        """One call a symbol, which is what Binance has."""
        for symbol in dict.fromkeys(report.order.symbol for report in await self.open_orders()):
            call = partial(self._wire.private_delete_openorders, {"symbol": self._market_id(symbol)})
            try:
                await self._change(call, lambda _: None, urgent=True)
            except VenueRefused as no:
                # Whatever was open has ended by itself meanwhile.
                if no.context.get("venue_code") not in NO_SUCH_ORDER:
                    raise

    async def arm_dead_man_switch(self, timeout: timedelta) -> None:
        raise VenueRefused("not_offered", "Binance spot has no dead-man's switch")

    async def set_leverage(self, symbol: str, leverage: Decimal, mode: MarginMode) -> None:
        raise VenueRefused("not_offered", "Binance spot has no leverage")

    # -- questions ---------------------------------------------------------------------------------------------

    async def order(self, symbol: str, client_id: str) -> VenueReport | None:
        return await self._order({"symbol": self._market_id(symbol), "origClientOrderId": client_id})

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueReport | None:
        market_id, of_list = self._market_id(symbol), pairs.list_id(venue_order_id)
        if of_list is None:
            return await self._order({"symbol": market_id, "orderId": venue_order_id})
        legs = [await self._leg({"symbol": market_id, "orderId": leg}) for leg in await self._legs(of_list)]
        return next(iter(pairs.merged(leg for leg in legs if leg is not None)), None)

    async def _order(self, request: dict[str, str]) -> VenueReport | None:
        report = await self._leg(request)
        if report is None or pairs.list_id(report.order.venue_order_id) is None:
            return report
        return await self.order_by_venue_id(report.order.symbol, report.order.venue_order_id)

    async def _leg(self, request: dict[str, str]) -> VenueReport | None:
        try:
            return await self._ask(lambda: self._wire.private_get_order(request), self._answered, weight=4)
        except VenueRefused as no:
            if no.context.get("venue_code") in NO_SUCH_ORDER:
                return None
            raise

    async def _legs(self, of_list: str) -> tuple[str, ...]:
        """The ids of a pair's orders; none where the venue does not know the pair."""
        read = lambda answer: tuple(str(leg["orderId"]) for leg in answer["orders"])  # noqa: E731
        try:
            return await self._ask(lambda: self._wire.private_get_orderlist({"orderListId": of_list}), read, weight=4)
        except VenueRefused as no:
            if no.context.get("venue_code") in NO_SUCH_ORDER:
                return ()
            raise

    async def open_orders(self) -> tuple[VenueReport, ...]:
        read = lambda answer: pairs.merged([self._answered(row) for row in answer])  # noqa: E731
        # Under a halt its answer is what the cancellations wait for.
        urgent = self._access.halted()
        return await self._ask(lambda: self._wire.private_get_openorders({}), read, weight=80, urgent=urgent)

    async def fills_of(self, symbol: str, venue_order_id: str) -> tuple[Fill, ...]:
        market, of_list = {"symbol": self._market_id(symbol)}, pairs.list_id(venue_order_id)
        orders = (venue_order_id,) if of_list is None else await self._legs(of_list)
        found = [fill for order in orders for fill in await self._trades(market | {"orderId": order}, weight=5)]
        return tuple(sorted(found, key=_by_trade))

    async def fills_cursor(self, symbol: str) -> str:
        newest = await self._trades({"symbol": self._market_id(symbol), "limit": "1"}, weight=20)
        return str(max((int(fill.trade_id) for fill in newest), default=0))

    async def fills_after(self, symbol: str, cursor: str) -> FillPage:
        market = {"symbol": self._market_id(symbol), "limit": str(_PAGE)}
        found: list[Fill] = []
        while True:
            page = await self._trades(market | {"fromId": str(int(cursor) + 1)}, weight=20)
            found += page
            if page:
                cursor = page[-1].trade_id
            if len(page) < _PAGE:
                return FillPage(tuple(found), cursor)

    async def _trades(self, request: dict[str, str], weight: int) -> tuple[Fill, ...]:
        read = lambda answer: tuple(sorted((messages.own_trade(row, self._symbol) for row in answer), key=_by_trade))  # noqa: E731
        return await self._ask(lambda: self._wire.private_get_mytrades(request), read, weight=weight)

    async def balances(self) -> tuple[AssetBalance, ...]:
        call = lambda: self._wire.private_get_account({"omitZeroBalances": "true"})  # noqa: E731
        return await self._ask(call, messages.account_balances, weight=20)

    async def positions(self) -> tuple[VenuePosition, ...]:
        return ()

    # -- calls that wait for their weight ------------------------------------------------------------------------

    async def _change[R](self, call: Callable[[], Awaitable[Any]], read: Callable[[Any], R], urgent: bool = False) -> R:
        if not self._silent():
            await self._wait(self._weights, 1, urgent=urgent)
        return await self._changed(call, read)

    async def _ask[R](
        self, call: Callable[[], Awaitable[Any]], read: Callable[[Any], R], weight: int, urgent: bool = False
    ) -> R:
        if not self._silent():
            await self._wait(self._weights, weight, urgent=urgent)
        return await self._asked(call, read)

    def _answered(self, answer: Mapping[str, Any]) -> VenueReport:
        return messages.answered_order(answer, self._symbol)

    def _answered_pair(self, answer: Mapping[str, Any]) -> VenueReport:
        return messages.answered_pair(answer, self._symbol)

    # -- the user stream ---------------------------------------------------------------------------------------

    async def _subscribe(self) -> None:
        await self._wire.authenticate({"type": "spot"})

    async def _until_lost(self) -> None:
        # ``watch_orders`` never returns, because we take the messages before it; it raises when the socket is lost.
        await cast(Awaitable[Any], self._wire.watch_orders())

    def _understood(self, message: Mapping[str, Any]) -> tuple[StreamMessage, ...]:
        match message["e"]:
            case "executionReport":
                if not self._endings.tells(message):
                    return ()
                return (messages.execution_report(message, self._symbol, lambda symbol: self.assets(symbol)[1]),)
            case "outboundAccountPosition":
                return (BalancesReported(messages.changed_balances(message)),)
            case other:
                # A transfer or a lock from outside: it names a change, not a balance.
                return (Unreadable(f"{other} changes balances"),)


def _by_trade(fill: Fill) -> int:
    return int(fill.trade_id)
