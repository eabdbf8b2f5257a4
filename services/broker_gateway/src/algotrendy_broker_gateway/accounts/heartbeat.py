"""The venue's own dead-man's switch, kept armed: it cancels everything when this gateway is not heard from.

Such a switch takes every working order with it, stops too. Invariant: it is armed only while the lease is held, entries
work at the venue and no exit does; where exits rest there, ``dead_man`` watches instead, which spares them.
"""

import asyncio
from datetime import timedelta

from algotrendy_common.telemetry import log

from algotrendy_broker_gateway.accounts.lease import Lease
from algotrendy_broker_gateway.accounts.running import RunningAccount
from algotrendy_broker_gateway.desk.persistence import STORE_AWAY
from algotrendy_broker_gateway.errors import OutcomeUnknown, VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.store.orders import OrderStore

_BEATS = 3
"""Within the limit."""


class Heartbeat:
    """One account's."""

    def __init__(
        self, running: RunningAccount, orders: OrderStore, lease: Lease, limit: timedelta, disarm_at_stop: bool
    ) -> None:
        self._running = running
        self._orders = orders
        self._lease = lease
        self._limit = limit
        self._disarm_at_stop = disarm_at_stop
        self._log = log("heartbeat")
        self.armed = False

    async def beat(self) -> None:
        """Until cancelled; at once where the venue has no such switch it sleeps for good."""
        while True:
            await asyncio.sleep(self._limit.total_seconds() / _BEATS if self.armed else 1.0)
            if not self._running.venue.capabilities.dead_man_switch:
                continue
            try:
                await self._turn(await self._wanted())
            except STORE_AWAY as error:
                self._log.warning("the switch is left as it is", account=self._running.account, error=repr(error))

    async def _wanted(self) -> bool:
        if not self._lease.active:
            return False
        working = [order for order in await self._orders.live() if order.working]
        return bool(working) and not any(order.protective for order in working)

    async def _turn(self, wanted: bool) -> None:
        if not wanted and not self.armed:
            return
        try:
            await self._running.venue.arm_dead_man_switch(self._limit if wanted else timedelta(0))
        except (OutcomeUnknown, VenueRefused, VenueUnreachable) as error:
            self._log.warning("dead-man's switch not set", account=self._running.account, error=str(error))
        else:
            if wanted != self.armed:
                self._log.info("dead-man's switch", account=self._running.account, armed=wanted)
            self.armed = wanted

    async def end(self) -> None:
        """At a clean stop."""
        if self.armed and self._disarm_at_stop:
            await self._turn(False)
