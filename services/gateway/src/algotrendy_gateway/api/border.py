"""The border that every request crosses: host, trace, headers, measurements, and the last resort.

Invariant: whatever happens inside, the answer has the security headers and a trace id, and a failure nobody foresaw is
logged in full and answered in general.
"""

from urllib.parse import urlsplit

from algotrendy_common.clock import monotonic_s
from algotrendy_common.ids import new_id
from algotrendy_common.telemetry import log
from algotrendy_common.tracing import current_traceparent, span, trace_id_of
from opentelemetry.trace import SpanKind
from prometheus_client import Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from algotrendy_gateway.api.problems import answer

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PROBES = ("/healthz", "/readyz")
"""Asked for by whatever supervises the gateway, under any name."""
MAX_BODY = 64 * 1024
"""Bytes of a request's body; an order takes a few hundred."""
_SECONDS = Histogram(
    "algotrendy_gateway_request_seconds",
    "Time to answer",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
}
_TOO_LARGE = f"At most {MAX_BODY} bytes are taken."
_API_POLICY = "default-src 'none'; frame-ancestors 'none'"


def host_name(host: str) -> str:
    """The name in a Host header, without its port."""
    return (urlsplit(f"//{host}").hostname or "").lower()


class Hosts:
    """By which names the gateway may be reached: a page of another name must not speak to it (DNS rebinding)."""

    def __init__(self, public_origin: str | None) -> None:
        self._names = LOOPBACK | ({host_name(urlsplit(public_origin).netloc)} if public_origin else set())

    def serve(self, host: str) -> bool:
        try:
            return host_name(host) in self._names
        except ValueError:
            return False


def same_origin(headers: Headers) -> bool:
    """True where a browser says that a page of this very host sent the request."""
    parts = urlsplit(headers.get("origin", ""))
    return parts.scheme in ("http", "https") and parts.netloc.lower() == headers.get("host", "").lower()


def _limited(receive: Receive) -> Receive:
    """For bodies that come in pieces and do not say how many."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MAX_BODY:
            raise HTTPException(413)
        return message

    return counted


class Border:
    def __init__(self, inside: ASGIApp, public_origin: str | None) -> None:
        self.inside = inside
        self._hosts = Hosts(public_origin)
        self._https = public_origin is not None and public_origin.startswith("https://")
        self._log = log("web")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http":
            if scope["path"].startswith("/api/"):
                with span(f"{scope['method']} {scope['path']}", kind=SpanKind.SERVER):
                    await self._http(scope, receive, send)
            else:
                await self._http(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._hosts.serve(Headers(scope=scope).get("host", "")):
            await send({"type": "websocket.close", "code": 1008})
            return
        await self.inside(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = monotonic_s()
        trace_id = trace_id_of(current_traceparent()) or new_id()
        scope.setdefault("state", {})["trace_id"] = trace_id
        status = 0

        async def dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._dress(MutableHeaders(scope=message), scope["path"], trace_id)
            await send(message)

        try:
            if scope["path"] not in _PROBES and not self._hosts.serve(Headers(scope=scope).get("host", "")):
                message = "The gateway is not reached by this name; its setting is PUBLIC_ORIGIN."
                await answer(trace_id, 421, "wrong_host", message)(scope, receive, dressed)
            elif int(Headers(scope=scope).get("content-length", "0")) > MAX_BODY:
                await answer(trace_id, 413, "content_too_large", _TOO_LARGE)(scope, receive, dressed)
            else:
                await self.inside(scope, _limited(receive), dressed)
        except Exception:  # the last resort: nothing of it may reach the client, all of it the log
            self._log.error("request failed", method=scope["method"], path=scope["path"], exc_info=True)
            if status == 0:
                message = "Something went wrong here. It has been recorded."
                await answer(trace_id, 500, "internal", message)(scope, receive, dressed)
        finally:
            route = getattr(scope.get("route"), "path", "page")
            _SECONDS.labels(scope["method"], route, status).observe(monotonic_s() - started)
            if scope["method"] not in ("GET", "HEAD"):
                self._log.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    milliseconds=round((monotonic_s() - started) * 1000, 1),
                )

    def _dress(self, headers: MutableHeaders, path: str, trace_id: str) -> None:
        for name, value in HEADERS.items():
            headers[name] = value
        if self._https:
            headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        if path.startswith("/api/"):
            headers["Content-Security-Policy"] = _API_POLICY
            headers["Cache-Control"] = "no-store"
            headers["X-Trace-Id"] = trace_id
