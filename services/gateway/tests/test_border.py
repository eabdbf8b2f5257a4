"""Malformed and hostile requests: each gets an envelope, none gets a stack trace, and the headers are always there."""

import re

import httpx
import pytest
from algotrendy_gateway.api.border import HEADERS, Hosts
from starlette.datastructures import Headers

pytestmark = pytest.mark.asyncio(loop_scope="session")


def envelope(answer: httpx.Response) -> dict[str, str]:
    error = answer.json()["error"]
    assert set(answer.json()) == {"error"}
    assert re.fullmatch("[0-9a-f]{32}", error["trace_id"])
    assert error["message"]
    return error


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe", b'{"username": 1}', b"[" * 20_000, b'{"a":' * 5_000, b"NaN"],
)
async def test_a_malformed_body_is_the_callers_fault(running, body: bytes):
    async with running.client() as http:
        answer = await http.post("/api/auth/login", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    envelope(answer)


async def test_a_body_of_another_type_is_not_read(running):
    async with running.client() as http:
        form = await http.post("/api/auth/login", data={"username": "tom", "password": "x"})
        assert form.status_code == 422


async def test_an_oversize_body_is_not_taken(running):
    async with running.client() as http:
        answer = await http.post("/api/auth/login", content=b" " * 70_000, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    envelope(answer)


async def test_an_oversize_body_without_a_length_is_not_taken_either(running):
    async def endless():
        for _ in range(200):
            yield b" " * 1000

    async with running.client() as http:
        answer = await http.post("/api/auth/login", content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nothing", 404),
        ("GET", "/api", 404),
        ("PUT", "/api/orders", 405),
        ("POST", "/", 405),
        ("GET", "/api/orders/..%2f..", 404),
        ("GET", "/api/docs", 404),
        ("GET", "/openapi.json", 404),
    ],
)
async def test_what_is_not_there_is_said_plainly(running, method: str, path: str, status: int):
    async with running.client() as http:
        answer = await http.request(method, path)
    assert answer.status_code == status
    if path.startswith("/api"):
        envelope(answer)


@pytest.mark.parametrize("path", ["/", "/api/public/status", "/api/nothing", "/api/orders", "/healthz"])
async def test_the_security_headers_are_on_everything(running, path: str):
    async with running.client() as http:
        answer = await http.get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "server" not in answer.headers
    assert "strict-transport-security" not in answer.headers
    if path.startswith("/api"):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_a_name_that_is_not_ours_is_refused(running):
    async with running.client() as http:
        answer = await http.get("/api/public/status", headers={"Host": "evil.example"})
        assert answer.status_code == 421
        assert envelope(answer)["code"] == "wrong_host"
        assert (await http.get("/readyz", headers={"Host": "10.0.0.7:8000"})).status_code == 200


@pytest.mark.parametrize(
    ("origin", "host", "served"),
    [
        (None, "localhost:8000", True),
        (None, "127.0.0.1", True),
        (None, "[::1]:8000", True),
        (None, "trade.example.com", False),
        ("https://trade.example.com", "trade.example.com", True),
        ("https://trade.example.com", "localhost", True),
        ("https://trade.example.com", "trade.example.com.evil.example", False),
        (None, "", False),
        (None, "[", False),
    ],
)
def test_hosts(origin: str | None, host: str, served: bool):
    assert Hosts(origin).serve(host) is served
    assert Headers({"host": host})["host"] == host


async def test_a_forwarded_address_is_not_believed(running):
    """Else anybody could try passwords from as many addresses as they like, or read the metrics."""
    async with running.client() as http:
        answer = await http.get("/metrics", headers={"X-Forwarded-For": "8.8.8.8"})
        assert answer.status_code == 200
        assert b"algotrendy_gateway_request_seconds" in answer.content


async def test_metrics_are_for_this_machine_alone(gateways, world):
    async with gateways(PUBLIC_ORIGIN="https://trade.example.com") as public, public.client() as http:
        assert (await http.get("/metrics", headers={"Host": "trade.example.com"})).status_code == 404
        assert (await http.get("/metrics")).status_code == 200


async def test_what_nobody_foresaw_is_answered_in_general(running, monkeypatch, caplog):
    from algotrendy_gateway.store.alerts import Alerts

    async def broken(self, limit):
        raise KeyError("postgresql://user:secret@host")

    monkeypatch.setattr(Alerts, "newest", broken)
    answer = await running.call("vic", "GET", "/api/alerts")
    assert answer.status_code == 500
    assert envelope(answer)["code"] == "internal"
    assert "secret" not in answer.text
