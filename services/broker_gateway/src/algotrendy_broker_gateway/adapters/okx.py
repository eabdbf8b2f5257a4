"""OKX: spot, and USDT perpetual swaps in net position mode; triggered orders and pairs rest there as algo orders.

Invariant: an order is sent once under its own ``clOrdId`` or ``algoClOrdId``; the answer is a receipt, and what became
of the order is heard on the private streams or asked. An algo order keeps its id when it becomes an ordinary one.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from algotrendy_common.clock import SystemClock
from algotrendy_common.enums import MarginMode, Mode, OrderType, TimeInForce
from algotrendy_common.events.account import AssetBalance
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import plain
from algotrendy_core.fills import Fill
from algotrendy_core.instruments import Instrument, InstrumentKind

from algotrendy_broker_gateway.adapters import okx_messages as messages
from algotrendy_broker_gateway.adapters.access import VenueAccess
from algotrendy_broker_gateway.adapters.answered import Answered
from algotrendy_broker_gateway.adapters.ccxt_venue import CcxtVenue
from algotrendy_broker_gateway.adapters.okx_messages import ALGO, Json
from algotrendy_broker_gateway.adapters.okx_questions import FillCursor, pages
from algotrendy_broker_gateway.adapters.okx_requests import algo_request, order_request
from algotrendy_broker_gateway.adapters.okx_wire import NO_SUCH_ORDER, Wire, asks_for_silence, ccxt, explicit, refused
from algotrendy_broker_gateway.domain.venue_report import VenueReport
from algotrendy_broker_gateway.errors import KeyTooPowerful, VenueRefused
from algotrendy_broker_gateway.ports import (
    BalancesReported,
    Capabilities,
    DuplicateIds,
    FillPage,
    StreamMessage,
    VenuePosition,
)

ALGO_KINDS = ("conditional", "oco", "trigger", "move_order_stop")
_CHANNELS = ("orders", "orders-algo", "account")
_SIMPLE_ACCOUNT = "1"
"""An account level that has no derivatives (51010)."""
_BATCH, _ALGO_BATCH = 20, 10
_DEAD_MAN = (timedelta(seconds=10), timedelta(seconds=120))
_CALLS_PER_2S = {"order": 60, "algo": 20, "look": 60, "question": 20}
"""Each endpoint is counted on its own: orders and fills are looked at three times as often as anything else may be."""
_MAPPED_ORDERS = 10_000


class OkxVenue(CcxtVenue):
    """One account. Use ``connect`` first; ``close`` at the end."""

    name = messages.VENUE
    capabilities = Capabilities(
        resting=frozenset(OrderType),
        times_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.POST_ONLY}),
        margin_modes=frozenset(MarginMode),
        max_leverage=Decimal(125),
        reduce_only=True,
        dead_man_switch=True,
        cancel_all=False,
        find_by_client_id=True,
        duplicate_ids=DuplicateIds.WHILE_OPEN,
    )

    def __init__(self, access: VenueAccess) -> None:
        super().__init__(access)
        # A third at once and a third a second is the whole in any two seconds.
        self._buckets = {
            name: self._bucket(name, calls / 3, calls / 3, per_key=True) for name, calls in _CALLS_PER_2S.items()
        }
        self._algo_of: dict[str, str] = {}
        """Ordinary orders that algo orders have made, by the ids of both."""
        self._watching: list[asyncio.Task[Any]] = []
        self._clock = SystemClock()
        self._wire = Wire(self._config(defaultType="spot"), self._arrived.put_nowait)
        if access.mode is Mode.PAPER and access.http_url is None:
            self._wire.set_sandbox_mode(True)
        self._aimed(self._wire)

    def _is_explicit(self, answer: Answered) -> bool:
        return explicit(answer)

    def _refused(self, answer: Answered) -> VenueRefused:
        return refused(answer)

    def _asks_for_silence(self, answer: Answered) -> bool:
        return asks_for_silence(answer)

    # -- life --------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        await self.ping()
        (about,) = await self._ask(lambda: self._wire.private_get_account_config({}))
        if "withdraw" in str(about["perm"]).split(","):
            raise KeyTooPowerful("the API key may withdraw money: give one that may only trade and read")
        kinds = ["SPOT"]
        if about["acctLv"] == _SIMPLE_ACCOUNT or about["posMode"] != "net_mode":
            self._log.warning("the account has no swaps in net mode", level=about["acctLv"], mode=about["posMode"])
        else:
            kinds.append("SWAP")
        for kind in kinds:
            request = {"instType": kind}
            listed = await self._ask(partial(self._wire.public_get_public_instruments, request))
            rates = await self._ask(partial(self._wire.private_get_account_trade_fee, request))
            for row in listed:
                if rates and messages.tradable(row):
                    self._list(row["instId"], messages.instrument(row, messages.fee_rates(rates[0])))

    async def close(self) -> None:
        await self._hang_up()
        await self._wire.close()

    async def ping(self) -> None:
        """The venue's time, which keeps ours: calls are stamped, and a stamp 30 seconds off is refused (50102)."""
        await self._asked(self._wire.load_time_difference, lambda _: None)

    # -- orders ------------------------------------------------------------------------------------------------

    async def submit(self, client_order_id: str, terms: OrderTerms) -> VenueReport:
        market_id, instrument = self._market_id(terms.symbol), self.instrument(terms.symbol)
        if not terms.type.triggered:
            single = order_request(client_order_id, terms, market_id, instrument)
            call = lambda: self._wire.private_post_trade_order(single)  # noqa: E731
            await self._wait_to_order(self._buckets["order"])
            taken = await self._changed(call, _first)
            return messages.taken(str(taken["ordId"]), client_order_id, terms, self._clock.now())
        waiting = algo_request(client_order_id, terms, market_id, instrument)
        await self._wait_to_order(self._buckets["algo"])
        taken = await self._changed(lambda: self._wire.private_post_trade_order_algo(waiting), _first)
        return messages.taken(f"{ALGO}{taken['algoId']}", client_order_id, terms, self._clock.now())

    async def cancel(self, symbol: str, client_id: str, venue_order_id: str | None = None) -> VenueReport | None:
        market_id = self._market_id(symbol)
        if venue_order_id is None or not venue_order_id.startswith(ALGO):
            request = {"instId": market_id, "clOrdId": client_id}
            if await self._ended(lambda: self._wire.private_post_trade_cancel_order(request), "order"):
                return await self.order(symbol, client_id)
            if venue_order_id is not None:
                return None
        algo = await self._algo({"algoClOrdId": client_id})
        return None if algo is None else await self._cancel_algo(symbol, market_id, algo)

    async def _cancel_algo(self, symbol: str, market_id: str, algo: Json) -> VenueReport | None:
        venue_order_id = f"{ALGO}{algo['algoId']}"
        waiting = [{"instId": market_id, "algoId": str(algo["algoId"])}]
        if await self._ended(lambda: self._wire.private_post_trade_cancel_algos(waiting), "algo"):
            return await self.order_by_venue_id(symbol, venue_order_id)
        # It may have become an ordinary order, now or before.
        for made in await self._made_by(venue_order_id):
            request = {"instId": market_id, "ordId": made}
            if await self._ended(partial(self._wire.private_post_trade_cancel_order, request), "order"):
                return await self.order_by_venue_id(symbol, venue_order_id)
        return None

    async def _ended(self, call: Callable[[], Awaitable[Any]], bucket: str) -> bool:
        """Whether a cancellation was taken; False where nothing is there to cancel."""
        try:
            await self._change(bucket, call, urgent=True)
        except VenueRefused as no:
            if no.context.get("venue_code") in NO_SUCH_ORDER:
                return False
            raise
        return True

    async def cancel_all(self) -> None:
        """OKX has no call for it: what is open is asked, and cancelled twenty (of algo orders ten) at a time."""
        plain_orders, algos = await asyncio.gather(self._open_rows(), self._open_algo_rows())
        singles = [{"instId": str(row["instId"]), "ordId": str(row["ordId"])} for row in plain_orders]
        waiting = [{"instId": str(row["instId"]), "algoId": str(row["algoId"])} for row in algos]
        for first in range(0, len(waiting), _ALGO_BATCH):
            batch = waiting[first : first + _ALGO_BATCH]
            await self._ended(partial(self._wire.private_post_trade_cancel_algos, batch), "algo")
        for first in range(0, len(singles), _BATCH):
            batch = singles[first : first + _BATCH]
            await self._ended(partial(self._wire.private_post_trade_cancel_batch_orders, batch), "order")

    async def arm_dead_man_switch(self, timeout: timedelta) -> None:
        if timeout and not _DEAD_MAN[0] <= timeout <= _DEAD_MAN[1]:
            raise VenueRefused("dead_man_timeout", "OKX waits 10 to 120 seconds", asked=timeout)
        request = {"timeOut": str(int(timeout.total_seconds()))}
        await self._change("algo", lambda: self._wire.private_post_trade_cancel_all_after(request))

    async def set_leverage(self, symbol: str, leverage: Decimal, mode: MarginMode) -> None:
        if self.instrument(symbol).kind is not InstrumentKind.PERPETUAL or mode is MarginMode.NONE:
            raise VenueRefused("not_offered", "there is leverage on swaps only, cross or isolated")
        request = {"instId": self._market_id(symbol), "lever": plain(leverage), "mgnMode": mode.value}
        await self._change("algo", lambda: self._wire.private_post_account_set_leverage(request))

    # -- questions ---------------------------------------------------------------------------------------------

    async def order(self, symbol: str, client_id: str) -> VenueReport | None:
        found = await self._order({"instId": self._market_id(symbol), "clOrdId": client_id})
        if found is not None:
            return found
        algo = await self._algo({"algoClOrdId": client_id})
        return None if algo is None else await self._of_algo(symbol, algo)

    async def order_by_venue_id(self, symbol: str, venue_order_id: str) -> VenueReport | None:
        if not venue_order_id.startswith(ALGO):
            return await self._order({"instId": self._market_id(symbol), "ordId": venue_order_id})
        algo = await self._algo({"algoId": venue_order_id.removeprefix(ALGO)})
        return None if algo is None else await self._of_algo(symbol, algo)

    async def _of_algo(self, symbol: str, algo: Json) -> VenueReport | None:
        """An algo order while it waits, and with what became of the order it made from then on."""
        report = messages.algo(algo, self._listed)
        for made in _made(algo):
            self._remember(made, str(algo["algoId"]))
            child = await self._order({"instId": self._market_id(symbol), "ordId": made})
            if child is not None:
                return messages.become(report, child)
        return report

    async def _order(self, request: dict[str, str]) -> VenueReport | None:
        call = lambda: self._wire.private_get_trade_order(request)  # noqa: E731
        (row,) = await self._ask_order(call) or (None,)
        return None if row is None else messages.order(row, self._listed)

    async def _algo(self, request: dict[str, str]) -> Json | None:
        call = lambda: self._wire.private_get_trade_order_algo(request)  # noqa: E731
        (row,) = await self._ask_order(call) or (None,)
        return row

    async def _ask_order(self, call: Callable[[], Awaitable[Any]]) -> list[Json]:
        """One row, or none where the venue does not know such an order."""
        try:
            return (await self._ask(call, "look"))[:1]
        except VenueRefused as no:
            if no.context.get("venue_code") in NO_SUCH_ORDER:
                return []
            raise

    async def open_orders(self) -> tuple[VenueReport, ...]:
        plain_orders, algos = await asyncio.gather(self._open_rows(), self._open_algo_rows())
        reports = [messages.order(row, self._listed) for row in plain_orders]
        return (*reports, *(messages.algo(row, self._listed) for row in algos))

    async def _open_rows(self) -> list[Json]:
        ask = lambda request: self._ask(partial(self._wire.private_get_trade_orders_pending, request), "look")  # noqa: E731
        return [row for row in await pages(ask, {}, "ordId") if row["instId"] in self._symbols]

    async def _open_algo_rows(self) -> list[Json]:
        """Each kind is a question of its own."""
        ask = lambda request: self._ask(lambda: self._wire.private_get_trade_orders_algo_pending(request))  # noqa: E731
        found = await asyncio.gather(*(pages(ask, {"ordType": kind}, "algoId") for kind in ALGO_KINDS))
        return [row for rows in found for row in rows if row["instId"] in self._symbols]

    async def _made_by(self, venue_order_id: str) -> tuple[str, ...]:
        """The ordinary orders that an algo order has become; itself where it is an ordinary one."""
        if not venue_order_id.startswith(ALGO):
            return (venue_order_id,)
        algo = await self._algo({"algoId": venue_order_id.removeprefix(ALGO)})
        return () if algo is None else _made(algo)

    # -- fills -------------------------------------------------------------------------------------------------

    async def fills_of(self, symbol: str, venue_order_id: str) -> tuple[Fill, ...]:
        found: list[Fill] = []
        for order_id in await self._made_by(venue_order_id):
            request = self._of_market(symbol) | {"ordId": order_id}
            rows = await pages(self._recent_fills, request, "billId")
            rows = rows or await pages(self._older_fills, request, "billId")
            found += [messages.own_fill(row, self._listed, venue_order_id) for row in reversed(rows)]
        return tuple(found)

    async def fills_cursor(self, symbol: str) -> str:
        now, request = self._clock.now(), self._of_market(symbol) | {"limit": "1"}
        rows = await self._recent_fills(request) or await self._older_fills(request)
        return str(FillCursor(max((int(row["billId"]) for row in rows), default=0), now))

    async def fills_after(self, symbol: str, cursor: str) -> FillPage:
        since, now = FillCursor.of(cursor), self._clock.now()
        ask = self._recent_fills if since.is_recent(now) else self._older_fills
        rows = await pages(ask, self._of_market(symbol) | {"before": str(since.bill_id)}, "billId")
        found = [messages.own_fill(row, self._listed, await self._order_of(row)) for row in reversed(rows)]
        newest = max((int(row["billId"]) for row in rows), default=since.bill_id)
        return FillPage(tuple(found), str(FillCursor(newest, now)))

    async def _recent_fills(self, request: dict[str, str]) -> list[Json]:
        return await self._ask(lambda: self._wire.private_get_trade_fills(request), "look")

    async def _older_fills(self, request: dict[str, str]) -> list[Json]:
        return await self._ask(lambda: self._wire.private_get_trade_fills_history(request))

    async def _order_of(self, row: Json) -> str:
        """The id that a fill's order has for us; fills do not name the algo order that made theirs."""
        order_id = str(row["ordId"])
        # An order with a client id of the form we send was not made by an algo order.
        if not str(row["clOrdId"]).isalnum() and order_id not in self._algo_of:
            found = await self._order({"instId": str(row["instId"]), "ordId": order_id})
            made_by = found.order.venue_order_id if found is not None else ""
            self._remember(order_id, made_by.removeprefix(ALGO) if made_by.startswith(ALGO) else "")
        algo_id = self._algo_of.get(order_id)
        return f"{ALGO}{algo_id}" if algo_id else order_id

    def _remember(self, order_id: str, algo_id: str) -> None:
        self._algo_of[order_id] = algo_id
        if len(self._algo_of) > _MAPPED_ORDERS:
            del self._algo_of[next(iter(self._algo_of))]

    # -- the account -------------------------------------------------------------------------------------------

    async def balances(self) -> tuple[AssetBalance, ...]:
        (account,) = await self._ask(lambda: self._wire.private_get_account_balance({}))
        return tuple(row for row in messages.balances(account) if row.total)

    async def positions(self) -> tuple[VenuePosition, ...]:
        rows = await self._ask(lambda: self._wire.private_get_account_positions({"instType": "SWAP"}))
        listed = (messages.position(row, self._listed) for row in rows if row["instId"] in self._symbols)
        return tuple(position for position in listed if position is not None)

    # -- calls -------------------------------------------------------------------------------------------------

    def _listed(self, market_id: str) -> Instrument:
        return self._instruments[self._symbols[market_id]]

    def _of_market(self, symbol: str) -> dict[str, str]:
        swap = self.instrument(symbol).kind is InstrumentKind.PERPETUAL
        return {"instType": "SWAP" if swap else "SPOT", "instId": self._market_id(symbol)}

    async def _change(self, bucket: str, call: Callable[[], Awaitable[Any]], urgent: bool = False) -> Json:
        """The outcome of the call's first element."""
        if not self._silent():
            await self._wait(self._buckets[bucket], 1, urgent=urgent)
        return await self._changed(call, _first)

    async def _ask(self, call: Callable[[], Awaitable[Any]], bucket: str = "question") -> list[Json]:
        if not self._silent():
            await self._wait(self._buckets[bucket], 1)
        return await self._asked(call, _rows)

    # -- the user streams --------------------------------------------------------------------------------------

    async def _subscribe(self) -> None:
        """Orders and balances come on one socket, algo orders on another: both are up, or neither is."""
        await self._hang_up()
        # They never return, because we take the messages before them; they raise when their socket is lost.
        watches: list[Coroutine[Any, Any, Any]] = [
            self._wire.watch_orders(),
            self._wire.watch_orders(None, None, None, {"trigger": True}),
            self._wire.watch_balance(),
        ]
        self._watching = [asyncio.create_task(watch) for watch in watches]
        confirmed = asyncio.gather(*(self._wire.until_subscribed(channel) for channel in _CHANNELS))
        patience = self._access.answer_timeout.total_seconds()
        await asyncio.wait((confirmed, *self._watching), timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if confirmed.done():
            return
        confirmed.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await confirmed
        await self._until_lost(timeout=timedelta(0))

    async def _until_lost(self, timeout: timedelta | None = None) -> None:
        patience = None if timeout is None else timeout.total_seconds()
        done, _ = await asyncio.wait(self._watching, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
        raise ccxt.NetworkError("the private channels were not confirmed")

    async def _hang_up(self) -> None:
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        self._watching = []
        self._wire.forget_subscriptions()
        await self._wire.close_ws_clients()

    def _understood(self, message: Mapping[str, Any]) -> tuple[StreamMessage, ...]:
        rows = [row for row in message["data"] if row.get("instId") is None or row["instId"] in self._symbols]
        match message["arg"]["channel"]:
            case "orders":
                return tuple(messages.order(row, self._listed) for row in rows)
            case "orders-algo":
                # Of one that has become an ordinary order, that order's messages speak; they may come before.
                told = (messages.algo(row, self._listed) for row in rows if not row["state"].endswith("effective"))
                return tuple(told)
            case "account":
                return tuple(BalancesReported(messages.balances(row)) for row in rows if row["details"])
        raise ValueError(f"a message of {message['arg']['channel']}")


def _rows(answer: Json) -> list[Json]:
    """An answer's rows. Raises where it is no answer of OKX's, so that nothing is taken for an empty list."""
    if answer["code"] != "0":
        raise ValueError(f"code {answer['code']}")
    rows = answer["data"]
    if not isinstance(rows, list):
        raise TypeError("the data are no rows")
    return rows


def _first(answer: Json) -> Json:
    found: Json = _rows(answer)[0]
    return found


def _made(algo: Json) -> tuple[str, ...]:
    """The orders an algo order has made."""
    found = [str(order_id) for order_id in algo.get("ordIdList") or () if order_id]
    return tuple(found) or ((str(algo["ordId"]),) if algo.get("ordId") else ())
