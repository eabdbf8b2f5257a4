"""What ingest is told of data providers: which, in what order, with which keys, how fast, and how long answers keep."""

from datetime import timedelta
from decimal import Decimal
from typing import Literal, Self

from algotrendy_common.settings import Section
from pydantic import Field, SecretStr, model_validator


class ProviderSettings(Section):
    """One provider; what is None is as the provider's free plan has it."""

    name: Literal["alpha_vantage", "yahoo", "polygon", "fmp", "fred", "tiingo"]
    base_url: str | None = Field(None, pattern="^https?://")
    api_key: SecretStr | None = None
    calls_a_minute: float | None = Field(None, gt=0)
    burst: int = Field(1, ge=1)
    """Calls that may go out at once after a pause."""
    calls_a_day: int | None = Field(None, ge=1)
    """By UTC. Counted in Redis, so that a restart does not forget what was used."""
    usd_a_call: Decimal = Field(Decimal(0), ge=0)
    """What a call costs; summed up for the metrics alone."""
    timeout: timedelta = Field(timedelta(seconds=10), gt=timedelta(0))


class CacheTimes(Section):
    """How long an answer keeps, by the kind of question."""

    daily_bars: timedelta = timedelta(hours=16)
    """A night and a day's morning, and over before the next evening asks for the day that ended."""
    latest_price: timedelta = timedelta(seconds=60)
    observations: timedelta = timedelta(hours=12)
    series: timedelta = timedelta(days=7)
    series_search: timedelta = timedelta(days=7)


class ProvidersSettings(Section):
    members: tuple[ProviderSettings, ...] = ()
    """In the order in which they are asked: the next where one fails or cannot say."""
    redis_url: SecretStr | None = None
    """Of the cache and the counts of the day; None takes the service's own, without one they stay in this process."""
    cache: bool = True
    keep: CacheTimes = CacheTimes()
    look_back: timedelta = Field(timedelta(days=400), gt=timedelta(0))
    """A range is fetched from at least so long ago: one call answers what several will ask."""
    attempts: int = Field(3, ge=1, le=10)
    """Calls a question at one provider, the first included."""
    back_off: timedelta = Field(timedelta(seconds=0.5), ge=timedelta(0))
    """Before the second call; doubled, with jitter, before each after it. ``Retry-After`` wins where it is longer."""
    patience: timedelta = timedelta(seconds=20)
    """The longest that a question waits for its turn or for ``Retry-After`` before the next provider is asked."""
    failures: int = Field(5, ge=1)
    """Within a minute: the circuit opens."""
    open_for: timedelta = Field(timedelta(seconds=30), gt=timedelta(0))
    successes: int = Field(3, ge=1)
    """In a row, on trial: the circuit closes."""
    tolerance: Decimal = Field(Decimal("0.005"), ge=0, lt=1)
    """Of a quorum: the ratio by which two providers' values may differ and still be the same."""

    def beside(self, redis_url: SecretStr | None) -> "ProvidersSettings":
        """The same, with the Redis of whoever asks where none is named here."""
        return self if self.redis_url else self.model_copy(update={"redis_url": redis_url})

    @model_validator(mode="after")
    def _names_come_once(self) -> Self:
        names = [member.name for member in self.members]
        if len(set(names)) != len(names):
            raise ValueError("a provider is named twice")
        return self
