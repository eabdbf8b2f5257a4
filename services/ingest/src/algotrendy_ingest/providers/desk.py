"""Every provider behind one question: cache first, then one after the other; or several at once for a quorum.

Invariant: an answer names who gave it and who failed before; a question that nobody answers says why of each. Equal
questions that come at once are one call, where there is a cache.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

from algotrendy_common.clock import Clock, monotonic_s
from algotrendy_common.errors import AlgoTrendyError, Refused, Retryable
from algotrendy_common.rpc.providers import Attempt, Providers
from algotrendy_common.telemetry import log

from algotrendy_ingest.providers import metrics
from algotrendy_ingest.providers.adapters.registry import PROVIDERS
from algotrendy_ingest.providers.agreement import agreeing
from algotrendy_ingest.providers.cache import Cache, MemoryCache, RedisCache
from algotrendy_ingest.providers.errors import Disagreement, NobodyAnswers, NotListed, NotOffered
from algotrendy_ingest.providers.member import Member, Sleep
from algotrendy_ingest.providers.port import KINDS, Answer, Question
from algotrendy_ingest.providers.settings import ProvidersSettings


class Desk:
    """Asked by handlers and commands; ``members`` are in the order of failover."""

    def __init__(self, members: Sequence[Member], cache: Cache, tolerance: Decimal) -> None:
        self.members = tuple(members)
        self._cache = cache
        self._tolerance = tolerance
        self._asking: dict[Question, tuple[asyncio.Lock, int]] = {}
        self._log = log("providers")

    async def close(self) -> None:
        for member in self.members:
            await member.close()
        await self._cache.close()

    async def health(self) -> Providers:
        return Providers(providers=tuple([await member.health() for member in self.members]))

    async def answer(self, question: Question) -> Answer:
        """As many providers asked as the question wants to hear the same from."""
        agree = getattr(question, "agree", 1)
        if agree == 1:
            return await self.ask(question)
        return await self.ask_several(question.model_copy(update={"agree": 1}), agree)

    async def ask(self, question: Question) -> Answer:
        """The first answer in the order. Raises NotOffered, NotListed, NobodyAnswers, or the last one's refusal."""
        able = self._able(question)
        async with self._alone(question):
            attempts: list[Attempt] = []
            errors: list[AlgoTrendyError] = []
            for member in able:
                try:
                    kept = await member.cached(question)
                except NotListed as error:
                    _note(member, error, attempts, errors)
                    continue
                if kept is not None:
                    return kept
            for member in able:
                if any(one.provider == member.name for one in attempts):
                    continue
                try:
                    answer = await member.fetch(question)
                except (Refused, Retryable) as error:
                    _note(member, error, attempts, errors)
                    metrics.FAILOVERS.labels(member.name, type(error).__name__).inc()
                    self._log.warning("provider passed over", provider=member.name, error=str(error))
                    continue
                source = answer.source.model_copy(update={"tried": tuple(attempts)})
                return answer.model_copy(update={"source": source})
        raise _nobody(attempts, errors)

    async def ask_several(self, question: Question, need: int) -> Answer:
        """What at least ``need`` providers say alike; asked all at once. Raises Disagreement where they do not.

        The answer is the first one's of those that agree; the others are named in it.
        """
        able = self._able(question)
        if need < 2 or len(able) < need:
            raise NotOffered(f"{len(able)} providers take this question, a quorum of {need} is wanted")
        results = await asyncio.gather(*(_one(member, question) for member in able), return_exceptions=True)
        answers: list[tuple[str, Answer]] = []
        attempts: list[Attempt] = []
        errors: list[AlgoTrendyError] = []
        for member, result in zip(able, results, strict=True):
            if isinstance(result, (Refused, Retryable)):
                _note(member, result, attempts, errors)
            elif isinstance(result, BaseException):
                raise result
            else:
                answers.append((member.name, result))
        if len(answers) < need:
            metrics.QUORUM.labels("too_few").inc()
            raise _nobody(attempts, errors)
        group, differences = agreeing(answers, need, self._tolerance)
        if not group:
            metrics.QUORUM.labels("disagreed").inc()
            told = "; ".join(f"{each.one} and {each.other} on {each.what}" for each in differences)
            raise Disagreement(f"no {need} providers agree: {told}")
        metrics.QUORUM.labels("agreed").inc()
        # Whoever answered and is not in the group has dissented: that is told as a failed attempt.
        for name, _ in answers:
            if name not in group:
                why = next(each.what for each in differences if name in (each.one, each.other))
                attempts.append(Attempt(provider=name, error="dissents", message=why))
        answer = dict(answers)[group[0]]
        source = answer.source.model_copy(update={"tried": tuple(attempts), "agreed": group})
        return answer.model_copy(update={"source": source})

    def _able(self, question: Question) -> list[Member]:
        able = [member for member in self.members if member.takes(question)]
        if not able:
            raise NotOffered(f"no configured provider takes {KINDS[type(question)]} of this kind")
        return able

    @asynccontextmanager
    async def _alone(self, question: Question) -> AsyncIterator[None]:
        """One caller at a time for equal questions: whoever waits finds the answer in the cache."""
        lock, waiting = self._asking.get(question, (asyncio.Lock(), 0))
        self._asking[question] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._asking[question]
            if waiting == 1:
                del self._asking[question]
            else:
                self._asking[question] = lock, waiting - 1


async def _one(member: Member, question: Question) -> Answer:
    return await member.cached(question) or await member.fetch(question)


def _note(member: Member, error: AlgoTrendyError, attempts: list[Attempt], errors: list[AlgoTrendyError]) -> None:
    attempts.append(Attempt(provider=member.name, error=type(error).__name__, message=str(error)[:200]))
    errors.append(error)


def _nobody(attempts: Sequence[Attempt], errors: Sequence[AlgoTrendyError]) -> AlgoTrendyError:
    """NotListed where all say that; one provider's own refusal where it was the only one; else NobodyAnswers."""
    if errors and (len(errors) == 1 or all(isinstance(error, NotListed) for error in errors)):
        return errors[-1]
    return NobodyAnswers(tuple(attempts))


def build_desk(
    settings: ProvidersSettings,
    clock: Clock,
    *,
    now: Callable[[], float] = monotonic_s,
    sleep: Sleep = asyncio.sleep,
) -> Desk:
    cache: Cache = MemoryCache(now=now)
    if settings.redis_url is not None:
        cache = RedisCache(settings.redis_url.get_secret_value(), MemoryCache(now=now))
    members = [
        Member(PROVIDERS[one.name](), one, settings, cache, clock, now=now, sleep=sleep) for one in settings.members
    ]
    return Desk(members, cache, settings.tolerance)
