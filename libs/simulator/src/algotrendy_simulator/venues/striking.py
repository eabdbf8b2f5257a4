"""Faults laid around a route: the same for every venue but for the words it refuses in.

Invariant: a call that a fault says was processed is processed exactly once; one it says was not, not at all.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from algotrendy_simulator.faults import Fault, FaultKind
from algotrendy_simulator.timings import Stamp
from algotrendy_simulator.venues.dialect import Answers

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ARRIVED = web.RequestKey("arrived", Stamp)
"""When a request that waits came in."""
_log = logging.getLogger(__name__)


async def strike(fault: Fault, run: Handler, request: web.Request, answers: Answers) -> web.StreamResponse:
    """The route's answer as the fault has it."""
    _log.info("fault %s strikes %s %s", fault.kind, request.method, request.path)
    match fault.kind:
        case FaultKind.DELAY:
            # What has arrived is processed even where the caller has gone meanwhile.
            await request.read()
            request[ARRIVED] = Stamp.now()
            await asyncio.sleep(fault.delay_ms / 1000)
            return await run(request)
        case FaultKind.LOST_BEFORE:
            await request.read()
        case FaultKind.LOST_AFTER:
            await run(request)
        case FaultKind.ERROR_AFTER:
            await run(request)
            return answers.refusal(fault.kind)
        case _:
            await request.read()
            return answers.refusal(fault.kind)
    assert request.transport is not None
    request.transport.abort()
    return web.Response()
