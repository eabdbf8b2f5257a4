"""Coinbase Advanced Trade: spot.

Invariant: an order carries our id, and since Coinbase finds none by it, it is sought among the newest orders; the
answer to a submission is a receipt, and the stream tells what became of the order but not its trades, which are asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from algotrendy_common.clock import SystemClock, from_ms
from algotrendy_common.enums import MarginMode, OrderType, TimeInForce
from algotrendy_common.events.account import AssetBalance
from algotrendy_common.events.order import OrderTerms
from algotrendy_core.fills import Fill

from algotrendy_broker_gateway.adapters import coinbase_messages as messages
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.answered import Answered
from algotrendy_broker_gateway.adapters.asked_terms import AskedTerms
from algotrendy_broker_gateway.adapters.balance_watch import BalanceWatch
from algotrendy_broker_gateway.adapters.ccxt_venue import SENSELESS, CcxtVenue
from algotrendy_broker_gateway.adapters.coinbase_requests import instant, order_request
from algotrendy_broker_gateway.adapters.coinbase_wire import GAP, Wire, ccxt, explicit, refused
from algotrendy_broker_gateway.adapters.fill_windows import FillCursor
from algotrendy_broker_gateway.domain.venue_report import Standing, VenueReport
from algotrendy_broker_gateway.errors import KeyTooPowerful, OutcomeUnknown, VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.ports import (
    BalancesReported,
    Capabilities,
    DuplicateIds,
    FillPage,
    StreamMessage,
    Unreadable,
    VenuePosition,
)

_CALLS_PER_S = 30.0
_PAGE = 250
_SEARCHED_PAGES = 20
"""How far back an order is sought by our id."""
_CANCELLED_AT_ONCE = 100
_OPEN = ("OPEN", "PENDING")
"""Asked one by one: open ones are never listed with others."""
_SPOT = {"product_type": "SPOT"}
"""Futures that the account may have besides are not this adapter's."""
_BALANCES_APART_S = 1.0
_ASKED = "asked"
"""The channel of a message that we make: balances that were asked for, since the stream tells none."""
_NOT_THERE = "UNKNOWN_CANCEL_ORDER"
_ON_ITS_WAY = "DUPLICATE_CANCEL_REQUEST"


