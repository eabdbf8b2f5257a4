"""Waiting for something to become true, with a deadline instead of a sleep."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

from algotrendy_common.clock import monotonic_s


async def eventually[T](probe: Callable[[], T | Awaitable[T]], within_s: float = 60.0, every_s: float = 0.02) -> T:
    """The first truthy answer of ``probe``; raises TimeoutError with the last one where there is none in time."""
    deadline = monotonic_s() + within_s
    while True:
        found = probe()
        value = await found if inspect.isawaitable(found) else found
        if value:
            return value
        if monotonic_s() > deadline:
            raise TimeoutError(f"still {value!r} after {within_s} s")
        await asyncio.sleep(every_s)
