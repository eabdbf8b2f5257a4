"""What ``docker compose`` containers are told: ``python -m algotrendy_local.compose`` writes secrets and settings.

Invariant: what exists is kept, so running it again never locks a stack out of its own data.
"""

import json
import sys
from pathlib import Path

from algotrendy_common.approval import Signer
from algotrendy_common.permissions import nats_users
from algotrendy_common.schema import ServiceSchema, service_url
from algotrendy_common.subjects import SERVICES

from algotrendy_local.addresses import WITH_SCHEMA
from algotrendy_local.credentials import Credentials
from algotrendy_local.home import Home, write_private
from algotrendy_local.settings import project_root

HEALTH_PORT = 8080
VENUE = {"BINANCE_HTTP_URL": "http://simulator:9100", "BINANCE_WS_URL": "ws://simulator:9100"}


def server_environment(credentials: Credentials) -> dict[str, str]:
    """For the servers' own images, and for the step that migrates."""
    return {
        "POSTGRES_PASSWORD": credentials.password("postgres"),
        "REDIS_PASSWORD": credentials.password("redis"),
        "QDB_HTTP_USER": "algotrendy",
        "QDB_HTTP_PASSWORD": credentials.password("questdb"),
    }


def service_environment(service: str, credentials: Credentials) -> dict[str, str]:
    """Every setting of one service, as environment variables."""
    own: dict[str, str] = {
        "NATS_SEED_FILE": f"/run/keys/{service}.nkey",
        "HEALTH_HOST": "0.0.0.0",  # noqa: S104 - inside its own container
        "HEALTH_PORT": str(HEALTH_PORT),
    }
    if service in WITH_SCHEMA:
        schema = ServiceSchema(service, credentials.password(f"postgres-{service}"), Path())
        own["POSTGRES_URL"] = service_url(admin_url(credentials), schema)
    own |= _particulars(service, credentials)
    return {
        "ALGOTRENDY_NATS_URL": "nats://nats:4222",
        "ALGOTRENDY_NATS_MONITOR_URL": "http://nats:8222",
    } | {f"ALGOTRENDY_{service.upper()}_{name}": value for name, value in own.items()}


def migration_environment(credentials: Credentials) -> dict[str, str]:
    return {
        "ALGOTRENDY_NATS_URL": "nats://nats:4222",
        "ALGOTRENDY_POSTGRES_URL": admin_url(credentials),
        "ALGOTRENDY_LOCAL_MIGRATOR_SEED_FILE": "/run/stack/keys/migrator.nkey",
    }


def admin_url(credentials: Credentials) -> str:
    return f"postgresql://postgres:{credentials.password('postgres')}@postgres:5432/postgres"


def nats_configuration(credentials: Credentials) -> dict[str, object]:
    return {
        "server_name": "algotrendy",
        "listen": "0.0.0.0:4222",
        "http": "0.0.0.0:8222",
        "max_payload": 1024**2,
        "jetstream": {"store_dir": "/data", "sync_interval": "always"},
        "authorization": {"users": nats_users(credentials.nats_public_keys())},
    }


def write(folder: Path) -> list[Path]:
    """Write everything into ``folder``; returns the paths."""
    home = Home(folder)
    home.make()
    credentials = Credentials(home)
    files = {
        "nats.json": json.dumps(nats_configuration(credentials), indent=2),
        "servers.env": _lines(server_environment(credentials)),
        "migrate.env": _lines(migration_environment(credentials)),
    } | {f"{service}.env": _lines(service_environment(service, credentials)) for service in SERVICES}
    written = []
    for name, text in files.items():
        write_private(folder / name, text)
        written.append(folder / name)
    # A container's user is not the owner: single files are mounted, the folder around them stays closed.
    for file in (folder / "nats.json", *credentials.nats_seed_files().values()):
        file.chmod(0o644)
    return written


def _particulars(service: str, credentials: Credentials) -> dict[str, str]:
    approval_seed = credentials.signing_key("approval")
    match service:
        case "ingest":
            url = f"http://algotrendy:{credentials.password('questdb')}@questdb:9000"
            return VENUE | {"QUESTDB_URL": url, "REDIS_URL": _redis_url(credentials), "REPLAY": "true"}
        case "broker_gateway":
            return VENUE | {
                "BINANCE_API_KEY": "demo-key",
                "BINANCE_API_SECRET": "demo-secret",
                "APPROVAL_PUBLIC_KEY": Signer(approval_seed).public_key,
            }
        case "risk":
            return {"APPROVAL_SEED": approval_seed}
        case "gateway":
            return {
                "REDIS_URL": _redis_url(credentials),
                "TOKEN_KEY": credentials.signing_key("token"),
                "DEMO_PASSWORD": credentials.demo_password(),
                "PAGE_DIR": "/app/web",
            }
        case _:
            return {}


def _redis_url(credentials: Credentials) -> str:
    return f"redis://:{credentials.password('redis')}@redis:6379/0"


def _lines(environment: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in environment.items())


if __name__ == "__main__":
    for path in write(project_root() / ".algotrendy" / "docker"):
        sys.stdout.write(f"{path}\n")
