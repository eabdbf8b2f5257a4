"""Redis in front of the sessions of PostgreSQL: sessions seen alive within the last second, and sessions that ended.

Invariant: an ended session is never overwritten by one seen alive, and what Redis does not say is asked of PostgreSQL;
so losing Redis, or all it holds, lets nobody in.
"""

import json
from dataclasses import asdict

from algotrendy_common.clock import monotonic_s
from algotrendy_common.telemetry import log
from redis.asyncio import Redis
from redis.exceptions import RedisError

from algotrendy_gateway.domain.roles import Role
from algotrendy_gateway.store.sessions import SessionOwner

_ALIVE_S = 1
"""The longest that a session which ended while Redis was away can still be seen alive."""
_ENDED_S = 900
"""Longer than any access token lives."""
_PAUSE_S = 1.0
_ENDED = "ended"


class Ended:
    """The cache knows that the session has ended."""


class SessionCache:
    def __init__(self, redis_url: str) -> None:
        self._redis = Redis.from_url(
            redis_url, socket_timeout=0.25, socket_connect_timeout=0.25, decode_responses=True, max_connections=64
        )
        self._paused_until = 0.0
        self._log = log("session-cache")

    async def find(self, session_id: str) -> SessionOwner | type[Ended] | None:
        """None: not known here."""
        if self._paused:
            return None
        try:
            text = await self._redis.get(_key(session_id))
        except (RedisError, OSError) as error:
            self._pause(error)
            return None
        if text is None:
            return None
        if text == _ENDED:
            return Ended
        fields = json.loads(text)
        return SessionOwner(**(fields | {"role": Role(fields["role"])}))

    async def alive(self, owner: SessionOwner) -> None:
        if self._paused:
            return
        try:
            # Only where nothing is known: a session that ended meanwhile must stay ended.
            await self._redis.set(_key(owner.session_id), json.dumps(asdict(owner)), ex=_ALIVE_S, nx=True)
        except (RedisError, OSError) as error:
            self._pause(error)

    async def ended(self, session_id: str) -> None:
        try:
            await self._redis.set(_key(session_id), _ENDED, ex=_ENDED_S)
        except (RedisError, OSError) as error:
            self._pause(error)

    async def close(self) -> None:
        await self._redis.aclose()

    @property
    def _paused(self) -> bool:
        return monotonic_s() < self._paused_until

    def _pause(self, error: Exception) -> None:
        self._paused_until = monotonic_s() + _PAUSE_S
        self._log.warning("Redis is away, asking PostgreSQL", error=repr(error))


def _key(session_id: str) -> str:
    return f"gateway:session:{session_id}"
