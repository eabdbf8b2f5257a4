"""An error answer of a venue, raw: what its status, its own code and its words mean is each adapter's affair."""

import re
from typing import Any

from algotrendy_common.lean_ccxt import load_ccxt

ccxt = load_ccxt("binance")

TOO_MANY = (418, 429)


class Answered(ccxt.ExchangeError):  # type: ignore[misc, name-defined]  # ccxt has no types
    """The venue answered with an error: its HTTP status and, where the body had them, its code and message."""

    def __init__(self, status: int, code: int | str | None, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(f"HTTP {status}, code {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s
        """Seconds of silence the venue asks for; 0 where it does not."""


def retry_after_s(headers: Any, default_s: float = 1.0) -> float:
    """The ``Retry-After`` header in seconds, ``default_s`` where there is none that makes sense."""
    found = {str(name).lower(): value for name, value in dict(headers or {}).items()}.get("retry-after")
    try:
        return max(1.0, float(found)) if found is not None else default_s
    except ValueError:
        return default_s


def repointed(urls: Any, http: str | None, ws: str | None) -> Any:
    """ccxt's addresses with their scheme and host replaced."""
    if isinstance(urls, dict):
        return {name: repointed(url, http, ws) for name, url in urls.items()}
    if http and urls.startswith("http"):
        return re.sub(r"^https?://[^/]*", http, urls)
    if ws and urls.startswith("ws"):
        return re.sub(r"^wss?://[^/]*", ws, urls)
    return urls
