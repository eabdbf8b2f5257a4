"""Answers about the past in Redis: asked again, they cost no query.

Invariant: an answer counts only as long as its group's generation is the one that it was made under, so what changes
history makes all answers over it old at once, in whatever process it happens. A Redis that is away costs the cache and
nothing else, and it is left alone for a while.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from algotrendy_common.clock import monotonic_s
from algotrendy_common.enums import Timeframe
from algotrendy_common.events.event import Record
from algotrendy_common.ids import new_id
from algotrendy_common.telemetry import log
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from algotrendy_ingest.metrics import HISTORY_CACHE

_TIMEOUT_S = 0.25
_LEFT_ALONE_S = 5.0
_SETTLING_S = 5.0
"""After a change: what was written may not be readable yet, so nothing is kept that was read then."""
_INTRADAY, _DAILY = timedelta(hours=1), timedelta(days=1)
_PREFIX = "ingest:history"


def lifetime(timeframe: Timeframe | None) -> timedelta:
    """How long an answer is kept: a day about days, else an hour."""
    return _DAILY if timeframe is not None and timeframe.seconds >= _DAILY.total_seconds() else _INTRADAY


def group_of(venue: str, symbol: str) -> str:
    return f"{venue}:{symbol}"


class AnswerCache:
    def __init__(self, redis_url: str | None) -> None:
        """Without a Redis every question is asked anew."""
        self._redis = (
            Redis.from_url(redis_url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S, max_connections=16)
            if redis_url
            else None
        )
        self._away_until_s = 0.0
        self._settled_s: dict[str, float] = {}
        self._log = log("history cache")

    async def close(self) -> None:
        if self._redis is not None:
            await self._redis.aclose()

    async def answer[Res: Record](
        self,
        what: str,
        group: str,
        question: str,
        keep: timedelta,
        response: type[Res],
        ask: Callable[[], Awaitable[Res]],
    ) -> Res:
        """What is kept for the question, or else what ``ask`` says, kept from now on."""
        redis = self._redis if monotonic_s() >= self._away_until_s else None
        if redis is None:
            HISTORY_CACHE.labels(what, "away").inc()
            return await ask()
        key = f"{_PREFIX}:{what}:{group}:{question}"
        try:
            found = await redis.mget(self._generation(group), key)
        except RedisError as error:
            self._leave_alone(error)
            HISTORY_CACHE.labels(what, "away").inc()
            return await ask()
        generation, kept = (part if isinstance(part, bytes) else b"" for part in found)
        made_under, _, body = kept.partition(b"\n")
        if body and made_under == generation:
            try:
                answer = response.model_validate_json(body)
            except ValidationError:  # another version's
                self._log.info("kept answer unreadable", what=what)
            else:
                HISTORY_CACHE.labels(what, "hit").inc()
                return answer
        HISTORY_CACHE.labels(what, "miss").inc()
        answer = await ask()
        if monotonic_s() >= self._settled_s.get(group, 0.0):
            try:
                await redis.set(key, generation + b"\n" + answer.model_dump_json().encode(), ex=keep)
            except RedisError as error:
                self._leave_alone(error)
        return answer

    async def changed(self, group: str) -> None:
        """Rows of the past were written: nothing that was kept about the group counts any more."""
        self._settled_s[group] = monotonic_s() + _SETTLING_S
        if self._redis is None:
            return
        try:
            # Older than any answer could get, so that none outlives it.
            await self._redis.set(self._generation(group), new_id(), ex=_DAILY + _INTRADAY)
        except RedisError as error:
            self._leave_alone(error)

    @staticmethod
    def _generation(group: str) -> str:
        return f"{_PREFIX}:generation:{group}"

    def _leave_alone(self, error: RedisError) -> None:
        self._away_until_s = monotonic_s() + _LEFT_ALONE_S
        self._log.warning("Redis does not answer", error=repr(error))
