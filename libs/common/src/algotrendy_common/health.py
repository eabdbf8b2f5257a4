"""Liveness, readiness and metrics over HTTP, the same on every service.

Invariant: ready means that every named check passes now; anything else says which one does not.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Check = Callable[[], Awaitable[str | None]]
"""None where all is well, else what is wrong."""


class Health:
    """A service's named checks."""

    def __init__(self, service: str, version: str) -> None:
        self.service = service
        self.version = version
        self._checks: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        self._checks[name] = check

    async def problems(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, check in self._checks.items():
            problem = await check()
            if problem is not None:
                found[name] = problem
        return found

    def routes(self) -> list[Route]:
        return [
            Route("/healthz", self._alive),
            Route("/readyz", self._ready),
            Route("/metrics", self._metrics),
        ]

    async def _alive(self, request: Request) -> Response:
        return JSONResponse({"service": self.service, "version": self.version, "alive": True})

    async def _ready(self, request: Request) -> Response:
        problems = await self.problems()
        body = {"service": self.service, "ready": not problems, "problems": problems}
        return JSONResponse(body, status_code=503 if problems else 200)

    async def _metrics(self, request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def orders_are_synced(monitor_url: str) -> Check:
    """Proof from the NATS server itself that what it acknowledged is on disk (``sync_interval: always``)."""

    async def check() -> str | None:
        try:
            async with asyncio.timeout(1.0):
                answer = await _read_json(f"{monitor_url}/varz")
        except (OSError, EOFError, ValueError) as error:  # a timeout is an OSError
            return f"NATS monitoring does not answer: {error!r}"
        if answer.get("jetstream", {}).get("config", {}).get("sync_always") is not True:
            return "NATS does not sync each message to disk: set sync_interval to always"
        return None

    return check


async def _read_json(url: str) -> dict[str, Any]:
    """Over plain HTTP on this host or network; an HTTP library for this one question is 50 ms of every start.

    Raises ValueError for an answer that is no JSON object.
    """
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        # 1.0, so that the answer comes whole and ends with the connection.
        writer.write(f"GET {parts.path} HTTP/1.0\r\nHost: {parts.netloc}\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise ValueError(f"answered {head[:60]!r}")
    answer = json.loads(body)
    if not isinstance(answer, dict):
        raise ValueError("answered no object")
    return answer
