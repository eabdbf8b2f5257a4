"""Where the servers answer, ours or others', and what each service is told of them.

Invariant: a service is given its own secrets and nobody else's.
"""

from dataclasses import dataclass, field
from pathlib import Path

from algotrendy_common.schema import ServiceSchema, service_url
from algotrendy_common.subjects import SERVICES

from algotrendy_local.credentials import Credentials
from algotrendy_local.ports import PortBlock
from algotrendy_local.servers import postgres, questdb
from algotrendy_local.settings import LocalSettings, project_root

WITH_SCHEMA = tuple(service for service in SERVICES if service != "ingest")
"""Services that keep books; ingest keeps its own in QuestDB."""


@dataclass(frozen=True, slots=True)
class Addresses:
    nats_url: str
    nats_monitor_url: str | None
    postgres_url: str = field(repr=False)
    """Of the administrator, for migrations; services get a role of their own."""
    redis_url: str = field(repr=False)
    questdb_url: str = field(repr=False)
    """HTTP, user and password included; takes SQL and ILP lines."""
    nats_seed_files: dict[str, Path]
    """Empty where NATS is not ours and no seeds were given."""
    schemas: dict[str, ServiceSchema] = field(repr=False)

    @classmethod
    def of(cls, ports: PortBlock, credentials: Credentials, settings: LocalSettings) -> "Addresses":
        elsewhere = settings.replaced
        redis, quest = credentials.password("redis"), credentials.password("questdb")
        return cls(
            nats_url=elsewhere.get("nats", f"nats://127.0.0.1:{ports['nats']}"),
            nats_monitor_url=None if "nats" in elsewhere else f"http://127.0.0.1:{ports['nats_monitor']}",
            postgres_url=elsewhere.get("postgres", postgres.url(ports["postgres"], credentials.password("postgres"))),
            redis_url=elsewhere.get("redis", f"redis://:{redis}@127.0.0.1:{ports['redis']}/0"),
            questdb_url=elsewhere.get("questdb", f"http://{questdb.USER}:{quest}@127.0.0.1:{ports['questdb']}"),
            nats_seed_files=_external_seeds(settings) if "nats" in elsewhere else credentials.nats_seed_files(),
            schemas={
                service: ServiceSchema(
                    service,
                    credentials.password(f"postgres-{service}"),
                    project_root() / "services" / service / "migrations",
                )
                for service in WITH_SCHEMA
            },
        )

    def nats_seed(self, user: str) -> str | None:
        """The nkey seed of a user, for clients that want its text."""
        file = self.nats_seed_files.get(user)
        return file.read_text().strip() if file else None

    def service_postgres_url(self, service: str) -> str:
        """By which a service connects: its own role, its own schema."""
        return service_url(self.postgres_url, self.schemas[service])

    def service_environment(self, service: str) -> dict[str, str]:
        """The settings that tell ``service`` of the servers, as environment variables."""
        own = f"ALGOTRENDY_{service.upper()}_"
        environment = {"ALGOTRENDY_NATS_URL": self.nats_url}
        if self.nats_monitor_url:
            environment["ALGOTRENDY_NATS_MONITOR_URL"] = self.nats_monitor_url
        if service in self.nats_seed_files:
            environment[f"{own}NATS_SEED_FILE"] = str(self.nats_seed_files[service])
        if service in self.schemas:
            environment[f"{own}POSTGRES_URL"] = self.service_postgres_url(service)
        if service == "ingest":
            environment[f"{own}QUESTDB_URL"] = self.questdb_url
        if service in ("ingest", "gateway"):
            environment[f"{own}REDIS_URL"] = self.redis_url
        return environment


def _external_seeds(settings: LocalSettings) -> dict[str, Path]:
    """Seed files of a NATS server that is not ours, as far as the environment names them."""
    given = {
        service: settings.environment.get(f"ALGOTRENDY_{service.upper()}_NATS_SEED_FILE", "") for service in SERVICES
    }
    given["migrator"] = str(settings.migrator_seed_file or "")
    return {user: Path(file) for user, file in given.items() if file}
