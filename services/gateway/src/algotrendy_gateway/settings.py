"""What the gateway is told at start.

Invariant: without a signing key, a store and a public address that matches how it is reached, it does not start.
"""

from datetime import timedelta
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from algotrendy_common.settings import ServiceSettings
from limits import parse
from pydantic import Field, SecretStr, field_validator, model_validator


class GatewaySettings(ServiceSettings):
    redis_url: SecretStr
    """Rate limits and the cache of live sessions; both have a way on without it."""
    token_key: SecretStr
    """Ed25519 seed, 32 bytes in hex: signs access tokens."""
    retired_token_keys: tuple[str, ...] = ()
    """Public keys, hex, of seeds that were replaced less than a token's life ago; they verify, they do not sign."""
    demo_password: SecretStr | None = None
    """Given, the demo users exist with this password; absent, nobody is ever made by itself."""
    page_dir: Path = Path("web/out")
    """The web page's static export."""
    public_origin: str | None = None
    """Scheme, host and port by which browsers reach the gateway, e.g. ``https://trade.example.com``. None: this
    machine only, over plain HTTP, by a loopback name."""
    access_life: timedelta = Field(timedelta(minutes=10), gt=timedelta(0), le=timedelta(minutes=10))
    refresh_idle: timedelta = Field(timedelta(hours=12), gt=timedelta(0))
    """A session that is not refreshed for this long has ended."""
    session_life: timedelta = Field(timedelta(days=7), gt=timedelta(0))
    """A session ends after this, however busy."""
    requests_limit: str = "1200/10 second"
    """Requests a user may make, in the notation of ``limits``."""
    orders_limit: str = "50/1 second"
    max_stream_clients: int = Field(5000, gt=0)
    max_streams_per_session: int = Field(20, gt=0)

    @field_validator("redis_url")
    @classmethod
    def _names_a_server(cls, value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in ("redis", "rediss") or not parts.hostname or not parts.port:
            raise ValueError("must be redis://[user:password@]host:port/database")
        return value

    @field_validator("requests_limit", "orders_limit")
    @classmethod
    def _is_a_limit(cls, value: str) -> str:
        parse(value)
        return value

    @field_validator("public_origin")
    @classmethod
    def _is_an_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query:
            raise ValueError("must be scheme://host[:port] and nothing more")
        return value.lower()

    @model_validator(mode="after")
    def _keys_are_keys(self) -> Self:
        for key in (self.token_key.get_secret_value(), *self.retired_token_keys):
            try:
                size = len(bytes.fromhex(key))
            except ValueError:
                size = 0
            if size != 32:
                raise ValueError("token keys are 32 bytes in hex")
        return self

    @property
    def https(self) -> bool:
        return self.public_origin is not None and self.public_origin.startswith("https://")
