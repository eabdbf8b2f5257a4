"""Real servers for the tests of other packages, each test run with its own on its own ports.

Invariant: what a block started is stopped when the block ends, and the folder it made is gone.

    @pytest.fixture(scope="session")
    def servers():
        with servers_running("nats", "postgres", migrate=True) as servers:
            yield servers
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algotrendy_local import migrate as migrations
from algotrendy_local.addresses import Addresses
from algotrendy_local.home import Home
from algotrendy_local.ports import take_block
from algotrendy_local.process import RunningProcess, launch
from algotrendy_local.program import Program
from algotrendy_local.servers import unprivileged
from algotrendy_local.settings import LocalSettings
from algotrendy_local.topology import SERVERS, Place, server_programs


@dataclass
class Servers:
    """Running servers: their addresses, and what a fault test does to them."""

    home: Home
    addresses: Addresses
    programs: dict[str, Program]
    processes: dict[str, RunningProcess]

    def environment(self, service: str) -> dict[str, str]:
        """The settings a service needs to reach these servers, as environment variables."""
        return self.addresses.service_environment(service)

    async def kill(self, name: str) -> None:
        """kill -9, and wait for the end."""
        self.processes[name].kill()
        await self.processes[name].ended()

    async def start(self, name: str) -> None:
        """Start a server (again) on its old port with its old data, and wait until it is well."""
        program = self.programs[name]
        await program.prepare()
        self.processes[name] = launch(program, self.home.log(name))
        await self.processes[name].healthy()


class Command:
    """The ``algotrendy`` command on one home, as a person would call it."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def __call__(self, *words: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.line(*words), capture_output=True, text=True, timeout=120, env=environment, check=False
        )

    def line(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "algotrendy_local", *words, "--home", str(self.home.root)]

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json").stdout)

    def row(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(row for row in self.json("status")["rows"] if row["name"] == name)
        return found


@asynccontextmanager
async def running_servers(*names: str, home: Path | None = None, migrate: bool = False) -> AsyncIterator[Servers]:
    """Servers out of ``nats postgres redis questdb``, healthy; ``migrate`` also makes streams, schemas and roles.

    Without ``home`` the data goes to a new folder that is removed afterwards.
    """
    unknown = set(names) - set(SERVERS)
    if unknown:
        raise ValueError(f"no such server: {', '.join(sorted(unknown))}; there are {', '.join(SERVERS)}")
    async with AsyncExitStack() as cleanup:
        root = home or Path(tempfile.mkdtemp(prefix="algotrendy-"))
        if home is None:
            cleanup.callback(unprivileged.remove, root)
            root.chmod(0o711)
        settings = LocalSettings.from_environment(home=root, port_base=None, replaced={})
        Home(root).make()
        place = Place.of(Home(root), cleanup.enter_context(take_block(None)), settings)
        servers = Servers(place.home, place.addresses, server_programs(place, names), {})
        async with AsyncExitStack() as running:
            await asyncio.gather(*(_started(servers, name, running) for name in names))
            if migrate:
                services = None if "postgres" in names else ()
                await migrations.up(servers.addresses, streams="nats" in names, services=services)
            yield servers


@contextmanager
def servers_running(*names: str, home: Path | None = None, migrate: bool = False) -> Iterator[Servers]:
    """``running_servers`` for fixtures that are not asynchronous; open it in the main thread."""
    with asyncio.Runner() as runner:
        manager = running_servers(*names, home=home, migrate=migrate)
        servers = runner.run(manager.__aenter__())
        try:
            yield servers
        finally:
            runner.run(manager.__aexit__(None, None, None))


async def _started(servers: Servers, name: str, running: AsyncExitStack) -> None:
    async def stop() -> None:
        if name in servers.processes:
            await servers.processes[name].stop()

    running.push_async_callback(stop)
    await servers.start(name)