class CoinbaseVenue(CcxtVenue):
    """One account. Use ``connect`` first; ``close`` at the end."""

    name = messages.VENUE
    capabilities = Capabilities(
        resting=frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT}),
        times_in_force=frozenset(
            {TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY, TimeInForce.GTD}
        ),
        margin_modes=frozenset({MarginMode.NONE}),
        max_leverage=Decimal(1),
        reduce_only=False,
        dead_man_switch=False,
        cancel_all=True,
        find_by_client_id=False,
        duplicate_ids=DuplicateIds.ALWAYS,
    )

    def __init__(self, access: VenueAccess) -> None:
        super().__init__(access)
        self._calls = self._bucket("calls", _CALLS_PER_S, _CALLS_PER_S, per_key=True)
        self._clock = SystemClock()
        self._asked_terms = AskedTerms()
        self._subscribed = asyncio.Event()
        self._watching: asyncio.Future[Any] | None = None
        self._balance_watch = BalanceWatch(self.balances, self._tell_balances, _BALANCES_APART_S)
        config = self._config(fetchMarkets="fetchMarketsV3")
        self._wire = self._aimed(Wire(config, self._arrived.put_nowait, self._subscribed.set))

    def _is_explicit(self, answer: Answered) -> bool:
        return explicit(answer)

    def _refused(self, answer: Answered) -> VenueRefused:
        return refused(answer)

    # -- life --------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        await self.ping()
        await self._ask(self._wire.v3PrivateGetBrokerageKeyPermissions, _check_key)
        rates = await self._ask(self._wire.v3PrivateGetBrokerageTransactionSummary, messages.fee_rates)
        await self._ask(lambda: self._wire.load_markets(True), lambda _: None)
        for market in self._wire.markets.values():
            if not market.get("spot"):
                continue
            try:
                self._list(market["id"], messages.instrument(market["info"], rates))
            except SENSELESS as error:
                # One odd listing among thousands must not keep the account from trading the others.
                self._log.warning("a listing that makes no sense is left out", market=market["id"], error=repr(error))

    async def close(self) -> None:
        await self._wire.close()

    async def ping(self) -> None:
        """The venue's time, which keeps ours: a token that begins in the venue's future is refused."""
        now_ms = await self._venue_time_ms()
        self._wire.ahead_s = (self._wire.milliseconds() - now_ms) / 1000

    # -- orders ------------------------------------------------------------------------------------------------

    async def submit(self, client_order_id: str, terms: OrderTerms) -> VenueReport:
        request = order_request(client_order_id, terms, self._market_id(terms.symbol))
        await self._wait_to_order(self._calls)
        self._asked_terms.remember(client_order_id, terms)
        read = lambda answer: messages.acknowledged(answer, client_order_id, terms, self._clock.now())  # noqa: E731
        return await self._changed(lambda: self._wire.v3PrivatePostBrokerageOrders(request), read)

    async def cancel(self, symbol: str, client_id: str, venue_order_id: str | None = None) -> VenueReport | None:
        if venue_order_id is None:
            found = await self.order(symbol, client_id)
            if found is None or found.order.standing is not Standing.WORKING:
                return None
            venue_order_id = found.order.venue_order_id
        (failure,) = (await self._cancel([venue_order_id])).values()
        if failure == _NOT_THERE:
            return None
        if failure not in ("", _ON_ITS_WAY):
            raise VenueRefused("venue_refused", f"not cancelled: {failure}", venue_code=failure)
        try:
            return await self.order_by_venue_id(symbol, venue_order_id)
        except VenueUnreachable as silent:
            raise OutcomeUnknown(f"cancelled, and then not told what of it: {silent}") from silent

    async def cancel_all(self) -> None:
        """A question, and a call for each hundred of what is open."""
        ids = [report.order.venue_order_id for report in await self.open_orders()]
        for first in range(0, len(ids), _CANCELLED_AT_ONCE):
            failures = await self._cancel(ids[first : first + _CANCELLED_AT_ONCE])
            left = {reason for reason in failures.values() if reason not in ("", _NOT_THERE, _ON_ITS_WAY)}
            if left:
                raise VenueRefused("venue_refused", f"not all cancelled: {', '.join(sorted(left))}")

    async def _cancel(self, ids: list[str]) -> dict[str, str]:
        """Why each was not cancelled, by id; empty where it was."""
        await self._wait(self._calls, 1, urgent=True)
        call = lambda: self._wire.v3PrivatePostBrokerageOrdersBatchCancel({"order_ids": ids})  # noqa: E731
        return await self._changed(call, lambda answer: _failures(answer, ids))

    async def arm_dead_man_switch(self, timeout: timedelta) -> None:
        raise VenueRefused("not_offered", "Coinbase has no dead-man's switch")

    async def set_leverage(self, symbol: str, leverage: Decimal, mode: MarginMode) -> None:
        raise VenueRefused("not_offered", "Coinbase spot has no leverage")

    # -- questions ---------------------------------------------------------------------------------------------

    async def order(self, symbol: str, client_id: str) -> VenueReport | None:
        """Sought among the symbol's newest orders, whatever became of them: there is no question by our id."""
        request: dict[str, Any] = {"product_ids": [self._market_id(symbol)], **_SPOT, "limit": str(_PAGE)}
        for _ in range(_SEARCHED_PAGES):
            page, cursor = await self._orders(request)
            for report in page:
                if report.order.client_id == client_id:
                    return report
            if not cursor:
                return None
            request["cursor"] = cursor
        return None

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueReport | None:
        call = lambda: self._wire.v3PrivateGetBrokerageOrdersHistoricalOrderId({"order_id": venue_order_id})  # noqa: E731
        try:
            return await self._ask(call, lambda answer: VenueReport(messages.order(answer["order"], self._symbol)))
        except VenueRefused as no:
            if "was not found" in str(no):
                return None
            raise

    async def open_orders(self) -> tuple[VenueReport, ...]:
        found: list[VenueReport] = []
        for status in _OPEN:
            request: dict[str, Any] = {"order_status": [status], **_SPOT, "limit": str(_PAGE)}
            cursor = "-"
            while cursor:
                page, cursor = await self._orders(request)
                found += page
                request["cursor"] = cursor
        return tuple(found)

    async def _orders(self, request: Mapping[str, Any]) -> tuple[list[VenueReport], str]:
        """A page, the newest first, and the cursor after it; empty where there is no more."""
        asked = dict(request)
        return await self._ask(
            lambda: self._wire.v3PrivateGetBrokerageOrdersHistoricalBatch(asked),
            lambda answer: (
                [VenueReport(messages.order(row, self._symbol)) for row in answer["orders"]],
                str(answer["cursor"]) if answer["has_next"] else "",
            ),
        )

    async def fills_of(self, symbol: str, venue_order_id: str) -> tuple[Fill, ...]:
        return await self._fills({"order_ids": [venue_order_id]})

    async def fills_cursor(self, symbol: str) -> str:
        now_ms = await self._venue_time_ms()
        return FillCursor.begun(now_ms, await self._fills_since(symbol, FillCursor.since(now_ms))).text()

    async def fills_after(self, symbol: str, cursor: str) -> FillPage:
        before = FillCursor.of_text(cursor)
        now_ms = await self._venue_time_ms()
        return before.page(await self._fills_since(symbol, before.since_ms), now_ms)

    async def _fills_since(self, symbol: str, since_ms: int) -> tuple[Fill, ...]:
        since = instant(from_ms(since_ms))
        return await self._fills({"product_ids": [self._market_id(symbol)], "start_sequence_timestamp": since})

    async def _fills(self, request: Mapping[str, Any]) -> tuple[Fill, ...]:
        """Oldest first, over as many pages as it takes: the venue begins with the newest."""
        found: list[Fill] = []
        asked = {**request, "limit": str(_PAGE)}
        while True:
            page, cursor = await self._ask(
                lambda asked=dict(asked): self._wire.v3PrivateGetBrokerageOrdersHistoricalFills(asked),  # type: ignore[misc]
                lambda answer: (
                    [messages.fill(row, self._symbol, self.assets) for row in answer["fills"]],
                    str(answer.get("cursor") or ""),
                ),
            )
            found += [fill for fill in page if fill is not None]
            if not cursor or not page:
                once = {fill.trade_id: fill for fill in found}
                return tuple(sorted(once.values(), key=lambda fill: fill.event_time))
            asked["cursor"] = cursor

    async def balances(self) -> tuple[AssetBalance, ...]:
        wallets: list[Mapping[str, Any]] = []
        asked: dict[str, Any] = {"limit": str(_PAGE)}
        while True:
            answer = await self._ask(
                lambda asked=dict(asked): self._wire.v3PrivateGetBrokerageAccounts(asked),  # type: ignore[misc]
                lambda answer: (answer["accounts"], str(answer["cursor"]) if answer["has_next"] else ""),
            )
            wallets += answer[0]
            if not answer[1]:
                return self._read_balances(wallets)
            asked["cursor"] = answer[1]

    def _read_balances(self, wallets: list[Mapping[str, Any]]) -> tuple[AssetBalance, ...]:
        try:
            return messages.balances(wallets)
        except SENSELESS as error:
            raise VenueUnreachable(f"an answer that makes no sense: {error!r}") from error

    async def positions(self) -> tuple[VenuePosition, ...]:
        return ()

    async def _venue_time_ms(self) -> int:
        return await self._ask(self._wire.v3PublicGetBrokerageTime, lambda answer: int(answer["epochMillis"]))

    async def _ask[R](self, call: Callable[[], Awaitable[Any]], read: Callable[[Any], R]) -> R:
        if not self._silent():
            await self._wait(self._calls, 1)
        return await self._asked(call, read)

    # -- the user stream ---------------------------------------------------------------------------------------

    async def _subscribe(self) -> None:
        self._subscribed.clear()
        self._wire.forget_socket()
        # They never return, because we take the messages before them; they raise when the socket is lost. Without
        # heartbeats the venue would close a socket on which nothing happens.
        watched = (self._wire.subscribe("user", True), self._wire.subscribe("heartbeats", False))
        self._watching = asyncio.gather(*watched)
        confirmed = asyncio.ensure_future(self._subscribed.wait())
        await asyncio.wait(
            (confirmed, self._watching),
            timeout=self._access.answer_timeout.total_seconds(),
            return_when=asyncio.FIRST_COMPLETED,
        )
        confirmed.cancel()
        if not self._subscribed.is_set():
            if self._watching.done():
                await self._watching
            self._watching.cancel()
            raise ccxt.NetworkError("the user channel was not confirmed")

    async def _until_lost(self) -> None:
        assert self._watching is not None
        asking = asyncio.ensure_future(self._balance_watch.run())
        try:
            await self._watching
        finally:
            asking.cancel()

    def _tell_balances(self, reported: BalancesReported) -> None:
        self._arrived.put_nowait({"channel": _ASKED, "reported": reported})

    def _understood(self, message: Mapping[str, Any]) -> tuple[StreamMessage, ...]:
        if message["channel"] == GAP:
            return (Unreadable(f"{message['missing']} messages are missing"),)
        if message["channel"] == _ASKED:
            return (message["reported"],)
        self._balance_watch.moved()
        return tuple(
            VenueReport(
                messages.told(row, message["timestamp"], self._symbol, self._asked_terms.of(row["client_order_id"]))
            )
            for event in message["events"]
            for row in event.get("orders") or ()
            if row.get("product_type") in (None, *_SPOT.values())
        )


def _check_key(rights: Mapping[str, Any]) -> None:
    if rights["can_transfer"] is not False:
        raise KeyTooPowerful("the API key may move money: give one that may only trade and view")


def _failures(answer: Mapping[str, Any], ids: list[str]) -> dict[str, str]:
    found = {
        str(row["order_id"]): "" if row["success"] is True else str(row["failure_reason"]) for row in answer["results"]
    }
    return {order_id: found[order_id] for order_id in ids}
