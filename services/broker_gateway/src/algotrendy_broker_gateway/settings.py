"""What the broker gateway is told. Durations in ISO 8601 (``PT5S``).

Invariant: a paper account can only be aimed at a venue named in the settings, never at a venue's real hosts by default.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Literal, Self

from algotrendy_common.enums import Mode
from algotrendy_common.ids import AccountId, Symbol
from algotrendy_common.settings import ServiceSettings
from pydantic import Field, SecretStr, model_validator


class BrokerGatewaySettings(ServiceSettings):
    account: AccountId = "paper-1"
    venue: Literal["binance"] = "binance"
    mode: Mode = Mode.PAPER
    quote_currency: str = Field("USDT", pattern="^[A-Z0-9]{2,12}$")
    symbols: tuple[Symbol, ...] = ("BTC-USDT", "LTC-USDT")
    """Reconciled whether or not they were traded here; symbols of known orders always are."""

    binance_http_url: str | None = None
    """Replaces ``https://<host>`` of every REST address; None is the venue itself."""
    binance_ws_url: str | None = None
    binance_api_key: SecretStr
    binance_api_secret: SecretStr

    approval_public_key: str = Field(pattern="^[0-9a-f]{64}$")
    """Risk's Ed25519 public key, hex."""

    answer_timeout: timedelta = timedelta(seconds=5)
    """How long the venue may take to answer; after it an order's outcome is unknown."""
    keep_warm_interval: timedelta = timedelta(seconds=5)
    reconcile_interval: timedelta = timedelta(seconds=30)
    reconcile_retry: timedelta = timedelta(seconds=2)
    """Between attempts while the account is not reconciled."""
    adopt_balance_differences: bool = False
    """True: money that left the account unexplained is taken as withdrawn; set it for one start, by a person."""
    balance_tolerance: Decimal = Field(Decimal("0.0000001"), ge=0)
    """Largest difference per asset, in its own units, that is the venue's rounding."""

    settle_time: timedelta = timedelta(seconds=5)
    """After a lost answer the venue may still be working on the order: until then "not found" means nothing."""
    not_found_checks: int = Field(6, ge=2)
    not_found_span: timedelta = timedelta(seconds=30)
    """``lost`` needs this many answers "not found", spread over at least this time."""
    resolve_first_delay: timedelta = timedelta(milliseconds=250)
    resolve_longest_delay: timedelta = timedelta(seconds=5)

    notional_tolerance: Decimal = Field(Decimal("0.0001"), ge=0, le=Decimal("0.1"))
    """Fraction by which an order's notional may exceed the approved one before everything stops."""
    slippage_tolerance: Decimal = Field(Decimal("0.05"), ge=0, le=1)
    """The same for what a buy has cost once it traded."""

    @model_validator(mode="after")
    def _paper_stays_on_paper(self) -> Self:
        if self.mode is Mode.PAPER and not (self.binance_http_url and self.binance_ws_url):
            raise ValueError("a paper account needs binance_http_url and binance_ws_url")
        return self

    @model_validator(mode="after")
    def _durations_are_positive(self) -> Self:
        for name in (
            "answer_timeout",
            "keep_warm_interval",
            "reconcile_interval",
            "reconcile_retry",
            "settle_time",
            "not_found_span",
            "resolve_first_delay",
            "resolve_longest_delay",
        ):
            if getattr(self, name) <= timedelta(0):
                raise ValueError(f"{name} must be longer than nothing")
        return self
