"""OKX's REST interface: one table of routes over the operations, with limits, security and faults.

Invariant: every route is a row of one of the tables; every answer but that of a shut-out address and of a broken
gateway is ``{"code", "msg", "data"}``. Where all elements of an order call failed, the code is 1; where some, it is 2.
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
from algotrendy_simulator.venues.okx.account_operations import AccountOperations
from algotrendy_simulator.venues.okx.authentication import stale, verified
from algotrendy_simulator.venues.okx.limits import Limits, throttled
from algotrendy_simulator.venues.okx.parameters import Parameters, of_body, of_query
from algotrendy_simulator.venues.okx.public_operations import PublicOperations
from algotrendy_simulator.venues.okx.refusals import OkxError
from algotrendy_simulator.venues.okx.trading_operations import TradingOperations
from algotrendy_simulator.venues.okx.wire import Json
from algotrendy_simulator.venues.striking import Handler, strike

type Public = Callable[[Parameters], list[Any]]
type Asked = Callable[[Account, Parameters], list[Any]]
type Changed = Callable[[Account, list[Parameters]], list[Json]]

PLACING = ("/api/v5/trade/order", "/api/v5/trade/batch-orders")


@dataclass(frozen=True, slots=True)
class Rest:
    exchange: Exchange
    public: PublicOperations
    trading: TradingOperations
    account: AccountOperations
    limits: Limits
    faults: Faults
    timings: Timings
    clock: Clock

    def routes(self) -> list[web.RouteDef]:
        rows = [
            *(("GET", path, self._run_public(path, call)) for path, call in self._public_routes()),
            *(("GET", path, self._run_asked(path, call)) for path, call in self._asked_routes()),
            *(("POST", path, self._run_changed(path, call)) for path, call in self._changed_routes()),
        ]
        return [web.route(method, path, self._guarded(run)) for method, path, run in rows]

    def _public_routes(self) -> list[tuple[str, Public]]:
        public = self.public
        return [
            ("/api/v5/public/time", public.time),
            ("/api/v5/public/instruments", public.instruments),
            ("/api/v5/public/mark-price", public.mark_prices),
            ("/api/v5/market/ticker", public.ticker),
            ("/api/v5/market/tickers", public.tickers),
            ("/api/v5/market/books", public.books),
            ("/api/v5/market/trades", public.trades),
            ("/api/v5/market/candles", public.candles),
            ("/api/v5/market/history-candles", public.candles),
            ("/api/v5/system/status", public.status),
        ]

    def _asked_routes(self) -> list[tuple[str, Asked]]:
        own = self.account
        return [
            ("/api/v5/account/balance", own.balance),
            ("/api/v5/account/config", own.configuration),
            ("/api/v5/account/positions", own.positions),
            ("/api/v5/account/trade-fee", own.fees),
            ("/api/v5/account/leverage-info", own.leverage),
            ("/api/v5/trade/order", own.order),
            ("/api/v5/trade/orders-pending", own.open_orders),
            ("/api/v5/trade/orders-history", own.closed_orders),
            ("/api/v5/trade/orders-history-archive", own.closed_orders),
            ("/api/v5/trade/order-algo", own.algo),
            ("/api/v5/trade/orders-algo-pending", own.open_algos),
            ("/api/v5/trade/orders-algo-history", own.closed_algos),
            ("/api/v5/trade/fills", own.fills),
            ("/api/v5/trade/fills-history", own.fills),
        ]

    def _changed_routes(self) -> list[tuple[str, Changed]]:
        trading = self.trading
        return [
            ("/api/v5/trade/order", trading.place),
            ("/api/v5/trade/batch-orders", trading.place),
            ("/api/v5/trade/order-algo", trading.place_algo),
            ("/api/v5/trade/amend-order", trading.amend),
            ("/api/v5/trade/amend-batch-orders", trading.amend),
            ("/api/v5/trade/cancel-order", trading.cancel),
            ("/api/v5/trade/cancel-batch-orders", trading.cancel),
            ("/api/v5/trade/cancel-algos", trading.cancel_algos),
            ("/api/v5/trade/cancel-all-after", trading.cancel_all_after),
            ("/api/v5/account/set-leverage", self.account.set_leverage),
            ("/api/v5/account/set-position-mode", self.account.set_position_mode),
        ]

    def refusal(self, kind: FaultKind) -> web.Response:
        """OKX's words for a fault: see ``striking``."""
        match kind:
            case FaultKind.THROTTLE:
                return _failed(throttled())
            case FaultKind.BAN:
                # The address is shut out before OKX's own servers.
                return web.Response(status=403, text="error code: 1015")
            case FaultKind.MAINTENANCE:
                return _failed(OkxError(50001, "Service temporarily unavailable. Please try again later.", 503))
            case FaultKind.REJECT:
                outcome = {"ordId": "", "sCode": "51137", "sMsg": "Your opening price has triggered the limit price."}
                return _answered([outcome])
            case FaultKind.CLOCK_SKEW:
                return _failed(stale())
            case _:
                return _failed(OkxError(50026, "System error. Try again later.", 503))

    def _run_public(self, path: str, call: Public) -> Handler:
        async def run(request: web.Request) -> web.StreamResponse:
            self.limits.spend(request.remote or "", f"GET {path}", self._now_ms())
            return _answered(call(of_query(request.rel_url.raw_query_string)))

        return run

    def _run_asked(self, path: str, call: Asked) -> Handler:
        async def run(request: web.Request) -> web.StreamResponse:
            now_ms = self._now_ms()
            account = verified(self.exchange, request.headers, "GET", request.raw_path, "", now_ms)
            self.limits.spend(account.name, f"GET {path}", now_ms)
            return _answered(call(account, of_query(request.rel_url.raw_query_string)))

        return run

    def _run_changed(self, path: str, call: Changed) -> Handler:
        async def run(request: web.Request) -> web.StreamResponse:
            received, now_ms = Stamp.now(), self._now_ms()
            text = await request.text()
            account = verified(self.exchange, request.headers, "POST", request.raw_path, text, now_ms)
            self.limits.spend(account.name, f"POST {path}", now_ms)
            asked = of_body(text)
            if not asked:
                raise OkxError(50014, "Parameter can not be empty.", 400)
            outcomes = call(account, asked)
            if path in PLACING:
                for outcome in outcomes:
                    order_id = int(outcome["ordId"]) if outcome["ordId"] else None
                    self.timings.order_answered(outcome["clOrdId"], order_id, received)
            return _answered(outcomes)

        return run

    def _guarded(self, run: Handler) -> Handler:
        """Faults and refusals around a route."""

        async def refused(request: web.Request) -> web.StreamResponse:
            try:
                return await run(request)
            except OkxError as error:
                return _failed(error)

        async def guarded(request: web.Request) -> web.StreamResponse:
            fault = self.faults.take(request.method, request.path)
            return await (strike(fault, refused, request, self) if fault else refused(request))

        return guarded

    def _now_ms(self) -> int:
        return to_ms(self.clock.now())


def _answered(data: list[Any]) -> web.Response:
    codes = [one.get("sCode", "0") for one in data if isinstance(one, dict)]
    failed = [code for code in codes if code != "0"]
    code = "0" if not failed else "1" if len(failed) == len(codes) else "2"
    message = {"0": "", "1": "All operations failed", "2": "Bulk operation partially succeeded."}[code]
    return web.json_response({"code": code, "msg": message, "data": data}, dumps=compact)


def _failed(error: OkxError) -> web.Response:
    body = {"code": error.code, "msg": error.message, "data": []}
    return web.json_response(body, status=error.status, dumps=compact)


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
