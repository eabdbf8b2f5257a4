"""Kraken's REST interface: one table of routes over the operations, with counters, signatures and faults.

Invariant: every route is a row of ``_public_routes`` or ``_private_routes``; every answer is HTTP 200 with ``error``
and, where that is empty, ``result``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from algotrendy_common.clock import Clock, to_ms

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.faults import Faults
from algotrendy_simulator.timings import Stamp, Timings
from algotrendy_simulator.venues.kraken.authentication import Gate
from algotrendy_simulator.venues.kraken.earn import Earn
from algotrendy_simulator.venues.kraken.identity import order_number
from algotrendy_simulator.venues.kraken.limits import Limits
from algotrendy_simulator.venues.kraken.parameters import Parameters
from algotrendy_simulator.venues.kraken.public_operations import PublicOperations
from algotrendy_simulator.venues.kraken.refusals import Answers, KrakenError
from algotrendy_simulator.venues.kraken.signed_operations import SignedOperations
from algotrendy_simulator.venues.striking import Handler, strike

type Public = Callable[[Parameters], Any]
type Signed = Callable[[Account, Parameters], Any]

_ADMITTED = web.RequestKey("admitted", tuple[Account, Parameters])


@dataclass(frozen=True, slots=True)
class Rest:
    public: PublicOperations
    signed: SignedOperations
    earn: Earn
    gate: Gate
    limits: Limits
    faults: Faults
    timings: Timings
    clock: Clock

    def routes(self) -> list[web.RouteDef]:
        found = []
        for name, call in self._public_routes():
            run = self._guarded(self._run_public(call), signed=False)
            found += [web.get(f"/0/public/{name}", run), web.post(f"/0/public/{name}", run)]
        for name, cost, signed in self._private_routes():
            found.append(web.post(f"/0/private/{name}", self._guarded(self._run_signed(signed, cost), signed=True)))
        return found

    def _public_routes(self) -> list[tuple[str, Public]]:
        public = self.public
        return [
            ("Time", public.time),
            ("SystemStatus", public.status),
            ("Assets", public.assets),
            ("AssetPairs", public.asset_pairs),
            ("Ticker", public.ticker),
            ("Depth", public.depth),
            ("Trades", public.trades),
            ("OHLC", public.candles),
        ]

    def _private_routes(self) -> list[tuple[str, float, Signed]]:
        signed, earn = self.signed, self.earn
        return [
            ("AddOrder", 0, signed.place),
            ("CancelOrder", 0, signed.cancel),
            ("CancelAll", 0, signed.cancel_all),
            ("CancelAllOrdersAfter", 0, signed.cancel_all_after),
            ("AmendOrder", 0, signed.amend),
            ("EditOrder", 0, signed.edit),
            ("OpenOrders", 1, signed.open_orders),
            ("ClosedOrders", 1, signed.closed_orders),
            ("QueryOrders", 1, signed.query_orders),
            ("TradesHistory", 2, signed.trades_history),
            ("QueryTrades", 1, signed.query_trades),
            ("Balance", 1, signed.balance),
            ("BalanceEx", 1, signed.balance_extended),
            ("TradeBalance", 1, signed.trade_balance),
            ("OpenPositions", 1, signed.open_positions),
            ("TradeVolume", 1, signed.trade_volume),
            ("GetWebSocketsToken", 1, signed.token),
            ("GetApiKeyInfo", 1, signed.key_info),
            ("Earn/Strategies", 1, earn.list_strategies),
            ("Earn/Allocations", 1, earn.allocations),
            ("Earn/Allocate", 1, earn.allocate),
            ("Earn/Deallocate", 1, earn.deallocate),
            ("Earn/AllocateStatus", 1, earn.status),
            ("Earn/DeallocateStatus", 1, earn.status),
        ]

    def _run_public(self, call: Public) -> Handler:
        async def run(request: web.Request) -> web.StreamResponse:
            parameters = Parameters.of_text(request.rel_url.raw_query_string or await request.text())
            return web.json_response({"error": [], "result": call(parameters)})

        return run

    def _run_signed(self, call: Signed, cost: float) -> Handler:
        placing = call == self.signed.place

        async def run(request: web.Request) -> web.StreamResponse:
            received = Stamp.now()
            account, parameters = request[_ADMITTED]
            self.limits.spend(account.key, cost, to_ms(self.clock.now()) / 1000)
            answer: Any = None
            try:
                answer = call(account, parameters)
            finally:
                if placing:
                    made = (answer or {}).get("txid")
                    client_id = parameters.optional("cl_ord_id") or ""
                    self.timings.order_answered(client_id, order_number(made[0]) if made else None, received)
            return web.json_response({"error": [], "result": answer})

        return run

    async def _admit(self, request: web.Request) -> tuple[Account, Parameters]:
        body = await request.text()
        parameters = Parameters.of_text(body, request.content_type)
        key, sign = request.headers.get("API-Key", ""), request.headers.get("API-Sign", "")
        return self.gate.admit(key, sign, request.path, body, parameters), parameters

    def _guarded(self, run: Handler, signed: bool) -> Handler:
        async def spoken(request: web.Request) -> web.StreamResponse:
            try:
                return await run(request)
            except KrakenError as refused:
                return refused.response()

        async def guarded(request: web.Request) -> web.StreamResponse:
            fault = self.faults.take(request.method, request.path)
            if signed:
                # Nonces are compared as calls arrive: one that is then dealt with late is not late.
                try:
                    request[_ADMITTED] = await self._admit(request)
                except KrakenError as refused:
                    return refused.response()
            return await (strike(fault, spoken, request, Answers()) if fault else spoken(request))

        return guarded
