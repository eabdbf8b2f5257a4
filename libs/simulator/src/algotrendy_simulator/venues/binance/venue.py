"""The simulated Binance put together: its routes, and what runs beside them.

Invariant: whatever it answers or streams comes from the one simulation it is given.
"""

from aiohttp import web

from algotrendy_simulator.faults import FaultKind, Faults
from algotrendy_simulator.simulation import Simulation
from algotrendy_simulator.timings import Timings
from algotrendy_simulator.venues.binance.amendments import Amendments
from algotrendy_simulator.venues.binance.limits import Limits
from algotrendy_simulator.venues.binance.order_lists import OrderLists
from algotrendy_simulator.venues.binance.public_operations import PublicOperations
from algotrendy_simulator.venues.binance.rest import Rest
from algotrendy_simulator.venues.binance.signed_operations import SignedOperations
from algotrendy_simulator.venues.binance.streams import Streams
from algotrendy_simulator.venues.binance.user_socket import UserSockets
from algotrendy_simulator.venues.striking import Handler


class Binance:
    def __init__(self, simulation: Simulation, faults: Faults, timings: Timings) -> None:
        settings, exchange, clock = simulation.settings, simulation.exchange, simulation.clock
        venue_time_ms = simulation.replay.order_time_ms
        limits = Limits(settings.weight_per_minute, settings.orders_per_10s, clock)
        public = PublicOperations(exchange, limits, clock, venue_time_ms)
        signed = SignedOperations(exchange, limits, clock)
        lists = OrderLists(exchange, limits)
        amendments = Amendments(exchange, signed)
        self._faults = faults
        self._rest = Rest(exchange, public, signed, lists, amendments, limits, faults, timings, clock)
        self.streams = Streams(exchange, venue_time_ms, timings)
        self.users = UserSockets(exchange, public, signed, lists, amendments, clock, timings)

    def routes(self) -> list[web.RouteDef]:
        return [
            *self._rest.routes(),
            web.get("/ws", self._while_open(self.streams.serve)),
            web.get("/ws/{streams:.*}", self._while_open(self.streams.serve)),
            web.get("/stream", self._while_open(self.streams.serve)),
            web.get("/ws-api/v3", self._while_open(self.users.serve)),
        ]

    def _while_open(self, serve: Handler) -> Handler:
        """No socket is opened to a venue that is closed or to a caller that is banned."""

        async def serve_or_refuse(request: web.Request) -> web.StreamResponse:
            if self._faults.banned_for_s:
                return self._rest.refusal(FaultKind.BAN)
            if self._faults.maintenance:
                return self._rest.refusal(FaultKind.MAINTENANCE)
            return await serve(request)

        return serve_or_refuse

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
