"""Accounts put to work once their lease is held, and ended again.

Invariant: nothing of an account exists before its lease: no keys in memory, no adapter, no desk.
"""

from algotrendy_common.app import App
from algotrendy_common.database import Database

from algotrendy_broker_gateway.accounts.heartbeat import Heartbeat
from algotrendy_broker_gateway.accounts.lease import Lease
from algotrendy_broker_gateway.accounts.opening import Opening
from algotrendy_broker_gateway.accounts.running import RunningAccount
from algotrendy_broker_gateway.desk.desk import Desk
from algotrendy_broker_gateway.settings import AccountSettings, BrokerGatewaySettings
from algotrendy_broker_gateway.store.orders import OrderStore


class Starting:
    """``accounts`` is filled by it."""

    def __init__(
        self,
        settings: BrokerGatewaySettings,
        app: App,
        database: Database,
        lease: Lease,
        accounts: dict[str, RunningAccount],
    ) -> None:
        self._settings = settings
        self._app = app
        self._database = database
        self._lease = lease
        self._accounts = accounts
        self._opening = Opening(settings, database)
        self._heartbeats: list[Heartbeat] = []
        for account in settings.every_account:
            app.health.add(f"account {account.account}", lambda name=account.account: self._problem(name))  # type: ignore[misc]

    async def open(self) -> None:
        for account in self._settings.every_account:
            running = await self._running(account)
            self._accounts[account.account] = running
            await running.desk.prepare()
            orders = OrderStore(
                self._database, account.account, running.venue.name, self._lease.fences[account.account]
            )
            heartbeat = Heartbeat(
                running, orders, self._lease, self._settings.heartbeat_limit, self._settings.disarm_at_stop
            )
            self._heartbeats.append(heartbeat)
            self._app.runs(f"desk {account.account}", running.desk.live)
            self._app.runs(f"heartbeat {account.account}", heartbeat.beat)

    async def _running(self, account: AccountSettings) -> RunningAccount:
        fence = self._lease.fences[account.account]
        if account.venue == "paper":
            paper = self._opening.paper(account, fence, self._app.bus, self._app.clock)
            desk = Desk(account, self._settings, self._app, self._database, paper, self._lease)
            return RunningAccount(account, desk, paper, paper)
        venue = await self._opening.venue(account, lambda: desk.gate.halting)
        desk = Desk(account, self._settings, self._app, self._database, venue, self._lease)
        return RunningAccount(account, desk, venue)

    async def _problem(self, account: str) -> str | None:
        running = self._accounts.get(account)
        return "not opened yet" if running is None else await running.desk.problem()

    async def end(self) -> None:
        for heartbeat in self._heartbeats:
            await heartbeat.end()
        for running in self._accounts.values():
            await running.desk.end()
