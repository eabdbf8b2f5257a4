"""Which account to use while another's venue is away, and so whose prices.

An approval is bound to its account and venue, so an approved order is never carried elsewhere: it is cancelled here
before anything is sent, with the account that stands in; whoever proposed it may propose it there, where risk decides
anew. Invariant: a stand-in is offered only while it can trade itself, and has the mode of the account it stands in for.
"""

import asyncio
from collections.abc import Mapping

from algotrendy_common.bus import Bus
from algotrendy_common.clock import monotonic_s
from algotrendy_common.enums import Severity
from algotrendy_common.events.market import FeedHealthChanged
from algotrendy_common.telemetry import log

from algotrendy_broker_gateway.accounts.running import RunningAccount
from algotrendy_broker_gateway.desk.persistence import STORE_AWAY
from algotrendy_broker_gateway.domain.admission import Gate

_LOOK_S = 0.5


class Selection:
    def __init__(self, accounts: Mapping[str, RunningAccount], bus: Bus) -> None:
        self._accounts = accounts
        self._bus = bus
        self._log = log("selection")

    def stand_in(self, account: str) -> RunningAccount | None:
        """The first of the account's failover list that can trade; None while its own venue is there, or none can."""
        if self._why_down(account) is None:
            return None
        for name in self._accounts[account].settings.failover:
            other = self._accounts[name]
            if self._why_down(name) is None and other.desk.gate.state is Gate.OPEN:
                return other
        return None

    def priced_at(self, account: str) -> str:
        """The venue whose prices to decide by: the account's own, or its stand-in's."""
        return (self.stand_in(account) or self._accounts[account]).settings.market

    def _why_down(self, account: str) -> str | None:
        return self._accounts[account].liveness.down(monotonic_s())

    async def on_feed(self, health: FeedHealthChanged) -> None:
        for running in self._accounts.values():
            if running.settings.market == health.venue:
                running.liveness.feed(health.state, monotonic_s())

    async def watch(self) -> None:
        """Keep each account's gate as its venue is, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            for running in self._accounts.values():
                await self._look(running)

    async def _look(self, running: RunningAccount) -> None:
        gate, instead = running.desk.gate, self.stand_in(running.account)
        was, why = gate.venue_down, self._why_down(running.account)
        if instead is None:
            gate.venue_down = None
        else:
            gate.venue_down = f"{running.settings.venue} {why}; {instead.account} at {instead.settings.venue} stands in"
        if (was is None) == (gate.venue_down is None):
            return
        if gate.venue_down is not None:
            code, message = "venue_down", gate.venue_down
        elif why is None:
            code, message = "venue_back", f"{running.settings.venue} is back"
        else:
            code, message = "stand_in_lost", f"{running.settings.venue} {why}; nobody stands in any more"
        await self._bus.alert(Severity.WARNING, code, message, account=running.account)
        try:
            await running.desk.submission.release_waiting()
        except STORE_AWAY as error:
            self._log.warning("what waits was not looked at", account=running.account, error=repr(error))
