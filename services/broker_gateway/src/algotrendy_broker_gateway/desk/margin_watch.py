"""What the venue says of the margin behind positions, asked soon after one has changed and not only on a timer.

Invariant: it tells of leverage, mode and the price of liquidation alone; quantities follow from fills. Many changes
make one question.
"""

import asyncio
from collections.abc import Awaitable, Callable

from algotrendy_common.telemetry import log

from algotrendy_broker_gateway.desk.books import Taken
from algotrendy_broker_gateway.desk.persistence import STORE_AWAY
from algotrendy_broker_gateway.domain.margin import borrows
from algotrendy_broker_gateway.errors import VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.ports import Venue, VenuePosition

_GATHER_S = 0.3


class MarginWatch:
    """One account's."""

    def __init__(self, venue: Venue, heard: Callable[[tuple[VenuePosition, ...]], Awaitable[None]]) -> None:
        self._venue = venue
        self._heard = heard
        self._moved = asyncio.Event()
        self._log = log("margin")

    def changed(self, taken: Taken) -> None:
        if taken.position and borrows(taken.order.terms):
            self._moved.set()

    async def forever(self) -> None:
        while True:
            await self._moved.wait()
            await asyncio.sleep(_GATHER_S)
            self._moved.clear()
            try:
                await self._heard(await self._venue.positions())
            except (VenueUnreachable, VenueRefused, *STORE_AWAY) as error:
                # The next comparison asks again.
                self._log.info("margins not told", error=repr(error))
