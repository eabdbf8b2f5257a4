"""A private subscription through ccxt that is known to stand before anybody relies on it.

Invariant: it returns only after the venue has confirmed; what happened before that has to be asked for.
"""

import asyncio
from typing import Any

from algotrendy_broker_gateway.adapters.answered import ccxt


async def until_confirmed(watching: "asyncio.Future[Any]", confirmed: asyncio.Event, timeout_s: float) -> None:
    """``watching`` is ccxt's own wait, which ends only with an error; that is raised where it comes first."""
    waiting = asyncio.ensure_future(confirmed.wait())
    await asyncio.wait((waiting, watching), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if confirmed.is_set():
        return
    if watching.done():
        await watching
    watching.cancel()
    raise ccxt.NetworkError("the private subscription was not confirmed")
