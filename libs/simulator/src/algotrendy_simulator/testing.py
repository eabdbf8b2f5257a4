"""A simulated venue for the tests of whoever talks to one.

Invariant: it is a real server in a process of its own on a free port, and it is gone when the context ends.
"""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from algotrendy_simulator.demo_keys import demo_key

START_TIMEOUT_S = 120.0
"""It takes two seconds; on a machine with thirty processes a core it has taken more than half a minute."""


@dataclass(frozen=True, slots=True)
class RunningVenue:
    http: str
    ws: str
    key: str
    secret: str
    passphrase: str
    account: str
    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        return self.process.pid

    async def admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call the admin API; raises aiohttp.ClientResponseError where it refuses."""
        return await call_admin(self.http, method, path, body)

    def repoint(self, client: Any) -> None:
        """Have a ccxt client speak to this venue with its account's key."""
        repoint(client, self.http, self.ws)
        client.apiKey, client.secret, client.password = self.key, self.secret, self.passphrase

    async def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def running_venue(
    speed: float = 60.0,
    seed: int = 7,
    paused: bool = False,
    state: Path | None = None,
    data: Path | None = None,
    history: int = 480,
    extra: tuple[str, ...] = (),
    venue: str = "binance",
) -> AsyncIterator[RunningVenue]:
    """A venue with the default account; ``extra`` are more options of its command line."""
    demo = demo_key(venue)
    options = ["--port", "0", "--speed", str(speed), "--seed", str(seed), "--history", str(history), *extra]
    options += ["--venue", venue]
    if paused:
        options.append("--paused")
    for name, path in (("--state", state), ("--data", data)):
        if path is not None:
            options += [name, str(path)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "algotrendy_simulator", *options, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_TIMEOUT_S)
        if not line:
            raise RuntimeError(f"the simulated venue ended with status {await process.wait()}")
        said = json.loads(line)
        yield RunningVenue(said["http"], said["ws"], demo.key, demo.secret, demo.passphrase, "paper-1", process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def call_admin(http: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Call the admin API of a venue; raises aiohttp.ClientResponseError where it refuses."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, http + path, json=body, raise_for_status=True) as response,
    ):
        return await response.json()


def repoint(client: Any, http: str, ws: str) -> None:
    """Have a ccxt client speak to other base URLs; nothing else of it changes."""
    client.urls["api"] = _repointed(client.urls["api"], http, ws)


def _repointed(urls: Any, http: str, ws: str) -> Any:
    if isinstance(urls, dict):
        return {name: _repointed(url, http, ws) for name, url in urls.items()}
    pattern, target = (r"^https?://[^/]*", http) if urls.startswith("http") else (r"^wss?://[^/]*", ws)
    return re.sub(pattern, target, urls)
