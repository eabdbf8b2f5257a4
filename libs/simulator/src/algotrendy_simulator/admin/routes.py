"""All of ``/admin/``. It has no authentication: the simulator is for localhost."""

from aiohttp import web

from algotrendy_simulator.admin.acting import Acting
from algotrendy_simulator.admin.disturbing import Disturbing
from algotrendy_simulator.admin.observing import Observing
from algotrendy_simulator.faults import Faults
from algotrendy_simulator.simulation import Simulation
from algotrendy_simulator.timings import Timings
from algotrendy_simulator.venues.dialect import Dialect


def admin_routes(simulation: Simulation, dialect: Dialect, faults: Faults, timings: Timings) -> list[web.RouteDef]:
    return [
        *Observing(simulation, dialect, faults, timings).routes(),
        *Acting(simulation.exchange).routes(),
        *Disturbing(simulation, dialect, faults).routes(),
    ]
