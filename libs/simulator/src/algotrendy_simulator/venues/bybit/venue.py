"""The simulated Bybit put together: its routes, and what runs beside them.

Invariant: whatever it answers or streams comes from the one simulation it is given.
"""

from aiohttp import web

from algotrendy_simulator.faults import Faults
from algotrendy_simulator.simulation import Simulation
from algotrendy_simulator.timings import Timings
from algotrendy_simulator.venues.bybit.limits import Limits
from algotrendy_simulator.venues.bybit.products import Products
from algotrendy_simulator.venues.bybit.public_operations import PublicOperations
from algotrendy_simulator.venues.bybit.rest import Rest
from algotrendy_simulator.venues.bybit.signed_operations import SignedOperations
from algotrendy_simulator.venues.bybit.streams import Streams
from algotrendy_simulator.venues.bybit.user_socket import UserSockets


class Bybit:
    def __init__(self, simulation: Simulation, faults: Faults, timings: Timings) -> None:
        settings, exchange, clock = simulation.settings, simulation.exchange, simulation.clock
        venue_time_ms = simulation.replay.order_time_ms
        products = Products(exchange.markets)
        # The settings count by the minute and by ten seconds; their defaults are Bybit's 600 calls in five seconds
        # and 20 spot and 10 contract orders a second.
        spot_orders = max(1, settings.orders_per_10s // 5)
        limits = Limits(settings.weight_per_minute // 10, spot_orders, max(1, spot_orders // 2))
        public = PublicOperations(products, clock, venue_time_ms)
        signed = SignedOperations(exchange, products, clock)
        self._rest = Rest(exchange, public, signed, limits, faults, timings, clock)
        self._streams = Streams(exchange, products, venue_time_ms, timings)
        self._users = UserSockets(exchange, products, signed.windows_s, clock)

    def routes(self) -> list[web.RouteDef]:
        return [
            *self._rest.routes(),
            web.get("/v5/public/{category:spot|linear|inverse|option}", self._streams.serve),
            web.get("/v5/private", self._users.serve),
        ]

    async def run(self) -> None:
        await self._streams.run()

    async def close(self) -> None:
        await self._streams.close()
        await self._users.close()

    def drop_sockets(self, kind: str) -> dict[str, int]:
        market = self._streams.drop() if kind in ("market", "all") else 0
        user = self._users.drop() if kind in ("user", "all") else 0
        return {"market": market, "user": user}

    def mute(self, muted: bool) -> None:
        self._streams.muted = muted

    def lose_depth(self, symbol: str) -> None:
        self._streams.lose_depth(symbol)

    def status(self) -> dict[str, object]:
        return {
            "sockets": {"market": self._streams.socket_count, "user": self._users.socket_count},
            "streams": self._streams.names,
            "user_subscriptions": self._users.subscription_count,
        }
