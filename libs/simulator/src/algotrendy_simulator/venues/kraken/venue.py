"""The simulated Kraken put together: its routes, and what runs beside them.

Invariant: whatever it answers or streams comes from the one simulation it is given.
"""

from aiohttp import web
from algotrendy_core.fees import ChargedIn

from algotrendy_simulator.faults import Faults
from algotrendy_simulator.simulation import Simulation
from algotrendy_simulator.timings import Timings
from algotrendy_simulator.venues.kraken.authentication import Gate
from algotrendy_simulator.venues.kraken.earn import Earn
from algotrendy_simulator.venues.kraken.identity import Pairs
from algotrendy_simulator.venues.kraken.limits import Limits
from algotrendy_simulator.venues.kraken.private_channels import PrivateChannels
from algotrendy_simulator.venues.kraken.public_operations import PublicOperations
from algotrendy_simulator.venues.kraken.rest import Rest
from algotrendy_simulator.venues.kraken.signed_operations import SignedOperations
from algotrendy_simulator.venues.kraken.streams import Streams


class Kraken:
    def __init__(self, simulation: Simulation, faults: Faults, timings: Timings) -> None:
        settings, exchange, clock = simulation.settings, simulation.exchange, simulation.clock
        venue_time_ms = simulation.replay.order_time_ms
        exchange.charge_spot_fees_in(ChargedIn.QUOTE)
        pairs = Pairs(exchange.markets)
        gate = Gate(exchange)
        earn = Earn(exchange, pairs, clock)
        # The settings count by the minute and by ten seconds; their defaults are the counter of Kraken's highest tier,
        # 20 that sink by one a second.
        limits = Limits(
            settings.weight_per_minute / 300, settings.weight_per_minute / 6000, settings.orders_per_10s / 10
        )
        public = PublicOperations(pairs, clock, venue_time_ms)
        signed = SignedOperations(exchange, pairs, earn, gate, limits, clock)
        self._rest = Rest(public, signed, earn, gate, limits, faults, timings, clock)
        private = PrivateChannels(exchange, pairs, clock)
        self._streams = Streams(exchange, pairs, gate, private, clock, venue_time_ms, timings)

    def routes(self) -> list[web.RouteDef]:
        return [*self._rest.routes(), web.get("/v2", self._streams.serve)]

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
