"""One active gateway an account: a lease with a fencing epoch.

Invariant: whoever may send holds the lease by PostgreSQL's clock, because it stops a margin earlier by its own; and
nothing is written to an account's books under an epoch that is not the newest. It is taken before it has run out only
where the system says that the holder's process, on this machine, has ended.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta

from algotrendy_common.clock import monotonic_s
from algotrendy_common.telemetry import log
from prometheus_client import Gauge

from algotrendy_broker_gateway.accounts.holder import is_dead
from algotrendy_broker_gateway.desk.persistence import STORE_AWAY
from algotrendy_broker_gateway.domain.fence import Fence
from algotrendy_broker_gateway.errors import LeaseLost
from algotrendy_broker_gateway.store.leases import LeaseStore

HELD = Gauge("algotrendy_lease_held", "1 where this gateway holds the account's lease", ["account"])
_MARGIN = 0.25
"""Of the lease: sending stops this much before it runs out."""
_RENEWALS = 4
"""In a lease's time."""
_TRY_AGAIN_S = 0.2


class Lease:
    """Of all the accounts of this gateway together: it runs all of them or none."""

    def __init__(self, store: LeaseStore, accounts: Sequence[str], holder: str, lease_time: timedelta) -> None:
        self._store = store
        self._holder = holder
        self._lease_time = lease_time
        self._sends_until_s = 0.0
        self._held = False
        self._renewing: asyncio.Task[None] | None = None
        self._detail = "the lease was not asked for yet"
        self._log = log("lease")
        self.fences = {account: Fence(account) for account in accounts}

    @property
    def active(self) -> bool:
        """True while nobody else can have the accounts: asked right before every call that lets an order out."""
        return self._held and monotonic_s() < self._sends_until_s

    async def take(self) -> None:
        """Stand by until the accounts are free, take them, and begin to renew."""
        while True:
            asked_s = monotonic_s()
            try:
                taken = await self._store.take(tuple(self.fences), self._holder, self._lease_time, is_dead)
            except STORE_AWAY as error:
                taken = f"PostgreSQL is away: {error!r}"
            if isinstance(taken, dict):
                break
            if taken != self._detail:
                self._log.info("standing by", detail=taken)
            self._detail = taken
            await asyncio.sleep(_TRY_AGAIN_S)
        for account, epoch in taken.items():
            self.fences[account].epoch = epoch
            HELD.labels(account).set(1)
        self._held = True
        self._extend(asked_s)
        self._log.info("accounts taken", epochs=taken)
        self._renewing = asyncio.create_task(self._renew())

    async def keep(self) -> None:
        """Until cancelled. Raises LeaseLost where somebody else took over: then this process has to end."""
        assert self._renewing is not None
        await asyncio.shield(self._renewing)

    async def _renew(self) -> None:
        pause_s = self._lease_time.total_seconds() / _RENEWALS
        while True:
            await asyncio.sleep(pause_s)
            asked_s = monotonic_s()
            try:
                renewed = await asyncio.wait_for(
                    self._store.renew(self._epochs, self._holder, self._lease_time), self._lease_time.total_seconds()
                )
            except STORE_AWAY as error:
                self._detail = f"the lease cannot be renewed: {error!r}"
                self._log.warning("lease not renewed", error=repr(error), active=self.active)
                continue
            if not renewed:
                self._lose()
                raise LeaseLost("another gateway has taken an account over", holder=self._holder)
            self._extend(asked_s)

    async def release(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait((self._renewing,))
        if not self._held:
            return
        self._lose()
        with contextlib.suppress(*STORE_AWAY):
            await self._store.release(self._epochs, self._holder)

    async def problem(self) -> str | None:
        return None if self.active else self._detail

    @property
    def _epochs(self) -> dict[str, int]:
        return {account: fence.epoch for account, fence in self.fences.items()}

    def _extend(self, asked_s: float) -> None:
        # PostgreSQL counts from when it was asked or later, so this ends first even without the margin.
        self._sends_until_s = asked_s + self._lease_time.total_seconds() * (1 - _MARGIN)
        self._detail = "the lease was not renewed in time"

    def _lose(self) -> None:
        self._held = False
        self._detail = "another gateway has the accounts"
        for account in self.fences:
            HELD.labels(account).set(0)
