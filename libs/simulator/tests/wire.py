"""Raw requests as Binance documents them, for what a client library would not send."""

import hashlib
import hmac
from typing import Any
from urllib.parse import urlencode

import aiohttp
from algotrendy_common.clock import wall_ns


def now_ms() -> int:
    return wall_ns() // 1_000_000


def signed(values: dict[str, Any], secret: str = "demo-secret") -> str:
    query = urlencode({"timestamp": now_ms(), **values})
    return f"{query}&signature={hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()}"


async def call(
    http: str, method: str, path: str, query: str = "", key: str | None = "demo-key"
) -> tuple[int, Any, Any]:
    """Status, JSON, headers."""
    headers = {"X-MBX-APIKEY": key} if key else {}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{http}{path}?{query}", headers=headers) as response,
    ):
        return response.status, await response.json(), response.headers
