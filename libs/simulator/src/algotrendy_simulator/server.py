"""The simulated venue as a server: one port for REST, websockets and the admin API.

Invariant: when it says it is ready it answers, and when it stops its journal is whole.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from algotrendy_simulator.admin.routes import admin_routes
from algotrendy_simulator.faults import Faults
from algotrendy_simulator.settings import SimulatorSettings
from algotrendy_simulator.simulation import Simulation, build_simulation
from algotrendy_simulator.timings import Timings
from algotrendy_simulator.venues.binance.sockets import SPOILING
from algotrendy_simulator.venues.registry import speak

TIMEKEEPING_S = 0.05
"""How often it is asked whose time has come."""


@dataclass(frozen=True, slots=True)
class Running:
    simulation: Simulation
    host: str
    port: int
    work: list[asyncio.Task[None]]
    """What runs for ever; a task that ends has failed."""

    @property
    def http(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://{self.host}:{self.port}"


@asynccontextmanager
async def serving(settings: SimulatorSettings) -> AsyncIterator[Running]:
    """Serve while the context is open."""
    simulation = build_simulation(settings)
    faults, timings = Faults(), Timings()
    dialect = speak(settings.venue, simulation, faults, timings)
    application = web.Application()
    application[SPOILING] = faults.spoiling
    application.add_routes([*dialect.routes(), *admin_routes(simulation, dialect, faults, timings)])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, settings.host, settings.port)
    await site.start()
    port = runner.addresses[0][1]
    work = (simulation.replay.run(), dialect.run(), _keep_time(simulation))
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield Running(simulation, settings.host, port, tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await dialect.close()
        await runner.cleanup()
        simulation.journal.close()


async def _keep_time(simulation: Simulation) -> None:
    while True:
        await asyncio.sleep(TIMEKEEPING_S)
        simulation.exchange.keep_time()
