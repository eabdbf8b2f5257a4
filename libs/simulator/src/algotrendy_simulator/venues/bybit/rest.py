"""Bybit's REST interface: one table of routes over the operations, with limits, security and faults.

Invariant: every route is a row of ``_public_routes`` or ``_signed_routes``; every answer but that of a shut-out
address is ``{"retCode", "retMsg", "result", "retExtInfo", "time"}``.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from algotrendy_common.clock import Clock, to_ms

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.faults import FaultKind, Faults
from algotrendy_simulator.timings import Stamp, Timings
from algotrendy_simulator.venues.bybit.authentication import stale, verified
from algotrendy_simulator.venues.bybit.limits import (
    QUESTIONS_PER_SECOND,
    SECOND_MS,
    Limits,
    Throttled,
    TooFrequent,
    limit_headers,
)
from algotrendy_simulator.venues.bybit.parameters import Parameters, of_body, of_query
from algotrendy_simulator.venues.bybit.products import LINEAR
from algotrendy_simulator.venues.bybit.public_operations import PublicOperations
from algotrendy_simulator.venues.bybit.refusals import BybitError
from algotrendy_simulator.venues.bybit.signed_operations import SignedOperations
from algotrendy_simulator.venues.striking import Handler, strike

type Public = Callable[[Parameters], Any]
type Signed = Callable[[Account, Parameters], Any]


@dataclass(frozen=True, slots=True)
class Rest:
    exchange: Exchange
    public: PublicOperations
    signed: SignedOperations
    limits: Limits
    faults: Faults
    timings: Timings
    clock: Clock

    def routes(self) -> list[web.RouteDef]:
        rows = [
            *((method, path, self._run_public(call)) for method, path, call in self._public_routes()),
            *((method, path, self._run_signed(path, call)) for method, path, call in self._signed_routes()),
        ]
        return [web.route(method, path, self._guarded(run)) for method, path, run in rows]

    def _public_routes(self) -> list[tuple[str, str, Public]]:
        public = self.public
        return [
            ("GET", "/v5/market/time", public.time),
            ("GET", "/v5/market/instruments-info", public.instruments),
            ("GET", "/v5/market/tickers", public.tickers),
            ("GET", "/v5/market/orderbook", public.order_book),
            ("GET", "/v5/market/recent-trade", public.recent_trades),
            ("GET", "/v5/market/kline", public.klines),
        ]

    def _signed_routes(self) -> list[tuple[str, str, Signed]]:
        signed = self.signed
        return [
            ("GET", "/v5/user/query-api", signed.key_information),
            ("GET", "/v5/account/info", signed.account_information),
            ("GET", "/v5/account/wallet-balance", signed.wallet),
            ("GET", "/v5/account/fee-rate", signed.fee_rates),
            ("GET", "/v5/account/query-dcp-info", signed.disconnection_windows),
            ("GET", "/v5/asset/coin/query-info", signed.coins),
            ("GET", "/v5/order/realtime", signed.open_orders),
            ("GET", "/v5/order/history", signed.closed_orders),
            ("GET", "/v5/execution/list", signed.executions),
            ("GET", "/v5/position/list", signed.positions),
            ("POST", "/v5/order/create", signed.place),
            ("POST", "/v5/order/amend", signed.amend),
            ("POST", "/v5/order/cancel", signed.cancel),
            ("POST", "/v5/order/cancel-all", signed.cancel_all),
            ("POST", "/v5/order/disconnected-cancel-all", signed.set_disconnection_window),
            ("POST", "/v5/position/set-leverage", signed.set_leverage),
        ]

    def refusal(self, kind: FaultKind) -> web.Response:
        """Bybit's words for a fault: see ``striking``."""
        now_ms = self._now_ms()
        match kind:
            case FaultKind.THROTTLE:
                return self._failed(Throttled(limit_headers(20, 0, now_ms + SECOND_MS)))
            case FaultKind.BAN:
                return self._failed(TooFrequent())
            case FaultKind.MAINTENANCE:
                return web.Response(status=503, text="<html><h1>503 Service Temporarily Unavailable</h1></html>")
            case FaultKind.REJECT:
                return self._failed(BybitError(170193, "Buy order price cannot be higher than the limit."))
            case FaultKind.CLOCK_SKEW:
                return self._failed(stale(now_ms - 60_000, 5_000, now_ms))
            case _:
                return self._failed(BybitError(10000, "Server Timeout", 503))

    def _run_public(self, call: Public) -> Handler:
        async def run(request: web.Request) -> web.StreamResponse:
            return self._answered(call(of_query(request.rel_url.raw_query_string)))

        return run

    def _run_signed(self, path: str, call: Signed) -> Handler:
        placing = path == "/v5/order/create"

        async def run(request: web.Request) -> web.StreamResponse:
            received = Stamp.now()
            posted = request.method == "POST"
            text = await request.text() if posted else request.rel_url.raw_query_string
            now_ms = self._now_ms()
            account = verified(self.exchange, request.headers, text, now_ms)
            parameters = of_body(text) if posted else of_query(text)
            headers = self.limits.spend(account.name, path, self._allowed(path, parameters), now_ms)
            answer: Any = None
            try:
                answer = call(account, parameters)
            finally:
                if placing:
                    own_id = parameters.optional("orderLinkId") or ""
                    self.timings.order_answered(own_id, int(answer["orderId"]) if answer else None, received)
            return self._answered(answer, headers)

        return run

    def _allowed(self, path: str, parameters: Parameters) -> int:
        if not path.startswith("/v5/order/") or path in ("/v5/order/realtime", "/v5/order/history"):
            return QUESTIONS_PER_SECOND
        linear = parameters.optional("category") == LINEAR
        return self.limits.linear_orders_per_s if linear else self.limits.spot_orders_per_s

    def _guarded(self, run: Handler) -> Handler:
        """Limits, faults and refusals around a route."""

        async def refused(request: web.Request) -> web.StreamResponse:
            try:
                return await run(request)
            except BybitError as error:
                return self._failed(error)

        async def guarded(request: web.Request) -> web.StreamResponse:
            fault = self.faults.take(request.method, request.path)
            try:
                self.limits.spend_address(self._now_ms())
            except TooFrequent as error:
                return self._failed(error)
            return await (strike(fault, refused, request, self) if fault else refused(request))

        return guarded

    def _answered(self, result: Any, headers: dict[str, str] | None = None) -> web.Response:
        body = {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": self._now_ms()}
        return web.json_response(body, headers=headers, dumps=_compact)

    def _failed(self, error: BybitError) -> web.Response:
        if isinstance(error, TooFrequent):
            return web.Response(status=403, text=error.message)
        body = {"retCode": error.code, "retMsg": error.message, "result": {}, "retExtInfo": {}, "time": self._now_ms()}
        headers = error.headers if isinstance(error, Throttled) else None
        return web.json_response(body, status=error.status, headers=headers, dumps=_compact)

    def _now_ms(self) -> int:
        return to_ms(self.clock.now())


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
