"""The wire formats there are, imported when one is asked for."""

import importlib

from algotrendy_common.errors import Refused

from algotrendy_simulator.faults import Faults
from algotrendy_simulator.simulation import Simulation
from algotrendy_simulator.timings import Timings
from algotrendy_simulator.venues.dialect import Dialect

DIALECTS: dict[str, str] = {
    "binance": "algotrendy_simulator.venues.binance.venue:Binance",
    "bybit": "algotrendy_simulator.venues.bybit.venue:Bybit",
    "coinbase": "algotrendy_simulator.venues.coinbase.venue:Coinbase",
    "cryptocom": "algotrendy_simulator.venues.cryptocom.venue:Cryptocom",
    "kraken": "algotrendy_simulator.venues.kraken.venue:Kraken",
    "okx": "algotrendy_simulator.venues.okx.venue:Okx",
}


def speak(venue: str, simulation: Simulation, faults: Faults, timings: Timings) -> Dialect:
    """Raises Refused for a venue whose wire format is not simulated."""
    if venue not in DIALECTS:
        raise Refused("venue_unknown", f"{venue} is not simulated", known=", ".join(sorted(DIALECTS)))
    module, _, attribute = DIALECTS[venue].partition(":")
    dialect: Dialect = getattr(importlib.import_module(module), attribute)(simulation, faults, timings)
    return dialect
