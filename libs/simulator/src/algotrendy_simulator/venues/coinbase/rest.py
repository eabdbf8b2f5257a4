"""Coinbase's REST interface: one table of routes over the operations, with limits, tokens and faults.

Invariant: every route is a row of ``_public_routes`` or ``_signed_routes``; every refusal is in Coinbase's words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from algotrendy_common.clock import Clock, to_ms

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.faults import Faults
from algotrendy_simulator.timings import Stamp, Timings
from algotrendy_simulator.venues.coinbase.authentication import account_of_token, bearer
from algotrendy_simulator.venues.coinbase.identity import order_number
from algotrendy_simulator.venues.coinbase.limits import Limits
from algotrendy_simulator.venues.coinbase.parameters import Parameters
from algotrendy_simulator.venues.coinbase.public_operations import PublicOperations
from algotrendy_simulator.venues.coinbase.refusals import Answers, CoinbaseError
from algotrendy_simulator.venues.coinbase.signed_operations import SignedOperations
from algotrendy_simulator.venues.striking import Handler, strike

type Public = Callable[[Parameters], Any]
type Signed = Callable[[Account, Parameters], Any]

_BASE = "/api/v3/brokerage"


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
        public, signed = self._public_routes(), self._signed_routes()
        return [
            *(web.get(path, self._guarded(self._run_public(call))) for path, call in public),
            *(web.route(method, _BASE + path, self._guarded(self._run_signed(call))) for method, path, call in signed),
        ]

    def _public_routes(self) -> list[tuple[str, Public]]:
        public, market = self.public, f"{_BASE}/market"
        return [
            (f"{_BASE}/time", public.time),
            (f"{market}/products", public.list_products),
            (f"{market}/products/{{product_id}}", public.product),
            (f"{market}/products/{{product_id}}/ticker", public.trades),
            (f"{market}/products/{{product_id}}/candles", public.candles),
            (f"{market}/product_book", public.book),
            # The old interface's lists, which clients load with the markets.
            ("/v2/currencies", public.currencies),
            ("/v2/currencies/crypto", public.crypto_currencies),
            ("/v2/exchange-rates", public.rates),
            ("/v2/time", lambda parameters: {"data": public.time(parameters)}),
        ]

    def _signed_routes(self) -> list[tuple[str, str, Signed]]:
        public, signed = self.public, self.signed
        return [
            ("GET", "/products", lambda account, parameters: public.list_products(parameters)),
            ("GET", "/products/{product_id}", lambda account, parameters: public.product(parameters)),
            ("GET", "/products/{product_id}/ticker", lambda account, parameters: public.trades(parameters)),
            ("GET", "/products/{product_id}/candles", lambda account, parameters: public.candles(parameters)),
            ("GET", "/product_book", lambda account, parameters: public.book(parameters)),
            ("GET", "/best_bid_ask", lambda account, parameters: public.best_bid_ask(parameters)),
            ("GET", "/accounts", signed.accounts),
            ("GET", "/accounts/{account_uuid}", signed.account),
            ("POST", "/orders", signed.place),
            ("POST", "/orders/batch_cancel", signed.cancel),
            ("POST", "/orders/edit", signed.edit),
            ("GET", "/orders/historical/batch", signed.orders),
            ("GET", "/orders/historical/fills", signed.fills),
            ("GET", "/orders/historical/{order_id}", signed.order),
            ("GET", "/transaction_summary", signed.summary),
            ("GET", "/key_permissions", signed.key_permissions),
            ("GET", "/portfolios", signed.portfolios),
        ]

    def _run_public(self, call: Public) -> Handler:
        async def run(request: web.Request) -> web.StreamResponse:
            headers = self.limits.spend(str(request.remote), public=True, now_ms=self._now_ms())
            parameters = Parameters.of_query(request.rel_url.raw_query_string, request.match_info)
            return web.json_response(call(parameters), headers=headers)

        return run

    def _run_signed(self, call: Signed) -> Handler:
        placing = call == self.signed.place

        async def run(request: web.Request) -> web.StreamResponse:
            received = Stamp.now()
            token = bearer(request.headers.get("Authorization", ""))
            account = account_of_token(self.exchange, token, self._now_ms() / 1000, (request.method, request.path))
            headers = self.limits.spend(account.name, public=False, now_ms=self._now_ms())
            if request.method == "GET":
                parameters = Parameters.of_query(request.rel_url.raw_query_string, request.match_info)
            else:
                parameters = Parameters.of_body(await request.text(), request.match_info)
            answer: Any = None
            try:
                answer = call(account, parameters)
            finally:
                if placing:
                    made = (answer or {}).get("success_response")
                    client_id = parameters.optional("client_order_id") or ""
                    number = order_number(made["order_id"]) if made else None
                    self.timings.order_answered(client_id, number, received)
            return web.json_response(answer, headers=headers)

        return run

    def _guarded(self, run: Handler) -> Handler:
        async def spoken(request: web.Request) -> web.StreamResponse:
            try:
                return await run(request)
            except CoinbaseError as refused:
                return refused.response()

        async def guarded(request: web.Request) -> web.StreamResponse:
            fault = self.faults.take(request.method, request.path)
            return await (strike(fault, spoken, request, Answers()) if fault else spoken(request))

        return guarded

    def _now_ms(self) -> int:
        return to_ms(self.clock.now())
