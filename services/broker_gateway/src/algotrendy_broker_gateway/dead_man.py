"""``python -m algotrendy_broker_gateway.dead_man``: cancels for a gateway that has fallen silent.

A process of its own, on another machine where there is one, with the gateway's settings. Its keys need the right to
cancel alone. It tells people over the bus and in its log, and needs no bus to act.
Invariant: see ``accounts.watchman``.
"""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from algotrendy_common import telemetry
from algotrendy_common.app import App
from algotrendy_common.settings import load_or_exit

from algotrendy_broker_gateway.accounts.crier import Crier
from algotrendy_broker_gateway.accounts.opening import Opening
from algotrendy_broker_gateway.accounts.watchman import Watchman
from algotrendy_broker_gateway.ports import Venue
from algotrendy_broker_gateway.settings import AccountSettings, BrokerGatewaySettings
from algotrendy_broker_gateway.store.leases import LeaseStore


async def watch(settings: BrokerGatewaySettings) -> None:
    """Until cancelled."""
    # The app is not started: it only knows how the service reaches its database and the bus.
    app = App("broker_gateway", settings)
    database, crier = app.uses_database(size=2), Crier(app.bus)
    opening = Opening(settings, database)
    # Orders on paper rest in PostgreSQL, where nobody matches them while the gateway is away.
    venues = {one.account: _connected(opening, one) for one in settings.every_account if one.venue != "paper"}
    watchman = Watchman(LeaseStore(database), venues, settings.heartbeat_limit, crier)
    telling = asyncio.create_task(crier.tell_forever())
    await database.connect()
    telemetry.log("dead_man").info("watching", accounts=sorted(venues))
    try:
        await watchman.watch()
    finally:
        telling.cancel()
        await watchman.close()
        await crier.close()
        await database.close()


def _connected(opening: Opening, account: AccountSettings) -> Callable[[], Coroutine[Any, Any, Venue]]:
    async def connect() -> Venue:
        venue = await opening.venue(account)
        try:
            await venue.connect()
        except BaseException:
            await venue.close()
            raise
        return venue

    return connect


async def _run(settings: BrokerGatewaySettings) -> None:
    watching = asyncio.create_task(watch(settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, watching.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await watching


def main() -> None:
    settings = load_or_exit(BrokerGatewaySettings, "broker_gateway")
    telemetry.set_up("dead_man", settings.platform)
    try:
        asyncio.run(_run(settings))
    finally:
        telemetry.shut_down()


if __name__ == "__main__":
    main()
