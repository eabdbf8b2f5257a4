"""The socket of one provider: base URL, key, time-out. The only file of this room that speaks HTTP.

Invariant: a key never leaves this file but on the wire: no error bears an URL, and the client's own log is masked.
"""

import logging
import re
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache

import httpx
from algotrendy_common.clock import Clock

from algotrendy_ingest.providers.errors import KeyRefused, ProviderAway
from algotrendy_ingest.providers.port import Get, HeaderKey, Provider, QueryKey, Reply
from algotrendy_ingest.providers.settings import ProviderSettings

_MOST_BYTES = 32 * 1024 * 1024
_SECRET = re.compile(r"(?i)((?:api_?key|token|auth)[^=&\s]*=)[^&\s\"']+")


class _Masked(logging.Filter):
    """httpx logs every URL, with its query."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _SECRET.sub(r"\1***", record.getMessage()), ()
        return True


_MASK = _Masked()


@cache
def _tls() -> ssl.SSLContext:
    """Once a process: reading the certificates takes tens of milliseconds."""
    return httpx.create_ssl_context()


class Wire:
    def __init__(self, provider: Provider, settings: ProviderSettings, clock: Clock) -> None:
        self._provider = provider
        self._secret = settings.api_key
        self._clock = clock
        self._http = httpx.AsyncClient(
            base_url=settings.base_url or provider.base_url,
            timeout=settings.timeout.total_seconds(),
            follow_redirects=False,
            verify=_tls(),
        )
        self._timeout_s = settings.timeout.total_seconds()
        logging.getLogger("httpx").addFilter(_MASK)  # adding it again changes nothing

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, get: Get) -> Reply:
        """Raises ProviderAway; KeyRefused where the provider wants a key and none is set."""
        params, headers = self._keyed(get)
        try:
            async with self._http.stream("GET", get.path, params=params, headers=headers) as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise ProviderAway(f"an answer of more than {_MOST_BYTES} bytes")
        except httpx.TimeoutException as error:
            raise ProviderAway(f"no answer in {self._timeout_s:g} s") from error
        except httpx.HTTPError as error:
            raise ProviderAway(f"no connection ({type(error).__name__})") from error
        text = bytes(body).decode(response.charset_encoding or "utf-8", errors="replace")
        return Reply(response.status_code, text, self._retry_after_s(response.headers.get("Retry-After")))

    def _keyed(self, get: Get) -> tuple[Mapping[str, str], Mapping[str, str]]:
        place = self._provider.key
        if place is None:
            return get.params, get.headers
        if self._secret is None or not self._secret.get_secret_value():
            raise KeyRefused("no key is set")
        secret = self._secret.get_secret_value()
        match place:
            case QueryKey(name):
                return {**get.params, name: secret}, get.headers
            case HeaderKey(name, prefix):
                return get.params, {**get.headers, name: prefix + secret}

    def _retry_after_s(self, written: str | None) -> float | None:
        """Seconds, or a date: both are allowed (RFC 9110, 10.2.3). None where it is neither."""
        if written is None:
            return None
        if written.strip().isdigit():
            return float(written)
        try:
            until = parsedate_to_datetime(written)
        except ValueError:
            return None
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        return max(0.0, (until - self._now()).total_seconds())

    def _now(self) -> datetime:
        return self._clock.now()
