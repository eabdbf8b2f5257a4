"""What the simulation can be asked: where it stands, and the venue's own books for comparison.

Invariant: reading changes nothing (but ``timings?clear``).
"""

from dataclasses import dataclass

from aiohttp import web
from algotrendy_common.clock import to_ms
from algotrendy_common.enums import Side
from algotrendy_common.money import plain

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.admin import shown
from algotrendy_simulator.faults import Faults
from algotrendy_simulator.simulation import Simulation
from algotrendy_simulator.timings import Timings
from algotrendy_simulator.venues.dialect import Dialect

NOTE = (
    "Recorded candles, replayed. The trades inside the candles are made (anchored walk) and reproduce each candle "
    "exactly; order book quantities are made too. A user's own trades are printed on top of the recording."
)


@dataclass(frozen=True, slots=True)
class Observing:
    simulation: Simulation
    dialect: Dialect
    faults: Faults
    timings: Timings

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/admin/status", self.status),
            web.get("/admin/books", self.books),
            web.get("/admin/orders", self.orders),
            web.get("/admin/fills", self.fills),
            web.get("/admin/balances", self.balances),
            web.get("/admin/positions", self.positions),
            web.get("/admin/faults", self.list_faults),
            web.get("/admin/timings", self.list_timings),
            web.get("/admin/tape_hash", self.tape_hash),
        ]

    async def status(self, request: web.Request) -> web.Response:
        replay = self.simulation.replay
        delivery = self.simulation.exchange.delivery
        return web.json_response(
            {
                "venue": self.simulation.settings.venue,
                "venue_time_ms": replay.order_time_ms(),
                "wall_time_ms": to_ms(self.simulation.clock.now()),
                "speed": replay.clock.speed,
                "paused": replay.clock.paused,
                "seed": replay.seed,
                "history_minutes": self.simulation.settings.history,
                "cursor": replay.cursor,
                "loops": max(track.loops(replay.minute) for track in replay.tracks),
                "symbols": [
                    {
                        "symbol": track.market.wire_symbol,
                        "source": track.recording.source,
                        "made_ticks": track.recording.made_ticks,
                        "shift_ms": track.shift_ms,
                        "minutes": track.recording.minutes,
                        "loops": track.loops(replay.minute),
                        "last_price": plain(track.market.last_price),
                    }
                    for track in replay.tracks
                ],
                **self.dialect.status(),
                "disturbed": {
                    "maintenance": self.faults.maintenance,
                    "banned_for_s": self.faults.banned_for_s,
                    "users_muted": delivery.users_muted,
                    "books_frozen": delivery.books_frozen,
                },
                "note": NOTE,
            }
        )

    async def books(self, request: web.Request) -> web.Response:
        found = {}
        for symbol, market in self.simulation.exchange.markets.items():
            book = market.engine.book
            found[symbol] = {
                "sequence": book.sequence,
                "bids": [[plain(price), plain(quantity)] for price, quantity in book.levels(Side.BUY)],
                "asks": [[plain(price), plain(quantity)] for price, quantity in book.levels(Side.SELL)],
            }
        return web.json_response(found)

    async def orders(self, request: web.Request) -> web.Response:
        accounts = self._accounts(request)
        orders = self.simulation.exchange.orders.values()
        return web.json_response([shown.order(order) for order in orders if order.account in accounts])

    async def fills(self, request: web.Request) -> web.Response:
        accounts = self._accounts(request)
        fills = self.simulation.exchange.fills
        return web.json_response([shown.fill(fill) for fill in fills if fill.account in accounts])

    async def balances(self, request: web.Request) -> web.Response:
        return web.json_response({name: shown.balances(account) for name, account in self._accounts(request).items()})

    async def positions(self, request: web.Request) -> web.Response:
        exchange = self.simulation.exchange
        positions = [each for account in self._accounts(request).values() for each in exchange.positions(account)]
        return web.json_response([shown.position(position) for position in positions])

    async def list_faults(self, request: web.Request) -> web.Response:
        return web.json_response([fault.model_dump(mode="json") for fault in self.faults.armed])

    async def list_timings(self, request: web.Request) -> web.Response:
        found = {
            "trades": [
                {
                    "symbol": sent.symbol,
                    "trade_id": sent.trade_id,
                    "event_time_ms": sent.event_time_ms,
                    "wall_ns": sent.sent.wall_ns,
                    "monotonic_ns": sent.sent.monotonic_ns,
                }
                for sent in self.timings.trades
            ],
            "orders": [
                {
                    "client_order_id": order.client_order_id,
                    "order_id": order.order_id,
                    "received_wall_ns": order.received.wall_ns,
                    "received_monotonic_ns": order.received.monotonic_ns,
                    "answered_wall_ns": order.answered_wall_ns,
                }
                for order in self.timings.orders
            ],
        }
        if request.query.get("clear"):
            self.timings.clear()
        return web.json_response(found)

    async def tape_hash(self, request: web.Request) -> web.Response:
        return web.json_response({track.market.wire_symbol: track.tape_hash for track in self.simulation.replay.tracks})

    def _accounts(self, request: web.Request) -> dict[str, Account]:
        accounts = self.simulation.exchange.accounts
        name = request.query.get("account")
        if name is None:
            return accounts
        if name not in accounts:
            raise web.HTTPNotFound(text=f"no account {name}")
        return {name: accounts[name]}
