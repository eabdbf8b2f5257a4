"""The simulated Coinbase put together: its routes, and what runs beside them.

Invariant: whatever it answers or streams comes from the one simulation it is given.
"""

from aiohttp import web
from algotrendy_core.fees import ChargedIn

from algotrendy_simulator.faults import Faults
from algotrendy_simulator.simulation import Simulation
from algotrendy_simulator.timings import Timings
from algotrendy_simulator.venues.coinbase.identity import Products
from algotrendy_simulator.venues.coinbase.limits import Limits
from algotrendy_simulator.venues.coinbase.public_operations import PublicOperations
from algotrendy_simulator.venues.coinbase.rest import Rest
from algotrendy_simulator.venues.coinbase.signed_operations import SignedOperations
from algotrendy_simulator.venues.coinbase.streams import Streams


class Coinbase:
    def __init__(self, simulation: Simulation, faults: Faults, timings: Timings) -> None:
        settings, exchange, clock = simulation.settings, simulation.exchange, simulation.clock
        venue_time_ms = simulation.replay.order_time_ms
        exchange.charge_spot_fees_in(ChargedIn.QUOTE)
        products = Products(exchange.markets)
        # The settings count by the minute and by ten seconds; their defaults are Coinbase's 30 calls a second of a
        # user and 10 of an address.
        limits = Limits(max(1, settings.weight_per_minute // 200), max(1, settings.orders_per_10s // 10))
        public = PublicOperations(products, clock, venue_time_ms)
        signed = SignedOperations(exchange, products, clock)
        self._rest = Rest(exchange, public, signed, limits, faults, timings, clock)
        self._streams = Streams(exchange, products, signed, clock, venue_time_ms, timings)

    def routes(self) -> list[web.RouteDef]:
        return [*self._rest.routes(), web.get("/", self._streams.serve)]

    async def run(self) -> None:
        await self._streams.run()

    async def close(self) -> None:
        await self._streams.close()

    def drop_sockets(self, kind: str) -> dict[str, int]:
        return self._streams.drop(kind)

    def mute(self, muted: bool) -> None:
        self._streams.muted = muted

    def lose_depth(self, symbol: str) -> None:
        self._streams.lose_depth(symbol)

    def status(self) -> dict[str, object]:
        counts = self._streams.counts()
        return {"sockets": counts, "streams": self._streams.names(), "user_subscriptions": counts["user"]}
