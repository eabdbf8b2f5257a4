"""Crypto.com's REST interface: one table of methods over the operations, with limits, security and faults.

Invariant: every method is a row of ``_public`` or ``_signed``; every answer is ``{"id", "method", "code", ...}``.
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
from algotrendy_simulator.venues.cryptocom.limits import Limits
from algotrendy_simulator.venues.cryptocom.public_operations import PublicOperations
from algotrendy_simulator.venues.cryptocom.refusals import (
    INVALID_NONCE,
    METHOD_NOT_FOUND,
    TOO_MANY_REQUESTS,
    CryptocomError,
)
from algotrendy_simulator.venues.cryptocom.requests import Parameters, read_call, verified
from algotrendy_simulator.venues.cryptocom.signed_operations import SignedOperations
from algotrendy_simulator.venues.striking import Handler, strike

type Public = Callable[[Parameters], Any]
type Signed = Callable[[Account, Parameters], Any]
PREFIX = "/exchange/v1/"
MAINTENANCE = CryptocomError(9010001, "SYSTEM_MAINTENANCE", 503)
_PLACING = "private/create-order"


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
        return [
            *(web.get(PREFIX + method, self._guarded(self._run_public(method, c))) for method, c in self._public()),
            *(web.post(PREFIX + method, self._guarded(self._run_signed(method, c))) for method, c in self._signed()),
        ]

    def _public(self) -> list[tuple[str, Public]]:
        public = self.public
        return [
            ("public/get-instruments", public.list_instruments),
            ("public/get-tickers", public.tickers),
            ("public/get-risk-parameters", public.risk_parameters),
            ("public/get-book", public.book),
            ("public/get-trades", public.trades),
            ("public/get-candlestick", public.candles),
        ]

    def _signed(self) -> list[tuple[str, Signed]]:
        signed = self.signed
        return [
            (_PLACING, signed.place),
            ("private/amend-order", signed.amend),
            ("private/cancel-order", signed.cancel),
            ("private/cancel-all-orders", signed.cancel_all),
            ("private/get-order-detail", signed.detail),
            ("private/get-open-orders", signed.open_orders),
            ("private/get-order-history", signed.order_history),
            ("private/get-trades", signed.trades),
            ("private/user-balance", signed.balance),
            ("private/get-positions", signed.positions),
            ("private/get-fee-rate", signed.fee_rates),
            ("private/get-currency-networks", signed.currency_networks),
        ]

    def refusal(self, kind: FaultKind) -> web.Response:
        """Crypto.com's words for a fault: see ``striking``."""
        match kind:
            case FaultKind.THROTTLE | FaultKind.BAN:
                return _failed(CryptocomError(*TOO_MANY_REQUESTS))
            case FaultKind.MAINTENANCE:
                return _failed(MAINTENANCE)
            case FaultKind.REJECT:
                return _failed(CryptocomError(224, "REJ_BY_MATCHING_ENGINE", 400))
            case FaultKind.CLOCK_SKEW:
                return _failed(CryptocomError(*INVALID_NONCE))
            case _:
                return _failed(CryptocomError(40801, "REQUEST_TIMEOUT", 503))

    def _run_public(self, method: str, call: Public) -> Handler:
        async def run(request: web.Request) -> web.StreamResponse:
            self.limits.spend(request.remote or "", method, self._now_ms())
            return _answered(-1, method, call(Parameters(dict(request.query))))

        return run

    def _run_signed(self, method: str, call: Signed) -> Handler:
        async def run(request: web.Request) -> web.StreamResponse:
            received = Stamp.now()
            asked = read_call(await request.text())
            if asked.method != method:
                raise CryptocomError(*METHOD_NOT_FOUND)
            now_ms = self._now_ms()
            account = verified(self.exchange, asked, now_ms)
            self.limits.spend(account.name, method, now_ms)
            answer: Any = None
            try:
                answer = call(account, asked.parameters)
            finally:
                if method == _PLACING:
                    own_id = asked.parameters.optional("client_oid") or ""
                    self.timings.order_answered(own_id, int(answer["order_id"]) if answer else None, received)
            return _answered(asked.id, method, answer)

        return run

    def _guarded(self, run: Handler) -> Handler:
        """Faults and refusals around a route."""

        async def refused(request: web.Request) -> web.StreamResponse:
            try:
                return await run(request)
            except CryptocomError as error:
                return _failed(error, request.path.removeprefix(PREFIX))

        async def guarded(request: web.Request) -> web.StreamResponse:
            fault = self.faults.take(request.method, request.path)
            return await (strike(fault, refused, request, self) if fault else refused(request))

        return guarded

    def _now_ms(self) -> int:
        return to_ms(self.clock.now())


def _answered(request_id: Any, method: str, result: Any) -> web.Response:
    body = {"id": request_id, "method": method, "code": 0}
    return web.json_response(body if result is None else body | {"result": result}, dumps=_compact)


def _failed(error: CryptocomError, method: str = "ERROR") -> web.Response:
    body = {"id": -1, "method": method, "code": error.code, "message": error.message}
    return web.json_response(body, status=error.status, dumps=_compact)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
