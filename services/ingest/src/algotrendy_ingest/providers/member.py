"""One provider with everything around it: cache, quota, circuit, bucket, socket, retries, health.

Invariant: every call that goes out is counted once, in the day's quota and in the metrics, whatever becomes of it; the
circuit learns of a provider's own failures alone, not of our haste, our key or our questions.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from algotrendy_common.clock import Clock, monotonic_s
from algotrendy_common.errors import AlgoTrendyError, Refused, Retryable
from algotrendy_common.rpc.providers import ProviderHealth, Source
from pydantic import ValidationError
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    retry_if_not_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from algotrendy_ingest.providers import metrics
from algotrendy_ingest.providers.breaker import Breaker, BreakerRules
from algotrendy_ingest.providers.bucket import TokenBucket
from algotrendy_ingest.providers.cache import Cache
from algotrendy_ingest.providers.coverage import Kept, cut, finished, key, served, widened
from algotrendy_ingest.providers.errors import (
    CircuitOpen,
    Malformed,
    NotListed,
    NotOurTurn,
    ProviderAway,
    QuotaSpent,
    Throttled,
)
from algotrendy_ingest.providers.port import EXAMPLES, KINDS, Answer, Provider, Question
from algotrendy_ingest.providers.settings import ProviderSettings, ProvidersSettings
from algotrendy_ingest.providers.wire import Wire

Sleep = Callable[[float], Awaitable[None]]

_DAY = timedelta(days=1)
_PAUSE_S = 60.0
"""Where a provider says "too fast" and not for how long."""


class Member:
    def __init__(
        self,
        provider: Provider,
        own: ProviderSettings,
        common: ProvidersSettings,
        cache: Cache,
        clock: Clock,
        *,
        now: Callable[[], float] = monotonic_s,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.provider = provider
        self._own, self._common, self._cache, self._clock = own, common, cache, clock
        self._now, self._sleep = now, sleep
        self._wire = Wire(provider, own, clock)
        self._bucket = TokenBucket(own.calls_a_minute or provider.limits.calls_a_minute, own.burst)
        self._breaker = Breaker(BreakerRules(common.failures, 60.0, common.open_for.total_seconds(), common.successes))
        self._calls_a_day = own.calls_a_day or provider.limits.calls_a_day
        self._calls = self._failures = self._hits = self._misses = 0
        self._spent_on: str | None = None
        self._last_error: str | None = None
        self._last_answer: datetime | None = None

    @property
    def name(self) -> str:
        return self.provider.name

    def takes(self, question: Question) -> bool:
        return self.provider.takes(question)

    async def close(self) -> None:
        await self._wire.close()

    # -- the cache -------------------------------------------------------------------------------------------

    async def cached(self, question: Question) -> Answer | None:
        """What is kept of it; raises NotListed where it is known that the provider has no such thing."""
        kept = await self._kept(question)
        answer = None
        try:
            answer = served(question, kept) if kept is not None else None
        finally:
            hit = answer is not None or (kept is not None and kept.answer is None)
            self._hits, self._misses = self._hits + hit, self._misses + (not hit)
            metrics.CACHE.labels(self.name, "hit" if hit else "miss").inc()
        return answer

    async def _kept(self, question: Question) -> Kept | None:
        if not self._common.cache:
            return None
        found = await self._cache.get(key(self.name, question))
        if found is None:
            return None
        try:
            return Kept.model_validate_json(found)
        except ValidationError:
            return None  # of an earlier version; what is fetched now takes its place

    async def _keep(self, question: Question, answer: Answer | None) -> None:
        if self._common.cache:
            kept = Kept(answer=answer, start=getattr(question, "start", None), end=getattr(question, "end", None))
            keep: timedelta = getattr(self._common.keep, KINDS[type(question)])
            await self._cache.put(key(self.name, question), kept.model_dump_json(), keep)

    # -- a question ------------------------------------------------------------------------------------------

    async def fetch(self, question: Question) -> Answer:
        """From the provider itself, with retries; kept afterwards. Raises the errors of this room."""
        asked = question
        if self._common.cache:
            reach = self.provider.reach(question)
            look_back = self._common.look_back if reach is None else min(reach, self._common.look_back)
            asked = widened(question, self._clock.now(), look_back, await self._kept(question))
        retrying = AsyncRetrying(
            retry=retry_if_exception_type((ProviderAway, Malformed, Throttled))
            & retry_if_not_exception_type(NotOurTurn),
            stop=stop_after_attempt(self._common.attempts),
            wait=self._pause_s,
            sleep=self._sleep,
            before_sleep=self._retries,
            reraise=True,
        )
        try:
            answer = finished(await retrying(self._call, asked), self._clock.now())
        except NotListed:
            await self._keep(asked, None)
            raise
        await self._keep(asked, answer)
        return cut(question, answer)

    def _pause_s(self, state: RetryCallState) -> float:
        # Retry-After is the bucket's affair: the next attempt waits there, or gives up if that is too long.
        return float(wait_random_exponential(multiplier=self._common.back_off.total_seconds(), max=10)(state))

    def _retries(self, state: RetryCallState) -> None:
        metrics.RETRIES.labels(self.name).inc()

    async def _call(self, question: Question) -> Answer:
        if self._breaker.shown(self._now()) == "open":
            raise CircuitOpen("left alone, it failed too often", provider=self.name)
        await self._wait_for_turn()
        if not self._breaker.admit(self._now()):
            raise CircuitOpen("left alone, it failed too often", provider=self.name)
        decided = False
        try:
            await self._count()
            answer = await self._ask(question)
            decided = True
            self._breaker.succeeded()
        except AlgoTrendyError as error:
            decided = self._judge(error)
            self._failures += not isinstance(error, NotListed)
            self._last_error = f"{type(error).__name__}: {error}"
            error.context.setdefault("provider", self.name)
            metrics.CALLS.labels(self.name, type(error).__name__).inc()
            raise
        finally:
            if not decided:
                self._breaker.undecided()
            self._show_circuit()
        self._last_answer = self._clock.now()
        metrics.CALLS.labels(self.name, "answered").inc()
        return answer

    def _judge(self, error: AlgoTrendyError) -> bool:
        """Tell the circuit; whether there was anything to tell."""
        if isinstance(error, Throttled):
            self._bucket.pause(self._now(), _PAUSE_S if error.retry_after_s is None else error.retry_after_s)
            return False
        if isinstance(error, QuotaSpent):
            self._spent_on = self._today()
            return False
        if isinstance(error, ProviderAway | Malformed):
            self._breaker.failed(self._now())
            return True
        if isinstance(error, NotListed):
            self._breaker.succeeded()  # it answered, and well
            return True
        return not isinstance(error, Refused | Retryable)

    async def _wait_for_turn(self) -> None:
        patience_s = self._common.patience.total_seconds()
        wait_s = self._bucket.reserve(self._now(), patience_s)
        if wait_s is None:
            raise NotOurTurn(f"its next call would be more than {patience_s:g} s away", provider=self.name)
        if wait_s > 0:
            await self._sleep(wait_s)

    async def _count(self) -> None:
        if self._spent_on == self._today():
            raise QuotaSpent("it said that the day's calls are used up", provider=self.name)
        if self._calls_a_day is not None:
            used = await self._cache.count(self._today(), 2 * _DAY)
            if used > self._calls_a_day:
                raise QuotaSpent(f"the {self._calls_a_day} calls of the day are used up", provider=self.name)
            metrics.QUOTA_LEFT.labels(self.name).set(max(0, self._calls_a_day - used))
        self._calls += 1
        metrics.COST.labels(self.name).inc(float(self._own.usd_a_call))

    async def _ask(self, question: Question) -> Answer:
        started = self._now()
        reply = await self._wire.get(self.provider.request(question))
        metrics.SECONDS.labels(self.name).observe(self._now() - started)
        source = Source(provider=self.name, fetched_at=self._clock.now())
        try:
            return self.provider.read(question, reply, source)
        except (ValidationError, ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError) as error:
            # An answer of a shape that its reader has not met: the provider's failure, not ours to fall over.
            raise Malformed(f"unexpected answer ({type(error).__name__})") from error

    def _today(self) -> str:
        return f"providers:calls:{self.name}:{self._clock.now():%Y-%m-%d}"

    # -- health ----------------------------------------------------------------------------------------------

    def _show_circuit(self) -> None:
        shown = {"closed": 0.0, "half_open": 0.5, "open": 1.0}
        metrics.CIRCUIT.labels(self.name).set(shown[self._breaker.shown(self._now())])

    async def health(self) -> ProviderHealth:
        today = await self._cache.counted(self._today()) if self._calls_a_day is not None else self._calls
        return ProviderHealth(
            provider=self.name,
            circuit=self._breaker.shown(self._now()),
            calls=self._calls,
            failures=self._failures,
            last_error=self._last_error,
            last_answer=self._last_answer,
            calls_today=min(today, self._calls_a_day or today),
            calls_a_day=self._calls_a_day,
            cost=self._own.usd_a_call * self._calls,
            cache_hits=self._hits,
            cache_misses=self._misses,
            answers=_kinds(self.provider),
        )


def _kinds(provider: Provider) -> tuple[str, ...]:
    return tuple(KINDS[type(one)] for one in EXAMPLES if provider.takes(one))
