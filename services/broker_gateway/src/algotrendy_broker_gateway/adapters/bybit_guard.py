"""Bybit's disconnection protection as a dead-man's switch: a connection that is kept up only while it is re-armed.

Bybit cancels an account's orders when every private connection that holds its ``dcp`` topic has been gone for the time
that was set. So the guard has one of its own. Invariant: it is up while ``hold`` was called within its timeout, and
goes with the process; ``release`` gives the topic back first, so that nothing is cancelled.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
from typing import Any

import aiohttp
from algotrendy_common.clock import wall_ns

from algotrendy_broker_gateway.errors import VenueUnreachable

TOPICS = ["dcp.spot", "dcp.future"]
_PING_S = 15.0
_PATIENCE_S = 5.0
_FAILED = (aiohttp.ClientError, OSError, TimeoutError, ValueError, TypeError)


class DisconnectionGuard:
    def __init__(self, url: str, key: str, secret: str) -> None:
        self._url = url
        self._key = key
        self._secret = secret
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._pinging: asyncio.Task[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._leaving: asyncio.Task[None] | None = None

    async def hold(self, timeout_s: float) -> None:
        """Be connected, for ``timeout_s`` from now. Raises VenueUnreachable where the venue does not take it."""
        if self._pinging is None or self._pinging.done():
            await self._drop()
            try:
                await asyncio.wait_for(self._connect(), _PATIENCE_S)
            except _FAILED as error:
                await self._drop()
                raise VenueUnreachable(f"the dead-man's connection is not taken: {error!r}") from error
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = asyncio.get_running_loop().call_later(timeout_s, self._expire)

    async def release(self) -> None:
        """Leave without anything being cancelled."""
        socket = self._socket
        await self._stop_pinging()
        if socket is not None and not socket.closed:
            with contextlib.suppress(*_FAILED):
                await asyncio.wait_for(_say(socket, "unsubscribe", TOPICS), _PATIENCE_S)
        await self._drop()

    def _expire(self) -> None:
        """Nobody armed it again: the connection goes, and the venue's clock runs from here."""
        self._leaving = asyncio.ensure_future(self._drop())

    async def _connect(self) -> None:
        self._session = aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(self._url)
        expires = str(wall_ns() // 1_000_000 + 10_000)
        signed = hmac.new(self._secret.encode(), f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest()
        await _say(self._socket, "auth", [self._key, expires, signed])
        await _say(self._socket, "subscribe", TOPICS)
        self._pinging = asyncio.create_task(_keep_up(self._socket))

    async def _stop_pinging(self) -> None:
        if self._pinging is not None:
            self._pinging.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pinging
            self._pinging = None

    async def _drop(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        await self._stop_pinging()
        if self._session is not None:
            await self._session.close()
        self._socket = self._session = None


async def _say(socket: aiohttp.ClientWebSocketResponse, operation: str, arguments: list[str]) -> None:
    await socket.send_json({"op": operation, "args": arguments})
    while True:
        answer: Any = json.loads(await socket.receive_str())
        if answer.get("op") == operation:
            if answer.get("success") is not True:
                raise ValueError(f"{operation} refused: {answer.get('ret_msg')}")
            return


async def _keep_up(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Ping until cancelled or cut."""
    while not socket.closed:
        try:
            await socket.send_json({"op": "ping"})
            async with asyncio.timeout(_PING_S):
                while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                    pass
        except TimeoutError:
            continue
        except (aiohttp.ClientError, ConnectionError):
            return
