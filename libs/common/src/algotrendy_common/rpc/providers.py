"""Questions that ingest puts to data providers over HTTP: daily bars, latest prices, macro series.

Invariant: an answer says who gave it, when, and who else was tried; whoever reads it can judge it by that. It may take
the time of several providers that fail one after the other: ask with ``PATIENCE_S``.
"""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from algotrendy_common.clock import Instant
from algotrendy_common.events.event import Record
from algotrendy_common.money import Amount, Price
from algotrendy_common.rpc.call import Call, Nothing

PATIENCE_S = 28.0
"""NATS lets an answer through for 30 s (``permissions.py``)."""
ListedSymbol = Annotated[str, StringConstraints(pattern=r"^\^?[A-Z0-9][A-Z0-9.\-]{0,15}$|^[A-Z]{3}/[A-Z]{3}$")]
"""``AAPL``, ``BRK.B``, ``^GSPC``, or a currency pair: ``EUR/USD``."""
SeriesId = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9_]{1,40}$")]
"""As FRED names its series: ``GDP``, ``DGS10``."""

Agree = Annotated[int, Field(ge=1, le=6)]
"""How many providers must say the same; 1 takes the first that answers."""


class Adjusted(StrEnum):
    """What a provider did to past prices."""

    NONE = "none"
    """As they were traded."""
    SPLITS = "splits"
    """Divided by the splits that came later; dividends are left in."""


class Attempt(Record):
    """A provider that was asked before, and why it has not answered."""

    provider: str
    error: str
    message: str


class Source(Record):
    provider: str
    fetched_at: Instant
    cached: bool = False
    tried: tuple[Attempt, ...] = ()
    agreed: tuple[str, ...] = ()
    """Under a quorum: the providers that say the same, this one included."""


class DailyBar(Record):
    day: date
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Amount | None = None
    """Shares; None where the market has no common count."""


class DailyBarsAsked(Record):
    """Bars of the days from ``start`` to ``end``, both included; without ``end`` up to the last one there is."""

    symbol: ListedSymbol
    start: date
    end: date | None = None
    adjusted: Adjusted | None = None
    """None takes either; the answer says which."""
    agree: Agree = 1


class DailyBars(Record):
    symbol: ListedSymbol
    adjusted: Adjusted
    currency: str | None = None
    bars: tuple[DailyBar, ...]
    """Oldest first, a day once."""
    source: Source


class LatestPriceAsked(Record):
    symbol: ListedSymbol
    agree: Agree = 1


class LatestPrice(Record):
    symbol: ListedSymbol
    price: Price
    day: date
    time: Instant | None = None
    """Where the provider says it to the second."""
    source: Source


class ObservationsAsked(Record):
    series: SeriesId
    start: date
    end: date | None = None
    agree: Agree = 1


class Observation(Record):
    day: date
    value: Amount | None
    """None: the source says that there is no value, on a holiday for instance."""
    known_since: date | None = None
    """The vintage: from when on the series said so. What a backtest of before that day may not know."""


class Observations(Record):
    series: SeriesId
    observations: tuple[Observation, ...]
    source: Source


class SeriesAsked(Record):
    series: SeriesId


class SeriesSearched(Record):
    text: str = Field(min_length=2, max_length=100)
    limit: int = Field(20, ge=1, le=100)


class Series(Record):
    series: SeriesId
    title: str
    frequency: str
    units: str
    seasonal_adjustment: str = ""
    first_day: date | None = None
    last_day: date | None = None


class SeriesFound(Record):
    series: tuple[Series, ...]
    source: Source


class ProviderHealth(Record):
    """One provider, as its own record in this process has it."""

    provider: str
    circuit: str
    """``closed``, ``open`` or ``half_open``."""
    calls: int
    failures: int
    last_error: str | None
    last_answer: Instant | None
    calls_today: int
    calls_a_day: int | None
    """None: no limit is known."""
    cost: Amount = Decimal(0)
    """US dollars since the start, by the price a call that is set."""
    cache_hits: int = 0
    cache_misses: int = 0
    answers: tuple[str, ...] = ()
    """The kinds of question that it takes."""


class Providers(Record):
    providers: tuple[ProviderHealth, ...]


class Indicator(Record):
    """A main indicator of an economy."""

    series: SeriesId
    title: str
    theme: str


class Indicators(Record):
    indicators: tuple[Indicator, ...]


DAILY_BARS = Call("ingest", "daily_bars", DailyBarsAsked, DailyBars, ("agent", "backtest", "gateway"))
LATEST_PRICE = Call("ingest", "latest_price", LatestPriceAsked, LatestPrice, ("agent", "gateway"))
OBSERVATIONS = Call("ingest", "observations", ObservationsAsked, Observations, ("agent", "backtest", "gateway"))
SERIES = Call("ingest", "series", SeriesAsked, SeriesFound, ("gateway",))
SERIES_SEARCH = Call("ingest", "series_search", SeriesSearched, SeriesFound, ("gateway",))
INDICATORS = Call("ingest", "indicators", Nothing, Indicators, ("agent", "gateway"))
PROVIDERS = Call("ingest", "providers", Nothing, Providers, ("gateway",))
