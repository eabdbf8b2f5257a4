"""The simulated Crypto.com put together: its routes, and what runs beside them.

Invariant: whatever it answers or streams comes from the one simulation it is given.
"""

from aiohttp import web

from algotrendy_simulator.faults import Faults
from algotrendy_simulator.simulation import Simulation
from algotrendy_simulator.timings import Timings
from algotrendy_simulator.venues.cryptocom.limits import Limits
from algotrendy_simulator.venues.cryptocom.public_operations import Instruments, PublicOperations
from algotrendy_simulator.venues.cryptocom.rest import Rest
from algotrendy_simulator.venues.cryptocom.signed_operations import SignedOperations
from algotrendy_simulator.venues.cryptocom.streams import Streams


class Cryptocom:
    def __init__(self, simulation: Simulation, faults: Faults, timings: Timings) -> None:
        settings, exchange, clock = simulation.settings, simulation.exchange, simulation.clock
        venue_time_ms = simulation.replay.order_time_ms
        instruments = Instruments(exchange)
        # The settings count by the minute and by ten seconds; their defaults are Crypto.com's 100 public calls a
        # second and 15 orders in 100 ms.
        limits = Limits(max(1, settings.orders_per_10s * 15 // 100), max(1, settings.weight_per_minute // 60))
        public = PublicOperations(instruments, venue_time_ms)
        signed = SignedOperations(exchange, instruments, clock)
        self._rest = Rest(exchange, public, signed, limits, faults, timings, clock)
        self._streams = Streams(exchange, instruments, clock, venue_time_ms, timings)

    def routes(self) -> list[web.RouteDef]:
        return [
            *self._rest.routes(),
            web.get("/exchange/v1/market", self._streams.serve),
            web.get("/exchange/v1/user", self._streams.serve),
        ]

    async def run(self) -> None:
        await self._streams.run()

    async def close(self) -> None:
        await self._streams.close()

    def drop_sockets(self, kind: str) -> dict[str, int]:
        return {
            name: self._streams.drop(user=name == "user") if kind in (name, "all") else 0 for name in ("market", "user")
        }

    def mute(self, muted: bool) -> None:
        self._streams.muted = muted

    def lose_depth(self, symbol: str) -> None:
        self._streams.lose_depth(symbol)

    def status(self) -> dict[str, object]:
        return {
            "sockets": {name: len(self._streams.sockets(user=name == "user")) for name in ("market", "user")},
            "streams": self._streams.names(user=False),
            "user_subscriptions": sum(len(client.channels) for client in self._streams.sockets(user=True)),
        }
