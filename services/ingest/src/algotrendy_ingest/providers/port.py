"""The port: what a provider has to be for everything around it to work. An adapter is pure; it opens nothing.

Invariant: no request that an adapter makes bears the key; where the key goes is said by ``key`` and done at the socket.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Protocol

from algotrendy_common.rpc.providers import (
    DailyBars,
    DailyBarsAsked,
    LatestPrice,
    LatestPriceAsked,
    Observations,
    ObservationsAsked,
    SeriesAsked,
    SeriesFound,
    SeriesSearched,
    Source,
)

from algotrendy_ingest.providers.errors import KeyRefused, Malformed, NotListed, PlanRefused, ProviderAway, Throttled

type Question = DailyBarsAsked | LatestPriceAsked | ObservationsAsked | SeriesAsked | SeriesSearched
type Answer = DailyBars | LatestPrice | Observations | SeriesFound

KINDS: Mapping[type[Question], str] = {
    DailyBarsAsked: "daily_bars",
    LatestPriceAsked: "latest_price",
    ObservationsAsked: "observations",
    SeriesAsked: "series",
    SeriesSearched: "series_search",
}

EXAMPLES: tuple[Question, ...] = (
    DailyBarsAsked(symbol="AAPL", start=date(2024, 1, 2)),
    LatestPriceAsked(symbol="AAPL"),
    ObservationsAsked(series="GDP", start=date(2024, 1, 1)),
    SeriesAsked(series="GDP"),
    SeriesSearched(text="gross domestic product"),
)
"""One of each kind; what a provider takes of these is what it is said to answer."""


@dataclass(frozen=True, slots=True)
class QueryKey:
    """The key is a parameter: such an URL is never logged."""

    name: str


@dataclass(frozen=True, slots=True)
class HeaderKey:
    name: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the free plan allows, where it is known; settings may say otherwise."""

    calls_a_minute: float
    calls_a_day: int | None = None


@dataclass(frozen=True, slots=True)
class Get:
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: str
    retry_after_s: float | None = None

    def json(self) -> Any:
        """Numbers with a point as Decimals, as they were written. Raises Malformed."""
        try:
            return json.loads(self.body, parse_float=Decimal)
        except ValueError as error:
            raise Malformed(f"not JSON: {self.body[:60]!r}") from error


class Provider(Protocol):
    """One provider. ``read`` raises the errors of this room and nothing else."""

    @property
    def name(self) -> str: ...
    @property
    def base_url(self) -> str: ...
    @property
    def key(self) -> QueryKey | HeaderKey | None: ...
    @property
    def limits(self) -> Limits: ...

    def takes(self, question: Question) -> bool:
        """Whether such a question can be put to it at all."""
        ...

    def reach(self, question: Question) -> timedelta | None:
        """How far back from today it can be asked; None: as far as there is anything."""
        ...

    def request(self, question: Question) -> Get: ...

    def read(self, question: Question, reply: Reply, source: Source) -> Answer: ...


def check_status(reply: Reply) -> None:
    """What HTTP itself says; raises where it is not well."""
    status, told = reply.status, reply.body[:120]
    if status == 429:
        raise Throttled("429, too many calls", retry_after_s=reply.retry_after_s)
    if status in (401, 403):
        raise KeyRefused(f"{status}: {told}")
    if status == 402:
        raise PlanRefused(f"402: {told}")
    if status == 404:
        raise NotListed(f"404: {told}")
    if status >= 500:
        raise ProviderAway(f"status {status}")
    if status != 200:
        raise Malformed(f"status {status}: {told}")
