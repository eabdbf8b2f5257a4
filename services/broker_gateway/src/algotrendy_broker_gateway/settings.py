"""What the broker gateway is told. Durations in ISO 8601 (``PT5S``).

Invariant: a paper account can only be aimed at a venue named in the settings, never at a venue's real hosts by default.
"""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal, Self

from algotrendy_common.enums import MarginMode, Mode
from algotrendy_common.ids import AccountId, Symbol
from algotrendy_common.money import Leverage, Ratio
from algotrendy_common.settings import Section, ServiceSettings
from pydantic import Field, SecretStr, model_validator

VenueName = Literal["binance", "bybit", "okx", "coinbase", "kraken", "cryptocom", "paper"]


class ProtectionPolicy(Section):
    """How the positions of an account have to be guarded."""

    required: bool = False
    """True: an open position without a stop is given one, whoever opened it. What an entry brought is placed anyway."""
    default_stop_ratio: Ratio = Decimal("0.05")
    """Distance of the stop that is placed where a position has none, under the entry (above, for a short)."""
    restore_within: timedelta = timedelta(seconds=5)
    """How long a position may be bare before people are told."""
    flatten_after: timedelta = timedelta(seconds=30)
    """How long it may be bare at all."""
    flatten: bool = True
    """After it what is bare is closed at the market; False only goes on telling people."""


class AccountSettings(Section):
    """One account at one venue."""

    account: AccountId
    venue: VenueName
    mode: Mode = Mode.PAPER
    quote_currency: str = Field("USDT", pattern="^[A-Z0-9]{2,12}$")
    symbols: tuple[Symbol, ...] = ("BTC-USDT", "LTC-USDT")
    """Reconciled whether or not they were traded here; symbols of known orders always are."""
    http_url: str | None = None
    """Replaces ``https://<host>`` of every REST address; None is the venue itself."""
    ws_url: str | None = None
    api_key: SecretStr | None = None
    """With ``api_secret``, instead of stored credentials: for demonstrations."""
    api_secret: SecretStr | None = None
    passphrase: SecretStr | None = None
    margin_mode: MarginMode = MarginMode.NONE
    leverage: Leverage | None = None
    """Where an order names none."""
    failover: tuple[AccountId, ...] = ()
    """Accounts that new orders may go to while this one's venue is away, in the order of preference."""
    protection: ProtectionPolicy = ProtectionPolicy()
    feed: VenueName | None = None
    """Of a ``paper`` venue: whose live prices it matches against."""
    paper_balances: dict[str, Decimal] = Field(default_factory=lambda: {"USDT": Decimal(100_000)})
    """What a ``paper`` venue's account begins with."""

    @property
    def market(self) -> VenueName:
        """The venue whose prices this account trades at."""
        return self.feed or self.venue if self.venue == "paper" else self.venue

    @model_validator(mode="after")
    def _keys_come_whole(self) -> Self:
        if (self.api_key is None) != (self.api_secret is None):
            raise ValueError(f"{self.account}: api_key and api_secret come together or not at all")
        return self

    @model_validator(mode="after")
    def _paper_stays_on_paper(self) -> Self:
        if self.venue == "paper":
            if self.feed is None or self.feed == "paper":
                raise ValueError(f"{self.account}: the paper venue needs a feed, the venue whose prices it trades at")
            if self.mode is not Mode.PAPER:
                raise ValueError(f"{self.account}: nothing on the paper venue is live")
        elif self.mode is Mode.PAPER and not (self.http_url and self.ws_url):
            raise ValueError(f"{self.account}: a paper account needs http_url and ws_url")
        return self


class BrokerGatewaySettings(ServiceSettings):
    accounts: tuple[AccountSettings, ...] = ()
    """Every account this gateway runs, as JSON. The fields up to ``binance_api_secret`` are the short form of one."""

    account: AccountId = "paper-1"
    venue: Literal["binance"] = "binance"
    mode: Mode = Mode.PAPER
    quote_currency: str = Field("USDT", pattern="^[A-Z0-9]{2,12}$")
    symbols: tuple[Symbol, ...] = ("BTC-USDT", "LTC-USDT")
    protection: ProtectionPolicy = ProtectionPolicy()
    binance_http_url: str | None = None
    binance_ws_url: str | None = None
    binance_api_key: SecretStr | None = None
    binance_api_secret: SecretStr | None = None

    approval_public_key: str = Field(pattern="^[0-9a-f]{64}$")
    """Risk's Ed25519 public key, hex."""

    credentials_key_file: Path | None = None
    """The keys that wrap stored credentials, a line each: ``<version> <32 bytes, hex>``; the newest wraps."""
    kill_file: Path | None = None
    """While this file exists nothing is sent and everything that works is cancelled, whatever else is down."""
    lease_time: timedelta = timedelta(seconds=3)
    """How long an account stays with a gateway that is not heard from; another takes it over then."""
    heartbeat_limit: timedelta = timedelta(seconds=30)
    """A gateway silent for longer has its working entry orders cancelled: by the venue or by ``dead_man``."""
    disarm_at_stop: bool = True
    """A clean stop leaves working orders as they are; False leaves the venue's dead-man's switch running."""
    venue_down_after: timedelta = timedelta(seconds=10)
    """A venue that has not answered for this long takes no new orders."""

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
    difference_threshold: Decimal = Field(Decimal(0), ge=0, lt=1)
    """Largest share of what an asset or a position should be that is told and does not close the gate."""

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

    @property
    def every_account(self) -> tuple[AccountSettings, ...]:
        """Those given in ``accounts``, or the one of the short form."""
        return self.accounts or (self._short_form(),)

    def _short_form(self) -> AccountSettings:
        return AccountSettings(
            account=self.account,
            venue=self.venue,
            mode=self.mode,
            quote_currency=self.quote_currency,
            symbols=self.symbols,
            http_url=self.binance_http_url,
            ws_url=self.binance_ws_url,
            api_key=self.binance_api_key,
            api_secret=self.binance_api_secret,
            protection=self.protection,
        )

    @model_validator(mode="after")
    def _accounts_fit_together(self) -> Self:
        accounts = {one.account: one for one in self.every_account}
        if len(accounts) != len(self.every_account):
            raise ValueError("two accounts have one id")
        for one in self.every_account:
            for other in one.failover:
                if other not in accounts:
                    raise ValueError(f"{one.account}: there is no account {other} to fail over to")
                if other == one.account or accounts[other].mode is not one.mode:
                    raise ValueError(f"{one.account}: {other} is no account of the same mode to fail over to")
            if one.venue != "paper" and one.api_key is None and self.credentials_key_file is None:
                raise ValueError(f"{one.account}: keys are missing: give them, or credentials_key_file")
        return self

    @model_validator(mode="after")
    def _durations_are_positive(self) -> Self:
        for name, field in type(self).model_fields.items():
            if field.annotation is timedelta and getattr(self, name) <= timedelta(0):
                raise ValueError(f"{name} must be longer than nothing")
        if self.heartbeat_limit <= self.lease_time:
            raise ValueError("heartbeat_limit must be longer than lease_time: until then the gateway may be alive")
        return self
