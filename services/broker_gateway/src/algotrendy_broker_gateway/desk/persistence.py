"""What a venue said must reach the store, however long the store is away.

Invariant: the work is repeated until it returns; only PostgreSQL being away is waited for, any other error is
the caller's.
"""

import asyncio
from collections.abc import Awaitable, Callable

from algotrendy_common.database import UNREACHABLE
from algotrendy_common.telemetry import log

STORE_AWAY = (*UNREACHABLE, TimeoutError)
_DELAYS_S = (0.05, 0.1, 0.25, 0.5, 1.0)


async def until_stored[T](work: Callable[[], Awaitable[T]]) -> T:
    """The result of ``work``, which must be one transaction that can be repeated."""
    attempt = 0
    while True:
        try:
            return await work()
        except STORE_AWAY as error:
            log("store").warning("PostgreSQL is away, trying again", error=repr(error), attempt=attempt)
        await asyncio.sleep(_DELAYS_S[min(attempt, len(_DELAYS_S) - 1)])
        attempt += 1
