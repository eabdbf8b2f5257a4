"""What a user hears on Binance's WebSocket API, raw and in order."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from algotrendy_simulator.server import Running

from .wire import now_ms

DEADLINE_S = 10.0


class UserEvents:
    """Reads the socket as far as it has to; everything heard is kept."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self._websocket = websocket
        self.heard: list[dict[str, Any]] = []

    async def until(
        self, kind: str, enough: Callable[[list[dict[str, Any]]], bool], **fields: object
    ) -> list[dict[str, Any]]:
        """The events of a kind with these fields, once they are enough; fails after the deadline."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                found = [
                    event
                    for event in self.heard
                    if event.get("e") == kind and all(event.get(name) == value for name, value in fields.items())
                ]
                if found and enough(found):
                    return found
                self.heard.append(json.loads(await self._websocket.receive_str())["event"])


@asynccontextmanager
async def user_events(venue: Running) -> AsyncIterator[UserEvents]:
    values = {"apiKey": "demo-key", "timestamp": now_ms()}
    payload = "&".join(f"{name}={values[name]}" for name in sorted(values))
    signature = hmac.new(b"demo-secret", payload.encode(), hashlib.sha256).hexdigest()
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{venue.ws}/ws-api/v3") as websocket:
        request = {
            "id": "1",
            "method": "userDataStream.subscribe.signature",
            "params": values | {"signature": signature},
        }
        await websocket.send_json(request)
        answer = json.loads(await asyncio.wait_for(websocket.receive_str(), DEADLINE_S))
        assert answer["status"] == 200, answer
        yield UserEvents(websocket)
