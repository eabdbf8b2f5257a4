"""Kraken: spot, and spot on margin by an order's leverage.

Invariant: private calls leave one after the other, because each needs a higher nonce than the one that arrived before
it; an order is created, found and cancelled under its ``cl_ord_id``, which is unique among open orders only.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any

from algotrendy_common.clock import SystemClock
from algotrendy_common.enums import MarginMode, TimeInForce
from algotrendy_common.events.account import AssetBalance
from algotrendy_common.events.order import OrderTerms
from algotrendy_core.fills import Fill

from algotrendy_broker_gateway.adapters import kraken_messages as messages
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.answered import Answered
from algotrendy_broker_gateway.adapters.asked_terms import AskedTerms
from algotrendy_broker_gateway.adapters.balance_watch import BalanceWatch
from algotrendy_broker_gateway.adapters.ccxt_venue import SENSELESS, CcxtVenue
from algotrendy_broker_gateway.adapters.fill_windows import FillCursor
from algotrendy_broker_gateway.adapters.kraken_earn import KrakenEarn
from algotrendy_broker_gateway.adapters.kraken_requests import TYPES, order_request
from algotrendy_broker_gateway.adapters.kraken_stream import Executions
from algotrendy_broker_gateway.adapters.kraken_wire import (
    GAP,
    NO_SUCH_ORDER,
    PRIVATE,
    Wire,
    asks_for_silence,
    ccxt,
    explicit,
    refused,
)
from algotrendy_broker_gateway.domain.venue_report import VenueReport
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

_CALLS, _CALLS_PER_S = 20.0, 0.5
"""The counter of the Intermediate tier and how fast it sinks."""
_ORDERS, _ORDERS_PER_S = 125.0, 2.34
_HISTORY = 2
"""What a question about past trades costs."""
_PAGE = 50
_BALANCES_APART_S = 2.0
_ASKED = "asked"
"""The channel of a message that we make: balances that were asked for."""


class KrakenVenue(CcxtVenue):
    """One account. Use ``connect`` first; ``close`` at the end."""

    name = messages.VENUE
    capabilities = Capabilities(
        resting=frozenset(TYPES),
        times_in_force=frozenset(
            {TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY, TimeInForce.GTD}
        ),
        margin_modes=frozenset({MarginMode.NONE, MarginMode.CROSS}),
        max_leverage=Decimal(10),
        reduce_only=True,
        dead_man_switch=True,
        cancel_all=True,
        find_by_client_id=True,
        duplicate_ids=DuplicateIds.WHILE_OPEN,
        earn=True,
    )

    def __init__(self, access: VenueAccess) -> None:
        super().__init__(access)
        self._calls = self._bucket("calls", _CALLS, _CALLS_PER_S, per_key=True)
        self._orders = self._bucket("orders", _ORDERS, _ORDERS_PER_S, per_key=True)
        self._clock = SystemClock()
        self._turn = asyncio.Lock()
        self._asked_terms = AskedTerms()
        self._leverages: dict[str, Decimal] = {}
        self._executions = Executions(self._symbol)
        self._confirmed: set[str] = set()
        self._subscribed = asyncio.Event()
        self._watching: asyncio.Future[Any] | None = None
        self._wire = self._aimed(Wire(self._config(), self._arrived.put_nowait, self._confirm))
        self._balance_watch = BalanceWatch(self.balances, self._tell_balances, _BALANCES_APART_S)
        self.earn = KrakenEarn(self.ask, self.change, self._wire)

    def _is_explicit(self, answer: Answered) -> bool:
        return explicit(answer)

    def _refused(self, answer: Answered) -> VenueRefused:
        return refused(answer)

    def _asks_for_silence(self, answer: Answered) -> bool:
        return asks_for_silence(answer)

    # -- life --------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        await self.ask(self._wire.privatePostGetApiKeyInfo, {}, _check_key)
        await self._asked(lambda: self._wire.load_markets(True), lambda _: None)
        for market in self._wire.markets.values():
            pair, symbol = market["info"], f"{market['base']}-{market['quote']}"
            try:
                found = messages.instrument(symbol, market["base"], market["quote"], pair)
            except SENSELESS as error:
                # One odd listing among thousands must not keep the account from trading the others.
                self._log.warning("a listing that makes no sense is left out", market=market["id"], error=repr(error))
                continue
            self._list(pair["altname"], found)
            self._symbols |= {market["id"]: symbol, f"{market['base']}/{market['quote']}": symbol}

    async def close(self) -> None:
        await self._wire.close()

    async def ping(self) -> None:
        await self._asked(self._wire.publicGetTime, lambda answer: answer["result"]["unixtime"])

    # -- orders ------------------------------------------------------------------------------------------------

    async def submit(self, client_order_id: str, terms: OrderTerms) -> VenueReport:
        request = order_request(
            client_order_id, terms, self._market_id(terms.symbol), self._leverages.get(terms.symbol)
        )
        await self._wait_to_order(self._orders)
        self._asked_terms.remember(client_order_id, terms)
        read = lambda answer: messages.acknowledged(answer, client_order_id, terms, self._clock.now())  # noqa: E731
        return await self.change(self._wire.privatePostAddOrder, request, read)

    async def cancel(self, symbol: str, client_id: str, venue_order_id: str | None = None) -> VenueReport | None:
        name = {"cl_ord_id": client_id} if venue_order_id is None else {"txid": venue_order_id}
        await self._wait(self._orders, 1, urgent=True)
        try:
            await self.change(self._wire.privatePostCancelOrder, name, lambda answer: int(answer["result"]["count"]))
        except VenueRefused as no:
            if no.context.get("venue_code") == NO_SUCH_ORDER:
                return None
            raise
        try:
            if venue_order_id is not None:
                return await self._by_txid(venue_order_id, urgent=True)
            return await self.order(symbol, client_id)
        except VenueUnreachable as silent:
            raise OutcomeUnknown(f"cancelled, and then not told what of it: {silent}") from silent

    async def cancel_all(self) -> None:
        await self.change(self._wire.privatePostCancelAll, {}, lambda answer: int(answer["result"]["count"]))

    async def arm_dead_man_switch(self, timeout: timedelta) -> None:
        seconds = Decimal(str(timeout.total_seconds())).to_integral_value(rounding=ROUND_CEILING)
        read = lambda answer: str(answer["result"]["triggerTime"])  # noqa: E731
        await self.change(self._wire.privatePostCancelAllOrdersAfter, {"timeout": str(max(0, seconds))}, read)

    async def set_leverage(self, symbol: str, leverage: Decimal, mode: MarginMode) -> None:
        """Kraken has it by the order: it is kept here for orders on margin that name none."""
        most = self.instrument(symbol).max_leverage
        if mode is not MarginMode.CROSS:
            raise VenueRefused("margin_mode", f"the account's margin is shared: {mode} is not offered")
        if not 1 < leverage <= most:
            raise VenueRefused("leverage", f"leverage of {symbol} is from 2 to {most} here", asked=leverage)
        self._leverages[symbol] = leverage

    # -- questions ---------------------------------------------------------------------------------------------

    async def order(self, symbol: str, client_id: str) -> VenueReport | None:
        """Among the open orders, else among those that have ended, the newest first."""
        self._market_id(symbol)
        request = {"cl_ord_id": client_id}
        for call, key in (
            (self._wire.privatePostOpenOrders, "open"),
            (self._wire.privatePostClosedOrders, "closed"),
        ):
            found = await self.ask(call, request, lambda answer, key=key: self._reports(answer["result"][key]))  # type: ignore[misc]
            # Whoever does not know the filter's name tells of everything.
            ours = [report for report in found if report.order.client_id == client_id]
            if ours:
                return max(ours, key=lambda report: report.order.created_at)
        return None

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueReport | None:
        self._market_id(symbol)
        return await self._by_txid(venue_order_id)

    async def _by_txid(self, txid: str, *, urgent: bool = False) -> VenueReport | None:
        read = lambda answer: self._reports(answer["result"])  # noqa: E731
        try:
            found = await self.ask(self._wire.privatePostQueryOrders, {"txid": txid}, read, urgent=urgent)
        except VenueRefused as no:
            if no.context.get("venue_code") == NO_SUCH_ORDER:
                return None
            raise
        return next(iter(found), None)

    async def open_orders(self) -> tuple[VenueReport, ...]:
        read = lambda answer: self._reports(answer["result"]["open"])  # noqa: E731
        return await self.ask(self._wire.privatePostOpenOrders, {}, read)

    def _reports(self, rows: Mapping[str, Mapping[str, Any]]) -> tuple[VenueReport, ...]:
        return messages.orders(rows, self._symbol, self._asked_terms.of)

    async def fills_of(self, symbol: str, venue_order_id: str) -> tuple[Fill, ...]:
        """By the trades that the order names."""
        request = {"txid": venue_order_id, "trades": "true"}
        names = await self.ask(
            self._wire.privatePostQueryOrders,
            request,
            lambda answer: [str(name) for name in answer["result"][venue_order_id].get("trades") or ()],
        )
        found: list[Fill] = []
        for first in range(0, len(names), 20):
            request = {"txid": ",".join(names[first : first + 20])}
            found += await self.ask(
                self._wire.privatePostQueryTrades, request, lambda answer: self._trades(answer["result"])
            )
        return tuple(sorted(found, key=lambda fill: fill.event_time))

    async def fills_cursor(self, symbol: str) -> str:
        now_ms = await self._venue_time_ms()
        return FillCursor.begun(now_ms, await self._fills_since(symbol, FillCursor.since(now_ms))).text()

    async def fills_after(self, symbol: str, cursor: str) -> FillPage:
        before = FillCursor.of_text(cursor)
        now_ms = await self._venue_time_ms()
        return before.page(await self._fills_since(symbol, before.since_ms), now_ms)

    async def _fills_since(self, symbol: str, since_ms: int) -> tuple[Fill, ...]:
        """Oldest first, over as many pages as it takes: the venue begins with the newest, so what is traded meanwhile
        only moves the pages towards what was read already."""
        found: dict[str, Fill] = {}
        first = 0
        while True:
            request = {"start": str(since_ms / 1000), "ofs": str(first)}
            page = await self.ask(
                self._wire.privatePostTradesHistory,
                request,
                lambda answer: self._trades(answer["result"]["trades"]),
                _HISTORY,
            )
            found |= {fill.trade_id: fill for fill in page}
            first += _PAGE
            if len(page) < _PAGE:
                ours = [fill for fill in reversed(found.values()) if fill.symbol == symbol]
                return tuple(sorted(ours, key=lambda fill: fill.event_time))

    def _trades(self, rows: Mapping[str, Mapping[str, Any]]) -> list[Fill]:
        return [messages.trade(name, row, self._symbol, self.assets) for name, row in rows.items()]

    async def balances(self) -> tuple[AssetBalance, ...]:
        read = lambda answer: messages.balances(answer["result"], self._wire.safe_currency_code)  # noqa: E731
        return await self.ask(self._wire.privatePostBalanceEx, {}, read)

    async def positions(self) -> tuple[VenuePosition, ...]:
        request = {"docalcs": "true", "consolidation": "market"}
        read = lambda answer: messages.positions(answer["result"], self._symbol, self._clock.now())  # noqa: E731
        return await self.ask(self._wire.privatePostOpenPositions, request, read)

    async def _venue_time_ms(self) -> int:
        return await self._asked(self._wire.publicGetTime, lambda answer: int(answer["result"]["unixtime"]) * 1000)

    # -- private calls, one after the other ----------------------------------------------------------------------

    async def ask[R](
        self,
        call: Callable[[Any], Awaitable[Any]],
        request: Mapping[str, str],
        read: Callable[[Any], R],
        weight: float = 1,
        *,
        urgent: bool = False,
    ) -> R:
        """A question; see ``_asked``."""
        if not self._silent():
            await self._wait(self._calls, weight, urgent=urgent)
        return await self._asked(lambda: self._in_turn(call, request), read)

    async def change[R](
        self, call: Callable[[Any], Awaitable[Any]], request: Mapping[str, str], read: Callable[[Any], R]
    ) -> R:
        """A call that changes something; see ``_changed``."""
        return await self._changed(lambda: self._in_turn(call, request), read)

    async def _in_turn(self, call: Callable[[Any], Awaitable[Any]], request: Mapping[str, str]) -> Any:
        async with self._turn:
            return await call(dict(request))

    # -- the private stream ------------------------------------------------------------------------------------

    async def _subscribe(self) -> None:
        self._confirmed.clear()
        self._subscribed.clear()
        self._wire.forget_socket()
        # A token of one's own for each socket: a kept one may be older than the venue's memory of it.
        token = await self.ask(self._wire.privatePostGetWebSocketsToken, {}, lambda answer: answer["result"]["token"])
        self._watching = asyncio.gather(*(self._watch(channel, token) for channel in PRIVATE))
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
            raise ccxt.NetworkError("the private channels were not confirmed")

    async def _watch(self, channel: str, token: str) -> None:
        """Never returns, because we take the messages before it; raises when the socket is lost."""
        parameters: dict[str, Any] = {"channel": channel, "token": token}
        if channel == "executions":
            parameters |= {"snap_orders": True, "snap_trades": False}
        request = {"method": "subscribe", "params": parameters, "req_id": self._wire.request_id()}
        await self._wire.watch(self._wire.urls["api"]["ws"]["privateV2"], channel, request, channel)

    def _confirm(self, channel: str) -> None:
        self._confirmed.add(channel)
        if self._confirmed >= set(PRIVATE):
            self._subscribed.set()

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
        match message["channel"]:
            case "executions":
                self._balance_watch.moved()
                reports = [self._executions.take(row) for row in message["data"]]
                return tuple(report for report in reports if report is not None)
            case "balances":
                if message["type"] == "snapshot" or {row.get("type") for row in message["data"]} <= {"trade"}:
                    self._balance_watch.moved()
                    return ()
                return (Unreadable("money moved otherwise than by trading"),)
            case channel if channel == _ASKED:
                return (message["reported"],)
            case channel if channel == GAP:
                return (Unreadable(f"{message['missing']} messages are missing"),)
        raise ValueError(f"a channel that was not asked for: {message['channel']}")


def _check_key(answer: Mapping[str, Any]) -> None:
    if "withdraw-funds" in answer["result"]["permissions"]:
        raise KeyTooPowerful("the API key may withdraw money: give one that may only trade and query")
