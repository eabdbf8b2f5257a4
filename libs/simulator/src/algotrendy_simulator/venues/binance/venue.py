"""The simulated Binance put together: its routes, and what runs beside them.

Invariant: whatever it answers or streams comes from the one simulation it is given.
"""

from aiohttp import web

from algotrendy_simulator.faults import Faults
from algotrendy_simulator.simulation import Simulation
from algotrendy_simulator.timings import Timings
from algotrendy_simulator.venues.binance.limits import Limits
from algotrendy_simulator.venues.binance.public_operations import PublicOperations
from algotrendy_simulator.venues.binance.rest import Rest
from algotrendy_simulator.venues.binance.signed_operations import SignedOperations
from algotrendy_simulator.venues.binance.streams import Streams
from algotrendy_simulator.venues.binance.user_socket import UserSockets


class Binance:
    def __init__(self, simulation: Simulation, faults: Faults, timings: Timings) -> None:
        settings, exchange, clock = simulation.settings, simulation.exchange, simulation.clock
        venue_time_ms = simulation.replay.order_time_ms
        limits = Limits(settings.weight_per_minute, settings.orders_per_10s)
        public = PublicOperations(exchange, limits, clock, venue_time_ms)
        signed = SignedOperations(exchange, limits, clock)
        self._rest = Rest(exchange, public, signed, limits, faults, timings, clock)
        self.streams = Streams(exchange, venue_time_ms, timings)
        self.users = UserSockets(exchange, public, signed, clock, timings)

    def routes(self) -> list[web.RouteDef]:
        return [
            *self._rest.routes(),
            web.get("/ws", self.streams.serve),
            web.get("/ws/{streams:.*}", self.streams.serve),
            web.get("/stream", self.streams.serve),
            web.get("/ws-api/v3", self.users.serve),
        ]

    async def run(self) -> None:
        await self.streams.run()

    def drop_sockets(self, kind: str) -> dict[str, int]:
        return {
            "market": self.streams.drop() if kind in ("market", "all") else 0,
            "user": self.users.drop() if kind in ("user", "all") else 0,
        }

    def mute(self, muted: bool) -> None:
        self.streams.muted = muted

    def lose_depth(self, symbol: str) -> None:
        self.streams.lose_depth(symbol)

    def status(self) -> dict[str, object]:
        return {
            "sockets": {"market": self.streams.socket_count, "user": self.users.socket_count},
            "streams": self.streams.names,
            "user_subscriptions": self.users.subscription_count,
        }

    async def close(self) -> None:
        await self.streams.close()
        await self.users.close()
