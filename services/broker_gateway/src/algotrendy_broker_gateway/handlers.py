"""What arrives from the bus, each to the desk of its account.

Invariant: a handler returns only when what it was told is committed; it never waits for a venue.
"""

from collections.abc import Mapping

from algotrendy_common.events.order import OrderApproved, OrderCancelRequested
from algotrendy_common.events.risk import RiskStateChanged

from algotrendy_broker_gateway.accounts.running import RunningAccount
from algotrendy_broker_gateway.desk.desk import Desk


class Handlers:
    def __init__(self, accounts: Mapping[str, RunningAccount]) -> None:
        self._accounts = accounts

    async def submit(self, approved: OrderApproved) -> None:
        await self._desk_of(approved.terms.account).submission.approved(approved)

    async def cancel(self, event: OrderCancelRequested) -> None:
        await self._desk_of(event.account).cancellation.requested(event)

    async def on_risk_state(self, state: RiskStateChanged) -> None:
        if state.account in self._accounts:
            await self._accounts[state.account].desk.risk_said(state)

    def _desk_of(self, account: str) -> Desk:
        """Any desk for an account that is not ours: it refuses the order, on the record."""
        found = self._accounts.get(account) or next(iter(self._accounts.values()))
        return found.desk
