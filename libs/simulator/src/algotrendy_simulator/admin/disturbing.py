"""The clock of the replay, and everything that can go wrong between the venue and its callers.

Invariant: a disturbance changes what is answered or told, never the books.
"""

from dataclasses import dataclass

from aiohttp import web

from algotrendy_simulator.admin import bodies
from algotrendy_simulator.faults import Fault, Faults
from algotrendy_simulator.simulation import Simulation
from algotrendy_simulator.spoiling import Spoil
from algotrendy_simulator.venues.dialect import Dialect


@dataclass(frozen=True, slots=True)
class Disturbing:
    simulation: Simulation
    dialect: Dialect
    faults: Faults

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/admin/pause", self.pause),
            web.post("/admin/resume", self.resume),
            web.post("/admin/speed", self.speed),
            web.post("/admin/step", self.step),
            web.post("/admin/faults", self.arm_fault),
            web.delete("/admin/faults", self.clear_faults),
            web.post("/admin/maintenance", self.maintain),
            web.post("/admin/ban", self.ban),
            web.post("/admin/sockets/drop", self.drop_sockets),
            web.post("/admin/sockets/mute", self.mute_sockets),
            web.post("/admin/sockets/gap", self.lose_depth),
            web.post("/admin/sockets/spoil", self.spoil),
            web.post("/admin/feed/freeze", self.freeze),
            web.post("/admin/updates/duplicate", self.duplicate),
            web.post("/admin/updates/reorder", self.reorder),
        ]

    async def pause(self, request: web.Request) -> web.Response:
        self.simulation.replay.clock.pause()
        return self._disturbed()

    async def resume(self, request: web.Request) -> web.Response:
        self.simulation.replay.clock.resume()
        return self._disturbed()

    async def speed(self, request: web.Request) -> web.Response:
        self.simulation.replay.clock.set_speed((await bodies.read(request, bodies.Speed)).speed)
        return self._disturbed()

    async def step(self, request: web.Request) -> web.Response:
        body = await bodies.read(request, bodies.Step)
        return web.json_response({"venue_time_ms": self.simulation.replay.play_minutes(body.candles)})

    async def arm_fault(self, request: web.Request) -> web.Response:
        self.faults.arm(await bodies.read(request, Fault))
        return self._armed()

    async def clear_faults(self, request: web.Request) -> web.Response:
        """Everything as it should be again: no fault armed, nobody shut out, nothing silenced, kept or frozen."""
        self.faults.clear()
        self.dialect.mute(False)
        self.simulation.exchange.undisturb()
        return self._armed()

    async def maintain(self, request: web.Request) -> web.Response:
        """Closed for maintenance: every call says so, and the sockets are cut."""
        self.faults.maintenance = (await bodies.read(request, bodies.Switch)).on
        if self.faults.maintenance:
            self.dialect.drop_sockets("all")
        return web.json_response({"on": self.faults.maintenance})

    async def ban(self, request: web.Request) -> web.Response:
        self.faults.ban((await bodies.read(request, bodies.Ban)).seconds)
        return web.json_response({"banned_for_s": self.faults.banned_for_s})

    async def drop_sockets(self, request: web.Request) -> web.Response:
        kind = (await bodies.read(request, bodies.Drop)).kind
        return web.json_response(self.dialect.drop_sockets(kind))

    async def mute_sockets(self, request: web.Request) -> web.Response:
        body = await bodies.read(request, bodies.Mute)
        if body.kind in ("market", "all"):
            self.dialect.mute(body.muted)
        if body.kind in ("user", "all"):
            self.simulation.exchange.delivery.users_muted = body.muted
        return web.json_response({"muted": body.muted})

    async def lose_depth(self, request: web.Request) -> web.Response:
        symbol = (await bodies.read(request, bodies.Gap)).symbol
        if symbol not in self.simulation.exchange.markets:
            raise web.HTTPNotFound(text=f"no symbol {symbol}")
        self.dialect.lose_depth(symbol)
        return web.json_response({"symbol": symbol})

    async def spoil(self, request: web.Request) -> web.Response:
        """Disturb messages of public sockets; what is armed, and how many were struck so far."""
        spoiling = self.faults.spoiling
        if request.can_read_body:
            spoiling.armed.append(await bodies.read(request, Spoil))
        armed = [each.model_dump(mode="json") for each in spoiling.armed]
        return web.json_response({"armed": armed, "struck": spoiling.struck})

    async def freeze(self, request: web.Request) -> web.Response:
        on = (await bodies.read(request, bodies.Switch)).on
        self.simulation.exchange.delivery.freeze_books(on)
        return web.json_response({"on": on})

    async def duplicate(self, request: web.Request) -> web.Response:
        count = (await bodies.read(request, bodies.Count)).count
        self.simulation.exchange.delivery.duplicate(count)
        return web.json_response({"count": count})

    async def reorder(self, request: web.Request) -> web.Response:
        count = (await bodies.read(request, bodies.Count)).count
        self.simulation.exchange.delivery.reorder(count)
        return web.json_response({"count": count})

    def _armed(self) -> web.Response:
        return web.json_response([fault.model_dump(mode="json") for fault in self.faults.armed])

    def _disturbed(self) -> web.Response:
        replay = self.simulation.replay
        replay.disturb()
        return web.json_response(
            {"venue_time_ms": replay.order_time_ms(), "speed": replay.clock.speed, "paused": replay.clock.paused}
        )
