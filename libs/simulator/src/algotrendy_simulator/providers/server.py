"""Recorded data providers as one HTTP server: ``/{provider}/…`` is the provider's own path.

Invariant: every call is counted before anything else happens to it, those that a fault strikes included. A provider
that wants a key does not answer without one, and the server keeps no key that it was shown.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from algotrendy_simulator.providers.faults import (
    ERRORS_IN_200,
    KEYS_REFUSED,
    NOT_FOUND,
    ProviderFault,
    ProviderFaultKind,
)
from algotrendy_simulator.providers.recordings import PACKAGED, Exchange, recorded

NAMES = ("alpha_vantage", "yahoo", "polygon", "fmp", "fred", "tiingo")
BASE_PATHS = {"fmp": "/stable", "fred": "/fred"}
"""What a provider's base URL ends in."""
_OPEN = ("yahoo",)
"""Wants no key."""


@dataclass
class ProviderHall:
    """What is played, what goes wrong, and what was asked."""

    exchanges: dict[str, tuple[Exchange, ...]]
    stand_ins: bool = False
    faults: list[ProviderFault] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    http: str = ""

    def base_url(self, provider: str) -> str:
        return f"{self.http}/{provider}{BASE_PATHS.get(provider, '')}"

    def arm(self, kind: ProviderFaultKind, provider: str, times: int = 1, **more: int) -> None:
        self.faults.append(ProviderFault(kind=kind, provider=provider, times=times, **more))

    def take(self, provider: str) -> ProviderFault | None:
        """The fault that strikes this call, used up by it."""
        for fault in self.faults:
            if fault.provider == provider:
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if not fault.times:
                    self.faults.remove(fault)
                return fault
        return None

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/admin/calls", self._show_calls),
            web.post("/admin/faults", self._arm),
            web.get("/{provider}/{path:.*}", self._answer),
        ]

    async def _show_calls(self, request: web.Request) -> web.Response:
        return web.json_response(dict(self.calls))

    async def _arm(self, request: web.Request) -> web.Response:
        try:
            self.faults.append(ProviderFault.model_validate_json(await request.read()))
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return web.json_response({"armed": len(self.faults)})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        provider = request.match_info["provider"]
        if provider not in self.exchanges:
            raise web.HTTPNotFound(text=f"no such provider: {provider}")
        self.calls[provider] += 1
        fault = self.take(provider)
        if provider not in _OPEN and not _shows_key(request):
            return _json(*KEYS_REFUSED[provider])
        status, body, headers = self._find(provider, "/" + request.match_info["path"], dict(request.query))
        if fault is None:
            return _json(status, body, headers)
        return await _struck(request, fault, status, body)

    def _find(self, provider: str, path: str, params: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        exchanges = self.exchanges[provider]
        for one in exchanges:
            if one.answers(path, params):
                return one.status, one.body, dict(one.headers)
        if self.stand_ins:
            for one in exchanges:
                body = one.for_symbol(path, params)
                if body is not None:
                    return one.status, body, dict(one.headers)
        return *NOT_FOUND[provider], {}


async def _struck(request: web.Request, fault: ProviderFault, status: int, body: str) -> web.StreamResponse:
    match fault.kind:
        case ProviderFaultKind.THROTTLED:
            after = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
            return _json(429, '{"error":"too many requests"}', after)
        case ProviderFaultKind.ERROR:
            return web.Response(status=503, text="upstream is not there")
        case ProviderFaultKind.ERROR_IN_200:
            return _json(200, ERRORS_IN_200[fault.provider])
        case ProviderFaultKind.MALFORMED:
            return _json(status, body[: len(body) // 2])
        case ProviderFaultKind.HTML:
            return web.Response(text="<!doctype html><title>We are back soon</title>", content_type="text/html")
        case ProviderFaultKind.KEY_REFUSED:
            return _json(*KEYS_REFUSED[fault.provider])
        case ProviderFaultKind.SLOW:
            await asyncio.sleep(fault.delay_ms / 1000)
            return _json(status, body)
        case ProviderFaultKind.CUT:
            response = web.StreamResponse(status=status, headers={"Content-Length": str(len(body.encode()))})
            await response.prepare(request)
            await response.write(body.encode()[: len(body) // 2])
            if request.transport is not None:
                request.transport.abort()
            return response


def _json(status: int, body: str, headers: dict[str, str] | None = None) -> web.Response:
    kept = {name: value for name, value in (headers or {}).items() if name.lower() == "retry-after"}
    return web.Response(status=status, text=body, content_type="application/json", headers=kept)


def _shows_key(request: web.Request) -> bool:
    return any(request.headers.get(name) for name in ("Authorization", "apikey")) or any(
        request.query.get(name) for name in ("apikey", "api_key", "apiKey")
    )


@asynccontextmanager
async def serving_providers(
    *, stand_ins: bool = False, folder: Path = PACKAGED, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[ProviderHall]:
    """Serve while the context is open; port 0 takes a free one."""
    hall = ProviderHall({name: recorded(name, folder) for name in NAMES}, stand_ins)
    application = web.Application()
    application.add_routes(hall.routes())
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    hall.http = f"http://{host}:{runner.addresses[0][1]}"
    try:
        yield hall
    finally:
        await runner.cleanup()
