"""The whole stack, one row a program: what runs, what it waits for, what it is told.

Invariant: a row starts when all it depends on is well, and rows stop in the reverse order.
"""

import sys
from collections.abc import Collection
from dataclasses import dataclass

from algotrendy_common.approval import Signer
from algotrendy_common.settings import PREFIX, SECTIONS

from algotrendy_local import migrate, probes
from algotrendy_local.addresses import Addresses
from algotrendy_local.credentials import Credentials
from algotrendy_local.errors import StackError
from algotrendy_local.home import Home
from algotrendy_local.ports import PortBlock
from algotrendy_local.program import Job, Program, Row
from algotrendy_local.servers import nats, postgres, questdb, redis
from algotrendy_local.settings import SERVER_URLS, LocalSettings, project_root

SERVERS = ("nats", "postgres", "redis", "questdb")


@dataclass(frozen=True)
class Place:
    """All that rows are made from."""

    home: Home
    ports: PortBlock
    credentials: Credentials
    settings: LocalSettings
    addresses: Addresses

    @classmethod
    def of(cls, home: Home, ports: PortBlock, settings: LocalSettings) -> "Place":
        credentials = Credentials(home)
        return cls(home, ports, credentials, settings, Addresses.of(ports, credentials, settings))


def stack(place: Place) -> list[Row]:
    """Servers, migrations, the simulated venue and the six services."""
    approval_seed = place.credentials.signing_key("approval")
    venue = {
        "BINANCE_HTTP_URL": f"http://127.0.0.1:{place.ports['simulator']}",
        "BINANCE_WS_URL": f"ws://127.0.0.1:{place.ports['simulator']}",
    }
    broker_gateway = service(
        place,
        "broker_gateway",
        ("migrate", "simulator"),
        venue
        | {
            "BINANCE_API_KEY": "demo-key",
            "BINANCE_API_SECRET": "demo-secret",
            "APPROVAL_PUBLIC_KEY": Signer(approval_seed).public_key,
            "KILL_FILE": str(place.home.kill_file),
        },
    )
    return [
        *server_programs(place, SERVERS).values(),
        Job("migrate", lambda: _migrated(place), depends_on=("nats", "postgres")),
        simulator(place),
        service(place, "ingest", ("migrate", "questdb", "simulator"), venue | {"REPLAY": "true"}),
        broker_gateway,
        watchdog(broker_gateway),
        service(
            place,
            "risk",
            ("migrate",),
            {"APPROVAL_SEED": approval_seed, "KILL_FILE": str(place.home.kill_file)},
        ),
        service(place, "agent", ("migrate",), {"QDRANT_PATH": str(place.home.data("qdrant"))}),
        service(place, "backtest", ("migrate",), {}),
        service(
            place,
            "gateway",
            ("migrate", "redis"),
            {
                "DEMO_PASSWORD": place.credentials.demo_password(),
                "TOKEN_KEY": place.credentials.signing_key("token"),
                "PAGE_DIR": str(project_root() / "web" / "out"),
            },
        ),
    ]


def needed(rows: list[Row], names: Collection[str]) -> list[Row]:
    """The named rows and all they depend on, in the same order; raises ``StackError`` for a name that is none."""
    by_name = {row.name: row for row in rows}
    wanted: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in by_name:
            raise StackError("no_such_program", f"there is no program {name}", f"there are: {', '.join(by_name)}")
        wanted.add(name)
        pending += [other for other in by_name[name].depends_on if other in by_name and other not in wanted]
    return [row for row in rows if row.name in wanted]


def server_programs(place: Place, names: tuple[str, ...]) -> dict[str, Program]:
    """Those of the servers that are ours to start."""
    arguments = (place.home, place.ports, place.credentials, place.settings.inherited)
    makers = {
        "nats": lambda: nats.program(*arguments),
        "postgres": lambda: postgres.program(*arguments),
        "redis": lambda: redis.program(*arguments),
        "questdb": lambda: questdb.program(*arguments, place.settings.cache),
    }
    return {name: makers[name]() for name in names if name not in place.settings.replaced}


def simulator(place: Place) -> Program:
    """The venue, played from recorded data."""
    port = place.ports["simulator"]
    told = {
        "ALGOTRENDY_SIMULATOR_HOST": "127.0.0.1",
        "ALGOTRENDY_SIMULATOR_PORT": str(port),
        "ALGOTRENDY_SIMULATOR_STATE": str(place.home.data("simulator")),
    }
    return Program(
        name="simulator",
        command=(sys.executable, "-m", "algotrendy_simulator"),
        port=port,
        probe=probes.http(f"http://127.0.0.1:{port}/api/v3/ping"),
        environment=_environment(place.settings, "simulator", {"ALGOTRENDY_SIMULATOR_SPEED": "60"}, told),
        folder=place.home.root,
    )


def service(place: Place, name: str, depends_on: tuple[str, ...], settings: dict[str, str]) -> Program:
    """One of the six; ``settings`` are its own, without their prefix."""
    port, own = place.ports[name], f"{PREFIX}{name.upper()}_"
    defaults = place.addresses.service_environment(name) | {f"{own}{key}": value for key, value in settings.items()}
    defaults["ALGOTRENDY_TRACE_DIR"] = str(place.home.root / "traces")
    return Program(
        name=name,
        command=(sys.executable, "-m", f"algotrendy_{name}"),
        port=port,
        probe=probes.http(f"http://127.0.0.1:{port}/readyz"),
        alive=probes.http(f"http://127.0.0.1:{port}/healthz"),
        environment=_environment(place.settings, name, defaults, {f"{own}HEALTH_PORT": str(port)}),
        folder=place.home.root,
        depends_on=depends_on,
    )


def watchdog(broker_gateway: Program) -> Program:
    """The dead man's switch of venues that have none: told what the broker gateway is told, and dependent on nothing
    of it but its rows."""
    return Program(
        name="dead_man",
        command=(sys.executable, "-m", "algotrendy_broker_gateway.dead_man"),
        port=0,
        probe=_runs,
        environment=broker_gateway.environment,
        folder=broker_gateway.folder,
        depends_on=("migrate",),
    )


async def _runs() -> None:
    """It answers nobody: that its process lives, the supervisor sees by itself."""


def _environment(settings: LocalSettings, name: str, defaults: dict[str, str], fixed: dict[str, str]) -> dict[str, str]:
    """In rising order: the system's, our defaults, what the person set for this program or for all, what is fixed."""
    others = tuple(f"{PREFIX}{section}_" for section in SECTIONS if section != name.upper())
    chosen = {
        variable: value
        for variable, value in settings.environment.items()
        if variable.startswith(PREFIX) and not variable.startswith(others) and variable not in SERVER_URLS.values()
    }
    return settings.inherited | {"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2"} | defaults | chosen | fixed


async def _migrated(place: Place) -> str:
    changed = await migrate.up(place.addresses)
    migrations = sum(len(applied) for applied in changed.schemas.values())
    return f"streams and consumers made: {len(changed.streams)}, migrations applied: {migrations}"
