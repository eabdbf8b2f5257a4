"""OKX's websockets ``public``, ``private`` and ``business``: who is connected, logged in, and subscribed to what.

Invariant: a private channel is given only to who has logged in on that very connection, and hears that account alone.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web
from algotrendy_common.clock import Clock, to_ms

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.venues.binance.sockets import SPOILING, Socket
from algotrendy_simulator.venues.okx.authentication import verified_socket
from algotrendy_simulator.venues.okx.refusals import OkxError
from algotrendy_simulator.venues.okx.wire import Json

type Channel = tuple[tuple[str, str], ...]
"""The ``arg`` of a subscription, sorted so that it can be a key."""
type Joined = Callable[["Client", Channel], None]

PRIVATE = {"private": frozenset({"orders", "account", "positions"}), "business": frozenset({"orders-algo"})}
"""What needs a login, by socket."""


@dataclass(slots=True, eq=False)
class Client:
    socket: Socket
    path: str
    connection: str
    account: Account | None = None
    channels: set[Channel] = field(default_factory=set)

    def say(self, message: Json) -> None:
        self.socket.send(json.dumps(message, separators=(",", ":")))


class Sockets:
    """``known`` says whether there is such a public channel, ``joined`` is told of each new subscription."""

    def __init__(self, exchange: Exchange, clock: Clock, known: Callable[[str, Channel], bool]) -> None:
        self._exchange = exchange
        self._clock = clock
        self._known = known
        self._count = 0
        self.clients: set[Client] = set()
        self.joined: Joined = lambda client, channel: None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(compress=False)
        await websocket.prepare(request)
        self._count += 1
        client = Client(
            Socket(websocket, request.transport, request.app.get(SPOILING)),
            request.match_info["path"],
            f"{self._count:08x}",
        )
        self.clients.add(client)
        try:
            async for message in websocket:
                if message.type is WSMsgType.TEXT:
                    self._answer(client, message.data)
        finally:
            self.clients.discard(client)
            client.socket.cut()
        return websocket

    def subscribed(self, channel: Channel) -> list[Client]:
        return [client for client in self.clients if channel in client.channels]

    def users(self) -> list[Client]:
        return [client for client in self.clients if client.account is not None or client.path == "private"]

    def drop(self, users: bool) -> int:
        """Cut the sockets of users, or the others; how many there were."""
        dropped = [client for client in self.clients if (client in self.users()) is users]
        for client in dropped:
            client.socket.cut()
        return len(dropped)

    async def close(self) -> None:
        for client in list(self.clients):
            await client.socket.close()

    def _answer(self, client: Client, text: str) -> None:
        if text == "ping":
            client.socket.send("pong")
            return
        try:
            request = json.loads(text)
            operation, arguments = request["op"], request["args"]
            if operation == "login":
                client.account = verified_socket(self._exchange, arguments, to_ms(self._clock.now()))
                client.say({"event": "login", "code": "0", "msg": "", "connId": client.connection})
                return
            for argument in arguments:
                self._change(client, operation, argument, request.get("id"))
        except OkxError as error:
            self._complain(client, error)
        except (ValueError, TypeError, KeyError, AttributeError):
            self._complain(client, OkxError(60012, f"Illegal request: {text}"))

    def _change(self, client: Client, operation: str, argument: dict[str, Any], request_id: Any) -> None:
        channel: Channel = tuple(sorted((name, str(value)) for name, value in argument.items()))
        name = str(argument["channel"])
        if name in PRIVATE.get(client.path, ()):
            if client.account is None:
                raise OkxError(60011, "Please log in")
        elif not self._known(client.path, channel):
            shown = ",".join(f"{key}:{value}" for key, value in argument.items())
            raise OkxError(
                60018, f"Wrong URL or {shown} doesn't exist. Please use the correct URL, channel and parameters"
            )
        if operation not in ("subscribe", "unsubscribe"):
            raise OkxError(60012, f"Illegal request: {operation}")
        identified = {} if request_id is None else {"id": request_id}
        client.say({"event": operation, "arg": argument, "connId": client.connection} | identified)
        if operation == "unsubscribe":
            client.channels.discard(channel)
        elif channel not in client.channels:
            client.channels.add(channel)
            self.joined(client, channel)

    @staticmethod
    def _complain(client: Client, error: OkxError) -> None:
        client.say({"event": "error", "code": error.code, "msg": error.message, "connId": client.connection})
