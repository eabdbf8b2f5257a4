"""How often somebody may try: logins by account and by address, requests by user.

Invariant: without Redis the counting goes on in this process; it is never switched off. Failed logins are counted in
both, so that Redis going away gives nobody a fresh start.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from algotrendy_common.clock import monotonic_s, wall_ns
from algotrendy_common.telemetry import log
from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError
from prometheus_client import Counter

from algotrendy_gateway.errors import TooMany

THROTTLED = Counter("algotrendy_gateway_throttled_total", "Requests refused for their number", ["what"])
_PAUSE_S = 1.0
"""After Redis failed it is left alone for this long, so that it costs no request its time."""

# One address at one account is slowed first; an attacker with many addresses meets the second line, which is wide
# enough that locking the owner out takes a steady effort; one address at many accounts meets the third.
_PAIR = parse("5/1 minute")
_ACCOUNT = parse("50/15 minute")
_ADDRESS = parse("60/15 minute")


class Throttle:
    def __init__(self, redis_url: str, requests: str, orders: str) -> None:
        self._requests, self._orders = parse(requests), parse(orders)
        storage = RedisStorage(
            f"async+{redis_url}",
            wrap_exceptions=True,
            implementation="redispy",
            key_prefix="gateway:limits",
            socket_timeout=0.5,
            socket_connect_timeout=0.5,
        )
        self._shared = MovingWindowRateLimiter(storage)
        self._own = MovingWindowRateLimiter(MemoryStorage())
        self._paused_until = 0.0
        self._log = log("throttle")

    async def request(self, username: str) -> None:
        """Count a request; raises ``TooMany``."""
        await self._count("request", self._requests, username)

    async def order(self, username: str) -> None:
        """Count an order; raises ``TooMany``."""
        await self._count("order", self._orders, username)

    async def before_login(self, username: str, address: str) -> None:
        """Raises ``TooMany`` where too many attempts failed; known and unknown names are treated alike."""
        for item, key in _login_lines(username, address):
            here = await self._own.test(item, *key)
            if not (here and await self._try(partial(_has_room, item, key))):
                raise await self._too_many("login", item, key)

    async def login_failed(self, username: str, address: str) -> None:
        for item, key in _login_lines(username, address):
            await self._own.hit(item, *key)
            if not self._paused:
                await self._try(partial(_hit, item, key))

    async def login_succeeded(self, username: str, address: str) -> None:
        item, key = _login_lines(username, address)[0]
        await self._own.clear(item, *key)
        await self._try(lambda limiter: limiter.clear(item, *key))

    async def _count(self, what: str, item: RateLimitItem, username: str) -> None:
        key = (what, username)
        if not await self._try(partial(_hit, item, key)):
            raise await self._too_many(what, item, key)

    async def _too_many(self, what: str, item: RateLimitItem, key: tuple[str, ...]) -> TooMany:
        THROTTLED.labels(what).inc()
        window = await self._try(lambda limiter: limiter.get_window_stats(item, *key))
        # The window's end is on the wall clock; no wait is longer than the whole window.
        return TooMany(max(1, min(item.get_expiry(), round(window.reset_time - wall_ns() / 1e9))))

    @property
    def _paused(self) -> bool:
        return monotonic_s() < self._paused_until

    async def _try[T](self, work: Callable[[MovingWindowRateLimiter], Awaitable[T]]) -> T:
        if not self._paused:
            try:
                return await work(self._shared)
            except StorageError as error:
                self._paused_until = monotonic_s() + _PAUSE_S
                self._log.warning("Redis is away, counting here alone", error=repr(error))
        return await work(self._own)


def _login_lines(username: str, address: str) -> tuple[tuple[RateLimitItem, tuple[str, ...]], ...]:
    return (
        (_PAIR, ("login-pair", username, address)),
        (_ACCOUNT, ("login-account", username)),
        (_ADDRESS, ("login-address", address)),
    )


async def _hit(item: RateLimitItem, key: tuple[str, ...], limiter: MovingWindowRateLimiter) -> bool:
    return await limiter.hit(item, *key)


async def _has_room(item: RateLimitItem, key: tuple[str, ...], limiter: MovingWindowRateLimiter) -> bool:
    return await limiter.test(item, *key)
