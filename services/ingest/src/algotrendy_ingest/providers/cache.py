"""Where answers and the day's counts are kept: Redis, and this process's memory where Redis does not answer.

Invariant: a cache never fails a question. What it does not have, or cannot read, is fetched.
"""

from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from algotrendy_common.clock import monotonic_s
from algotrendy_common.telemetry import log
from redis.asyncio import Redis
from redis.exceptions import RedisError

from algotrendy_ingest.providers.metrics import CACHE_AWAY

_PAUSE_S = 5.0
"""How long Redis is not asked after it failed."""


class Cache(Protocol):
    async def get(self, key: str) -> str | None: ...

    async def put(self, key: str, value: str, keep: timedelta) -> None: ...

    async def count(self, key: str, keep: timedelta) -> int:
        """One more under this key; how many there are now."""
        ...

    async def counted(self, key: str) -> int: ...

    async def close(self) -> None: ...


class MemoryCache:
    """At most ``size`` entries, the longest unused goes first."""

    def __init__(self, size: int = 10_000, now: Callable[[], float] = monotonic_s) -> None:
        self._size = size
        self._now = now
        self._kept: OrderedDict[str, tuple[str, float]] = OrderedDict()

    async def get(self, key: str) -> str | None:
        found = self._kept.get(key)
        if found is None:
            return None
        if found[1] <= self._now():
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return found[0]

    async def put(self, key: str, value: str, keep: timedelta) -> None:
        self._kept[key] = value, self._now() + keep.total_seconds()
        self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)

    async def count(self, key: str, keep: timedelta) -> int:
        now = await self.counted(key) + 1
        await self.put(key, str(now), keep)
        return now

    async def counted(self, key: str) -> int:
        return int(await self.get(key) or 0)

    async def close(self) -> None:
        self._kept.clear()


class RedisCache:
    """Redis, with a memory that is written as well and read while Redis is away."""

    def __init__(self, url: str, memory: MemoryCache | None = None) -> None:
        self._redis = Redis.from_url(
            url, socket_timeout=0.5, socket_connect_timeout=0.5, decode_responses=True, max_connections=32
        )
        self._memory = memory or MemoryCache()
        self._away_until = 0.0
        self._log = log("provider-cache")

    async def get(self, key: str) -> str | None:
        if not self._away:
            try:
                found = await self._redis.get(key)
            except (TimeoutError, RedisError, OSError) as error:
                self._failed(error)
            else:
                return None if found is None else str(found)
        return await self._memory.get(key)

    async def put(self, key: str, value: str, keep: timedelta) -> None:
        await self._memory.put(key, value, keep)
        if not self._away:
            try:
                await self._redis.set(key, value, px=max(1, int(keep.total_seconds() * 1000)))
            except (TimeoutError, RedisError, OSError) as error:
                self._failed(error)

    async def count(self, key: str, keep: timedelta) -> int:
        here = await self._memory.count(key, keep)
        if not self._away:
            try:
                async with self._redis.pipeline(transaction=True) as pipe:
                    pipe.incr(key)
                    pipe.pexpire(key, int(keep.total_seconds() * 1000))
                    everywhere, _ = await pipe.execute()
            except (TimeoutError, RedisError, OSError) as error:
                self._failed(error)
            else:
                # What was counted here while Redis was away is not forgotten when it comes back.
                return max(here, int(everywhere))
        return here

    async def counted(self, key: str) -> int:
        here = await self._memory.counted(key)
        found = await self.get(key)
        return max(here, int(found or 0))

    async def close(self) -> None:
        await self._redis.aclose()

    @property
    def _away(self) -> bool:
        return monotonic_s() < self._away_until

    def _failed(self, error: Exception) -> None:
        self._away_until = monotonic_s() + _PAUSE_S
        CACHE_AWAY.inc()
        self._log.warning("Redis is away, this process's memory has to do", error=repr(error))
