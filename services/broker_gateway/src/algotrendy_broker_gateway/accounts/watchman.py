"""Cancels for a gateway that has fallen silent, for venues that do not do so themselves and where exits must stay.

Invariant: it only ever cancels entries; it never places anything, and acts on an account only while nobody has been
heard for the whole limit, by its own clock too, so that a store that is away counts as silence. What it does and what
it cannot do is told to people once an episode, and again where it changes.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, Protocol

from algotrendy_common.clock import monotonic_s
from algotrendy_common.enums import Severity
from algotrendy_common.telemetry import log

from algotrendy_broker_gateway.accounts.sweep import sweep
from algotrendy_broker_gateway.desk.persistence import STORE_AWAY
from algotrendy_broker_gateway.errors import VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.ports import Venue
from algotrendy_broker_gateway.store.leases import Heartbeat, LeaseStore

_LOOK_S = 0.5
_STORE = ""
"""No account has this name."""


class Alarm(Protocol):
    def alert(self, severity: Severity, code: str, message: str, **context: object) -> None:
        """Tell people, without waiting."""
        ...


class Watchman:
    def __init__(
        self,
        leases: LeaseStore,
        venues: Mapping[str, Callable[[], Coroutine[Any, Any, Venue]]],
        limit: timedelta,
        alarm: Alarm,
    ) -> None:
        """``venues`` open an account's venue, connected; they are asked only when there is something to cancel."""
        self._alarm = alarm
        self._leases = leases
        self._venues = venues
        self._limit_s = limit.total_seconds()
        self._open: dict[str, Venue] = {}
        self._heard_s: dict[str, float] = {}
        self._released: dict[str, bool] = {}
        self._told: dict[str, str] = {}
        """By account, or of the store: what people were told last in this episode."""
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
            message = "the gateways' heartbeats cannot be read, which counts as silence"
            self._tell(_STORE, Severity.WARNING, "dead_man_blind", message)
            beats = {}
        else:
            self._told.pop(_STORE, None)
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
        for account in set(self._told) - {*silent, _STORE}:
            del self._told[account]
            self._alarm.alert(Severity.INFO, "gateway_heard_again", "the gateway is heard again", account=account)
        for account in set(self._open) - set(silent):
            await self._open.pop(account).close()
        return silent

    async def _act(self, account: str, silent_s: float) -> None:
        try:
            if account not in self._told:
                message = f"the gateway is silent for {silent_s:.0f} s: its entries are cancelled"
                self._tell(account, Severity.CRITICAL, "gateway_silent", message)
            if account not in self._open:
                self._open[account] = await self._venues[account]()
            asked, refused = await sweep(self._open[account])
        except (VenueUnreachable, VenueRefused) as error:
            message = f"entries of a silent gateway cannot be cancelled: {error}"
            self._tell(account, Severity.CRITICAL, "dead_man_cannot_act", message)
        else:
            if asked:
                message = f"{asked} cancelled for a silent gateway, {refused} of them not confirmed"
                self._tell(account, Severity.CRITICAL, "dead_man_acted", message)

    def _tell(self, key: str, severity: Severity, code: str, message: str) -> None:
        """Twice a second would be no news: once, until something else is to be said."""
        if self._told.get(key) != message:
            self._told[key] = message
            self._alarm.alert(severity, code, message, **({} if key == _STORE else {"account": key}))

    async def close(self) -> None:
        for venue in self._open.values():
            await venue.close()
