"""What ingest is told: which instruments of which venues, where history is kept, and how long silence may last."""

from datetime import timedelta
from typing import Self

from algotrendy_common.ids import Symbol, Venue
from algotrendy_common.settings import Section, ServiceSettings
from pydantic import Field, SecretStr, field_validator, model_validator

from algotrendy_ingest.adapters.registry import ADAPTERS
from algotrendy_ingest.providers.settings import ProvidersSettings


class FeedSettings(Section):
    """One venue's feed."""

    venue: Venue
    symbols: tuple[Symbol, ...] = Field(min_length=1)
    """``BTC-USDT`` is spot, ``BTC-USDT-PERP`` a perpetual."""
    http_url: str | None = Field(None, pattern="^https?://")
    """None: the venue's own."""
    ws_url: str | None = Field(None, pattern="^wss?://")

    @property
    def addresses(self) -> tuple[str, str]:
        adapter = ADAPTERS[self.venue]
        return self.http_url or adapter.http, self.ws_url or adapter.ws

    @field_validator("venue")
    @classmethod
    def _is_known(cls, venue: str) -> str:
        if venue not in ADAPTERS:
            raise ValueError(f"there is no feed of {venue}, only of {', '.join(sorted(ADAPTERS))}")
        return venue


class IngestSettings(ServiceSettings):
    feeds: tuple[FeedSettings, ...] = ()
    """Every venue that is followed, as JSON. The three fields that come next are the short form of one, Binance."""
    symbols: tuple[Symbol, ...] = Field(("BTC-USDT", "LTC-USDT"), min_length=1)
    binance_http_url: str = Field("https://api.binance.com", pattern="^https?://")
    binance_ws_url: str = Field("wss://stream.binance.com:9443", pattern="^wss?://")
    questdb_url: SecretStr = SecretStr("http://127.0.0.1:9000")
    """HTTP, with user and password where the server wants them."""
    redis_url: SecretStr | None = None
    """Where answers about the past are kept; None or a Redis that is away: each is asked of the store anew."""
    retention: timedelta = Field(timedelta(days=365), ge=timedelta(days=1))
    """How long trades, quotes, books, signals and feed health are kept, in whole days, counted from the newest row."""
    candle_retention: timedelta = Field(timedelta(days=365), ge=timedelta(days=1))
    """The same for candles, also those that are fetched of a venue's past."""
    providers: ProvidersSettings = ProvidersSettings()
    """What is polled over HTTP, as JSON: ``{"members": [{"name": "yahoo"}, …]}``. None is asked unless it is named."""
    replay: bool = False
    """True where the venue plays recorded data; every reading of the feed's health says so."""
    history_candles: int = Field(1000, ge=1, le=100_000)
    """How many closed candles of each timeframe are there from the start, back-filled where missing."""
    quiet_after: timedelta = timedelta(seconds=3)
    """All is well, but nothing is said."""
    stale_after: timedelta = timedelta(seconds=10)
    """Prices this old are not to be traded on."""
    mute_after: timedelta = timedelta(seconds=15)
    """A connected socket that says nothing for so long is given up and opened anew."""
    mute_trades_after: timedelta = timedelta(seconds=60)
    """The same for the socket that carries only trades."""
    quiet_close_after: timedelta = timedelta(seconds=2)
    """A candle whose minute is over by the venue's clock waits so long for a last trade."""
    overdue_after: timedelta = timedelta(seconds=45)
    """A trade or candle that the bus has not brought to the recorder by then is written without it. Longer than the bus
    takes to deliver an unacknowledged batch again."""
    second_candles: bool | None = None
    """Whether candles of a second are made; None: where the venue is not a replay, in which seconds are soon over."""
    book_interval: timedelta = timedelta(milliseconds=500)
    growth_interval: timedelta = timedelta(milliseconds=200)
    """How often a growing candle is published at most."""

    @property
    def every_feed(self) -> tuple[FeedSettings, ...]:
        """Those given in ``feeds``, or the one of the short form."""
        short = FeedSettings(
            venue="binance", symbols=self.symbols, http_url=self.binance_http_url, ws_url=self.binance_ws_url
        )
        return self.feeds or (short,)

    @property
    def makes_seconds(self) -> bool:
        return not self.replay if self.second_candles is None else self.second_candles

    @model_validator(mode="after")
    def _venues_come_once(self) -> Self:
        venues = [feed.venue for feed in self.feeds]
        if len(set(venues)) != len(venues):
            raise ValueError("a venue is followed twice: name all its symbols in one feed")
        return self
