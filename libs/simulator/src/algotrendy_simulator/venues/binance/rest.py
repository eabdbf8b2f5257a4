"""Binance's REST interface: one table of routes over the operations, with weights, security and faults.

Invariant: every route is a row of ``_public_routes`` or ``_signed_routes``; every answer carries the weight used, and
every refusal is Binance's ``{"code", "msg"}``.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from algotrendy_common.clock import Clock, to_ms

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.faults import FaultKind, Faults
from algotrendy_simulator.timings import Stamp, Timings
from algotrendy_simulator.venues.binance.amendments import Amendments
from algotrendy_simulator.venues.binance.authentication import (
    account_of_key,
    parameters_of_text,
    verify_signature,
    verify_time,
)
from algotrendy_simulator.venues.binance.limits import Limits
from algotrendy_simulator.venues.binance.order_lists import OrderLists
from algotrendy_simulator.venues.binance.parameters import Parameters
from algotrendy_simulator.venues.binance.public_operations import PublicOperations
from algotrendy_simulator.venues.binance.refusals import BinanceError, TooManyRequests
from algotrendy_simulator.venues.binance.signed_operations import SignedOperations
from algotrendy_simulator.venues.striking import ARRIVED, strike

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
type Public = Callable[[Parameters], Any]
type Signed = Callable[[Account, Parameters], Any]

_STRUCK = {
    FaultKind.MAINTENANCE: (-1016, "This service is no longer available.", 503),
    FaultKind.REJECT: (-2010, "This action is disabled on this account.", 400),
    FaultKind.CLOCK_SKEW: (-1021, "Timestamp for this request is outside of the recvWindow.", 400),
}
_LOST = (-1007, "Timeout waiting for response from backend server. Send status unknown; execution status unknown.", 503)
_BAN_S = 120
"""The shortest ban Binance speaks of."""


@dataclass(frozen=True, slots=True)
class Rest:
    exchange: Exchange
    public: PublicOperations
    signed: SignedOperations
    lists: OrderLists
    amendments: Amendments
    limits: Limits
    faults: Faults
    timings: Timings
    clock: Clock

    def routes(self) -> list[web.RouteDef]:
        rows = [
            *((method, path, weight, self._run_public(call)) for method, path, weight, call in self._public_routes()),
            *((method, path, weight, self._run_signed(call)) for method, path, weight, call in self._signed_routes()),
        ]
        return [web.route(method, path, self._guarded(run, weight)) for method, path, weight, run in rows]

    def _public_routes(self) -> list[tuple[str, str, int, Public]]:
        public = self.public
        return [
            ("GET", "/api/v3/ping", 1, public.ping),
            ("GET", "/api/v3/time", 1, public.time),
            ("GET", "/api/v3/exchangeInfo", 20, public.exchange_information),
            ("GET", "/api/v3/depth", 5, public.depth),
            ("GET", "/api/v3/trades", 25, public.trades),
            ("GET", "/api/v3/historicalTrades", 25, public.trades),
            ("GET", "/api/v3/aggTrades", 4, public.aggregate_trades),
            ("GET", "/api/v3/klines", 2, public.klines),
            ("GET", "/api/v3/uiKlines", 2, public.klines),
            ("GET", "/api/v3/avgPrice", 2, public.average_price),
            ("GET", "/api/v3/ticker/24hr", 2, public.day_ticker),
            ("GET", "/api/v3/ticker/price", 2, public.price_ticker),
            ("GET", "/api/v3/ticker/bookTicker", 2, public.book_ticker),
            ("GET", "/sapi/v1/system/status", 1, lambda parameters: {"status": 0, "msg": "normal"}),
            # A client that loads all of Binance's markets asks these too: nothing but spot is listed here.
            ("GET", "/fapi/v1/exchangeInfo", 1, _no_symbols),
            ("GET", "/dapi/v1/exchangeInfo", 1, _no_symbols),
            ("GET", "/eapi/v1/exchangeInfo", 1, _no_options),
        ]

    def _signed_routes(self) -> list[tuple[str, str, int, Signed]]:
        signed = self.signed
        return [
            ("GET", "/api/v3/account", 20, signed.account),
            ("GET", "/api/v3/account/commission", 20, signed.commission),
            ("POST", "/api/v3/order", 1, signed.place),
            ("POST", "/api/v3/order/test", 1, signed.check),
            ("GET", "/api/v3/order", 4, signed.query),
            ("DELETE", "/api/v3/order", 1, signed.cancel),
            ("GET", "/api/v3/openOrders", 6, signed.open_orders),
            ("DELETE", "/api/v3/openOrders", 1, signed.cancel_all),
            ("PUT", "/api/v3/order/amend/keepPriority", 4, self.amendments.keep_priority),
            ("POST", "/api/v3/order/cancelReplace", 1, self.amendments.cancel_replace),
            ("POST", "/api/v3/orderList/oco", 1, self.lists.place_pair),
            ("DELETE", "/api/v3/orderList", 1, self.lists.cancel),
            ("GET", "/api/v3/orderList", 4, self.lists.query),
            ("GET", "/api/v3/openOrderList", 6, self.lists.open_lists),
            ("GET", "/api/v3/allOrders", 20, signed.all_orders),
            ("GET", "/api/v3/myTrades", 20, signed.my_trades),
            ("GET", "/sapi/v1/capital/config/getall", 10, signed.coins),
            ("GET", "/sapi/v1/asset/tradeFee", 1, signed.trade_fee),
            ("GET", "/sapi/v1/account/apiRestrictions", 1, signed.key_rights),
            ("GET", "/sapi/v1/margin/allPairs", 1, _nothing),
            ("GET", "/sapi/v1/margin/isolated/allPairs", 1, _nothing),
        ]

    def _run_public(self, call: Public) -> Handler:
        async def run(request: web.Request) -> web.StreamResponse:
            parameters, _, _ = parameters_of_text(request.rel_url.raw_query_string, await request.text())
            return web.json_response(call(parameters), dumps=_compact)

        return run

    def _run_signed(self, call: Signed) -> Handler:
        placing = call == self.signed.place

        async def run(request: web.Request) -> web.StreamResponse:
            received = request.get(ARRIVED) or Stamp.now()
            parameters, payload, signature = parameters_of_text(request.rel_url.raw_query_string, await request.text())
            account = account_of_key(self.exchange, request.headers.get("X-MBX-APIKEY"))
            verify_time(parameters, to_ms(self.clock.now()))
            verify_signature(account, payload, signature)
            answer: Any = None
            try:
                answer = call(account, parameters)
            finally:
                if placing:
                    self._stamp_order(parameters, answer, received)
            response = web.json_response(answer, dumps=_compact)
            if placing:
                response.headers["X-MBX-ORDER-COUNT-10S"] = str(self.limits.orders.count(to_ms(self.clock.now())))
            return response

        return run

    def _stamp_order(self, parameters: Parameters, answer: Any, received: Stamp) -> None:
        client_id = answer["clientOrderId"] if answer else parameters.optional("newClientOrderId") or ""
        order_id = answer["orderId"] if answer else None
        self.timings.order_answered(client_id, order_id, received)

    def _guarded(self, run: Handler, weight: int) -> Handler:
        """Weight, faults and refusals around a route."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            fault = self.faults.take(request.method, request.path)
            try:
                self.limits.spend(weight, to_ms(self.clock.now()))
                response = await (strike(fault, run, request, self) if fault else run(request))
            except BinanceError as refused:
                response = _refusal(refused)
            response.headers["X-MBX-USED-WEIGHT-1M"] = str(self.limits.weight.count(to_ms(self.clock.now())))
            return response

        return guarded

    def refusal(self, kind: FaultKind) -> web.Response:
        match kind:
            case FaultKind.THROTTLE:
                return _refusal(TooManyRequests(-1003, "Too many requests.", 1))
            case FaultKind.BAN:
                return _refusal(self._banned())
            case _:
                return _refusal(BinanceError(*_STRUCK.get(kind, _LOST)))

    def _banned(self) -> TooManyRequests:
        seconds = self.faults.banned_for_s or _BAN_S
        until_ms = to_ms(self.clock.now()) + seconds * 1000
        return TooManyRequests(-1003, f"Way too much request weight used; IP banned until {until_ms}.", seconds, 418)


def _refusal(refused: BinanceError) -> web.Response:
    response = web.json_response(refused.body(), status=refused.status)
    if isinstance(refused, TooManyRequests):
        response.headers["Retry-After"] = str(refused.retry_after_s)
    return response


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _no_symbols(parameters: Parameters) -> dict[str, Any]:
    return {"timezone": "UTC", "serverTime": 0, "rateLimits": [], "exchangeFilters": [], "symbols": []}


def _no_options(parameters: Parameters) -> dict[str, Any]:
    return {"timezone": "UTC", "serverTime": 0, "rateLimits": [], "optionContracts": [], "optionSymbols": []}


def _nothing(account: Account, parameters: Parameters) -> list[Any]:
    return []
