"""The simulated OKX put together: its routes, and what runs beside them.

Invariant: whatever it answers or streams comes from the one simulation it is given.
"""

from aiohttp import web

from algotrendy_simulator.faults import Faults
from algotrendy_simulator.simulation import Simulation
from algotrendy_simulator.timings import Timings
from algotrendy_simulator.venues.okx.account_operations import AccountOperations
from algotrendy_simulator.venues.okx.limits import Limits
from algotrendy_simulator.venues.okx.market_channels import MarketChannels
from algotrendy_simulator.venues.okx.products import Products
from algotrendy_simulator.venues.okx.public_operations import PublicOperations
from algotrendy_simulator.venues.okx.rest import Rest
from algotrendy_simulator.venues.okx.sockets import Channel, Client, Sockets
from algotrendy_simulator.venues.okx.trading_operations import TradingOperations
from algotrendy_simulator.venues.okx.user_channels import UserChannels


class Okx:
    def __init__(self, simulation: Simulation, faults: Faults, timings: Timings) -> None:
        settings, exchange, clock = simulation.settings, simulation.exchange, simulation.clock
        venue_time_ms = simulation.replay.order_time_ms
        products = Products(exchange.markets)
        # The settings count by ten seconds and by the minute; their defaults are OKX's 60 orders and about as many
        # questions in two seconds.
        limits = Limits(max(1, settings.orders_per_10s * 3 // 5), max(1, settings.weight_per_minute // 100))
        trading = TradingOperations(exchange, products, clock)
        own = AccountOperations(exchange, products, trading, clock)
        public = PublicOperations(products, clock, venue_time_ms)
        self._rest = Rest(exchange, public, trading, own, limits, faults, timings, clock)
        self._markets = MarketChannels(exchange, products, venue_time_ms, timings)
        self._users = UserChannels(exchange, products, own, clock)
        self._sockets = Sockets(exchange, clock, self._markets.known)
        self._sockets.joined = self._joined
        self._markets.sockets = self._users.sockets = self._sockets

    def routes(self) -> list[web.RouteDef]:
        return [
            *self._rest.routes(),
            web.get("/ws/v5/{path:public|private|business}", self._sockets.serve),
        ]

    async def run(self) -> None:
        await self._markets.run()

    async def close(self) -> None:
        await self._sockets.close()

    def drop_sockets(self, kind: str) -> dict[str, int]:
        market = self._sockets.drop(users=False) if kind in ("market", "all") else 0
        user = self._sockets.drop(users=True) if kind in ("user", "all") else 0
        return {"market": market, "user": user}

    def mute(self, muted: bool) -> None:
        self._markets.muted = muted

    def lose_depth(self, symbol: str) -> None:
        self._markets.lose_depth(symbol)

    def status(self) -> dict[str, object]:
        users = self._sockets.users()
        others = [client for client in self._sockets.clients if client not in users]
        names = {":".join(value for _, value in channel) for client in others for channel in client.channels}
        return {
            "sockets": {"market": len(others), "user": len(users)},
            "streams": sorted(names),
            "user_subscriptions": self._users.subscription_count,
        }

    def _joined(self, client: Client, channel: Channel) -> None:
        self._markets.joined(client, channel)
        self._users.joined(client, channel)
