"""The hand behind the simulation, under ``/admin/``: clock, faults, and the venue's own books for comparison.

It has no authentication: the simulator is for localhost. Invariant: reading changes nothing (but ``timings?clear``).
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aiohttp import web
from algotrendy_common.clock import to_ms
from algotrendy_common.enums import Side
from algotrendy_common.errors import Refused
from algotrendy_common.money import plain
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.faults import Fault, Faults
from algotrendy_simulator.simulation import Simulation
from algotrendy_simulator.timings import Timings
from algotrendy_simulator.venues.binance import order_wire
from algotrendy_simulator.venues.binance.venue import Binance

NOTE = (
    "Recorded candles, replayed. The trades inside the candles are made (anchored walk) and reproduce each candle "
    "exactly; order book quantities are made too. A user's own trades are printed on top of the recording."
)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Speed(_Body):
    speed: float = Field(gt=0)


class _Step(_Body):
    candles: int = Field(1, ge=1, le=1000)


class _Drop(_Body):
    kind: str = Field("all", pattern="^(market|user|all)$")


class _Mute(_Body):
    muted: bool


class _Gap(_Body):
    symbol: str


class _NewAccount(_Body):
    account: str = Field(min_length=1)
    key: str = Field(min_length=1)
    secret: str = Field(min_length=1)
    balances: dict[str, Decimal] = {}


@dataclass(frozen=True, slots=True)
class Admin:
    simulation: Simulation
    binance: Binance
    faults: Faults
    timings: Timings

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/admin/status", self.status),
            web.post("/admin/pause", self.pause),
            web.post("/admin/resume", self.resume),
            web.post("/admin/speed", self.speed),
            web.post("/admin/step", self.step),
            web.get("/admin/books", self.books),
            web.get("/admin/orders", self.orders),
            web.get("/admin/fills", self.fills),
            web.get("/admin/balances", self.balances),
            web.post("/admin/accounts", self.open_account),
            web.get("/admin/faults", self.list_faults),
            web.post("/admin/faults", self.arm_fault),
            web.delete("/admin/faults", self.clear_faults),
            web.post("/admin/sockets/drop", self.drop_sockets),
            web.post("/admin/sockets/mute", self.mute_sockets),
            web.post("/admin/sockets/gap", self.lose_depth),
            web.get("/admin/timings", self.list_timings),
            web.get("/admin/tape_hash", self.tape_hash),
        ]

    async def status(self, request: web.Request) -> web.Response:
        replay = self.simulation.replay
        return web.json_response(
            {
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
                "sockets": {"market": self.binance.streams.socket_count, "user": self.binance.users.socket_count},
                "streams": self.binance.streams.names,
                "user_subscriptions": self.binance.users.subscription_count,
                "note": NOTE,
            }
        )

    async def pause(self, request: web.Request) -> web.Response:
        self.simulation.replay.clock.pause()
        return self._disturbed()

    async def resume(self, request: web.Request) -> web.Response:
        self.simulation.replay.clock.resume()
        return self._disturbed()

    async def speed(self, request: web.Request) -> web.Response:
        self.simulation.replay.clock.set_speed((await _body(request, _Speed)).speed)
        return self._disturbed()

    async def step(self, request: web.Request) -> web.Response:
        body = await _body(request, _Step)
        return web.json_response({"venue_time_ms": self.simulation.replay.play_minutes(body.candles)})

    async def books(self, request: web.Request) -> web.Response:
        shown = {}
        for symbol, market in self.simulation.exchange.markets.items():
            book = market.engine.book
            shown[symbol] = {
                "sequence": book.sequence,
                "bids": [[plain(price), plain(quantity)] for price, quantity in book.levels(Side.BUY)],
                "asks": [[plain(price), plain(quantity)] for price, quantity in book.levels(Side.SELL)],
            }
        return web.json_response(shown)

    async def orders(self, request: web.Request) -> web.Response:
        accounts = self._accounts(request)
        orders = [order for order in self.simulation.exchange.orders.values() if order.account in accounts]
        return web.json_response([order_wire.queried_order(order) | {"account": order.account} for order in orders])

    async def fills(self, request: web.Request) -> web.Response:
        accounts = self._accounts(request)
        fills = [fill for fill in self.simulation.exchange.fills if fill.account in accounts]
        return web.json_response([order_wire.my_trade(fill) | {"account": fill.account} for fill in fills])

    async def balances(self, request: web.Request) -> web.Response:
        return web.json_response({name: _balances(account) for name, account in self._accounts(request).items()})

    async def open_account(self, request: web.Request) -> web.Response:
        body = await _body(request, _NewAccount)
        try:
            account = self.simulation.exchange.open_account(body.account, body.key, body.secret, body.balances)
        except Refused as refused:
            raise web.HTTPConflict(text=str(refused)) from refused
        return web.json_response({body.account: _balances(account)})

    async def list_faults(self, request: web.Request) -> web.Response:
        return web.json_response([fault.model_dump(mode="json") for fault in self.faults.armed])

    async def arm_fault(self, request: web.Request) -> web.Response:
        self.faults.arm(await _body(request, Fault))
        return await self.list_faults(request)

    async def clear_faults(self, request: web.Request) -> web.Response:
        self.faults.clear()
        return await self.list_faults(request)

    async def drop_sockets(self, request: web.Request) -> web.Response:
        kind = (await _body(request, _Drop)).kind
        market = self.binance.streams.drop() if kind in ("market", "all") else 0
        user = self.binance.users.drop() if kind in ("user", "all") else 0
        return web.json_response({"market": market, "user": user})

    async def mute_sockets(self, request: web.Request) -> web.Response:
        self.binance.streams.muted = (await _body(request, _Mute)).muted
        return web.json_response({"muted": self.binance.streams.muted})

    async def lose_depth(self, request: web.Request) -> web.Response:
        symbol = (await _body(request, _Gap)).symbol
        if symbol not in self.simulation.exchange.markets:
            raise web.HTTPNotFound(text=f"no symbol {symbol}")
        self.binance.streams.lose_depth(symbol)
        return web.json_response({"symbol": symbol})

    async def list_timings(self, request: web.Request) -> web.Response:
        shown = {
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
        return web.json_response(shown)

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

    def _disturbed(self) -> web.Response:
        replay = self.simulation.replay
        replay.disturb()
        return web.json_response(
            {"venue_time_ms": replay.order_time_ms(), "speed": replay.clock.speed, "paused": replay.clock.paused}
        )


async def _body[B: BaseModel](request: web.Request, body_class: type[B]) -> B:
    text = await request.text()
    try:
        return body_class.model_validate_json(text or "{}")
    except ValidationError as error:
        raise web.HTTPBadRequest(text=json.dumps(error.errors(include_url=False, include_context=False))) from error


def _balances(account: Account) -> dict[str, Any]:
    return {
        asset: {"free": plain(balance.free), "locked": plain(balance.locked), "total": plain(balance.total)}
        for asset, balance in account.balances.items()
    }
