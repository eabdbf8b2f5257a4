"""Working entries gone, straight at the venue: no store, no bus, no cache.

Invariant: it asks the venue alone what works there and leaves guards (``cancel_policy``); asking twice is harmless.
"""

import asyncio
from collections.abc import Collection

from algotrendy_common.telemetry import log

from algotrendy_broker_gateway.domain.cancel_policy import guards
from algotrendy_broker_gateway.domain.venue_report import VenueReport
from algotrendy_broker_gateway.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.ports import Venue

_AT_ONCE = 20
_ONE_CALL_FROM = 3
"""Orders from which on one call for all is used, where the venue has it and there is no guard to spare."""


async def sweep(venue: Venue, only: Collection[str] | None = None) -> tuple[int, int]:
    """Cancellations asked for, and of them those that the venue has not confirmed. Raises as ``open_orders``.

    ``only`` names client ids: of all others nothing is touched.
    """
    working = await venue.open_orders()
    if only is not None:
        # The second order of a venue's pair has its first one's id with a letter behind it; ours are hexadecimal.
        working = tuple(one for one in working if one.order.client_id.removesuffix("s") in only)
    entries = [one for one in working if not guards(one.order, venue.instrument(one.order.symbol).kind)]
    if only is None and venue.capabilities.cancel_all and len(entries) == len(working) >= _ONE_CALL_FROM:
        try:
            await venue.cancel_all()
        except (OutcomeUnknown, VenueRefused, VenueUnreachable) as error:
            log("sweep").warning("cancelling all at once did not work", venue=venue.name, error=str(error))
        else:
            return len(entries), 0
    return await _cancel_each(venue, entries)


async def _cancel_each(venue: Venue, entries: list[VenueReport]) -> tuple[int, int]:
    turns = asyncio.Semaphore(_AT_ONCE)
    done = await asyncio.gather(*(_cancel(venue, one, turns) for one in entries))
    return len(entries), done.count(False)


async def _cancel(venue: Venue, found: VenueReport, turns: asyncio.Semaphore) -> bool:
    async with turns:
        try:
            await venue.cancel(found.order.symbol, found.order.client_id, found.order.venue_order_id)
        except (OutcomeUnknown, VenueRefused, VenueUnreachable) as error:
            log("sweep").warning("not cancelled", venue=venue.name, order=found.order.venue_order_id, error=str(error))
            return False
    return True
