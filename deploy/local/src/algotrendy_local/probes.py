"""Questions that tell whether a program is well, each asked the way its clients will ask.

Invariant: a probe passes only on a right answer; a listening port alone proves nothing.
"""

import asyncio
import base64
import json
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg

from algotrendy_local.errors import StackError
from algotrendy_local.program import NotWell, Probe

_PATIENCE_S = 3.0
_LENGTH = re.compile(r"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: str


def http(url: str, login: tuple[str, str] | None = None) -> Probe:
    """Well when ``url`` answers 2xx."""

    async def probe() -> None:
        answer = await get(url, login)
        if not 200 <= answer.status < 300:
            raise NotWell(f"HTTP {answer.status}: {_problems(answer.body)}")

    return probe


def nats(monitor_url: str) -> Probe:
    """Well when JetStream is up and syncs to disk before it acknowledges."""

    async def probe() -> None:
        health = await get(f"{monitor_url}/healthz")
        if health.status != 200:
            raise NotWell(f"healthz: {health.body.strip()[:200]}")
        server = json.loads((await get(f"{monitor_url}/varz", to_the_end=True)).body)
        if not server.get("jetstream", {}).get("config", {}).get("sync_always"):
            raise NotWell("JetStream acknowledges before messages are on disk (sync_interval is not 'always')")

    return probe


def postgres(url: str) -> Probe:
    """Well when a query answers; a wrong password is a ``StackError``, for waiting will not cure it."""

    async def probe() -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                connection = await asyncpg.connect(url)
                try:
                    await connection.fetchval("SELECT 1")
                finally:
                    await connection.close()
        except asyncpg.InvalidPasswordError as error:
            raise StackError(
                "foreign_data",
                "PostgreSQL refuses the password in keys/: its data folder belongs to other keys",
                "put the keys back, or start afresh with: algotrendy reset",
            ) from error
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise NotWell(_reason(error)) from error

    return probe


def redis(port: int, password: str) -> Probe:
    """Well when PING after AUTH answers PONG."""

    async def probe() -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(f"AUTH {password}\r\nPING\r\n".encode())
                    answers = [(await reader.readline()).decode().strip() for _ in range(2)]
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise NotWell(_reason(error)) from error
        if answers != ["+OK", "+PONG"]:
            raise NotWell(f"AUTH and PING answer {answers}")

    return probe


async def get(url: str, login: tuple[str, str] | None = None, *, to_the_end: bool = False) -> Answer:
    """One plain GET on this machine; raises ``NotWell`` without an answer.

    A body without a length is read only ``to_the_end`` of the connection, which not every server closes. A client
    library would spend more on its TLS context than the servers on the answer, several times a second.
    """
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"GET {target or '/'} HTTP/1.0", f"Host: {parts.netloc}"]
    if login:
        lines.append("Authorization: Basic " + base64.b64encode(":".join(login).encode()).decode())
    try:
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                if to_the_end and not length:
                    body = await reader.read(-1)
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise NotWell(_reason(error)) from error
    return Answer(int(head.split(maxsplit=2)[1]), body.decode(errors="replace"))


def _problems(body: str) -> str:
    """What a service's ``/readyz`` complains of, or the text of anything else."""
    try:
        problems = json.loads(body)["problems"]
        return "; ".join(f"{name}: {problem}" for name, problem in problems.items())
    except (ValueError, KeyError, TypeError, AttributeError):
        return body.strip()[:200]


def _reason(error: Exception) -> str:
    return str(error).strip() or type(error).__name__
