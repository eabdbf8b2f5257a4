"""A websocket to one client, and how messages leave through it.

Invariant: the exchange never waits for a client. Messages queue up to a bound; a client that falls further behind
is cut off, as the real venue does.
"""

import asyncio
from collections.abc import Callable

from aiohttp import WSCloseCode, web

from algotrendy_simulator.spoiling import Spoiled, Spoiling

QUEUE_BOUND = 20_000
PING_INTERVAL_S = 20.0

SPOILING = web.AppKey("spoiling", Spoiling)

type Sent = Callable[[], None]


class Socket:
    def __init__(
        self,
        websocket: web.WebSocketResponse,
        transport: asyncio.Transport | None,
        spoiling: Spoiling | None = None,
    ) -> None:
        """``spoiling``: what may happen to the messages on their way; None, nothing does."""
        self.websocket = websocket
        self._spoiled = Spoiled(spoiling) if spoiling is not None else None
        self._transport = transport
        self._queue: asyncio.Queue[tuple[str, Sent | None]] = asyncio.Queue(QUEUE_BOUND)
        self._writer = asyncio.create_task(self._write())

    def send(self, text: str, before: Sent | None = None) -> None:
        """Queue a message; ``before`` is called just before it is written."""
        try:
            for told in (text,) if self._spoiled is None else self._spoiled.told(text):
                self._queue.put_nowait((told, before))
        except asyncio.QueueFull:
            self.cut()

    def cut(self) -> None:
        """Drop the connection without a farewell."""
        self._writer.cancel()
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        self._writer.cancel()
        await self.websocket.close(code=WSCloseCode.GOING_AWAY)

    async def _write(self) -> None:
        while True:
            text, before = await self._queue.get()
            if before is not None:
                before()
            try:
                await self.websocket.send_str(text)
            except ConnectionError:
                # The reader of this socket sees the same end and cleans up.
                return
