"""Cancels for a gateway that has fallen silent, for venues that do not do so themselves and where exits must stay.

Invariant: it only ever cancels entries; it never places anything, and acts on an account only while nobody has been
heard for the whole limit, by its own clock too, so that a store that is away counts as silence.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any

from algotrendy_common.clock import monotonic_s
from algotrendy_common.telemetry import log

from algotrendy_broker_gateway.accounts.sweep import sweep
from algotrendy_broker_gateway.desk.persistence import STORE_AWAY
from algotrendy_broker_gateway.errors import VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.ports import Venue
from algotrendy_broker_gateway.store.leases import Heartbeat, LeaseStore

_LOOK_S = 0.5


class Watchman:
    def __init__(
        self,
        leases: LeaseStore,
        venues: Mapping[str, Callable[[], Coroutine[Any, Any, Venue]]],
        limit: timedelta,
    ) -> None:
        """``venues`` open an account's venue, connected; they are asked only when there is something to cancel."""
        self._leases = leases
        self._venues = venues
        self._limit_s = limit.total_seconds()
        self._open: dict[str, Venue] = {}
        self._heard_s: dict[str, float] = {}
        self._released: dict[str, bool] = {}
        self._log = log("watchman")

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> list[str]:
        """One round; returns the accounts whose gateway is silent."""
        now_s = monotonic_s()
        try:
            beats: Mapping[str, Heartbeat] = await asyncio.wait_for(self._leases.heartbeats(list(self._venues)), 2.0)
        except STORE_AWAY as error:
            self._log.warning("heartbeats cannot be read", error=repr(error))
            beats = {}
        for account, beat in beats.items():
            self._released[account] = beat.released
            heard_s = now_s - beat.silent_s
            self._heard_s[account] = max(self._heard_s.get(account, heard_s), heard_s)
        silent = [
            account
            for account, heard_s in self._heard_s.items()
            if now_s - heard_s > self._limit_s and not self._released[account]
        ]
        await asyncio.gather(*(self._act(account, now_s - self._heard_s[account]) for account in silent))
        for account in set(self._open) - set(silent):
            await self._open.pop(account).close()
        return silent

    async def _act(self, account: str, silent_s: float) -> None:
        try:
            if account not in self._open:
                self._log.critical("the gateway is silent: its entries are cancelled", account=account, for_s=silent_s)
                self._open[account] = await self._venues[account]()
            asked, refused = await sweep(self._open[account])
        except (VenueUnreachable, VenueRefused) as error:
            self._log.error("nothing cancelled yet", account=account, error=str(error))
        else:
            if asked:
                self._log.critical("entries cancelled", account=account, asked=asked, not_confirmed=refused)

    async def close(self) -> None:
        for venue in self._open.values():
            await venue.close()
