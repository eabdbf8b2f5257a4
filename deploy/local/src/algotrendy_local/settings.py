"""The only file of the embedded stack that reads the environment, once, when a command starts.

Invariant: a URL given here replaces the embedded server of that kind, which is then not started.
"""

import os
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

SERVER_URLS = {
    "nats": "ALGOTRENDY_NATS_URL",
    "postgres": "ALGOTRENDY_POSTGRES_URL",
    "redis": "ALGOTRENDY_REDIS_URL",
    "questdb": "ALGOTRENDY_QUESTDB_URL",
}
_OWN = "ALGOTRENDY_LOCAL_"
DEFAULT_PORT_BASE = 8000


class LocalSettings(BaseModel):
    """Where the stack lives and which servers stand elsewhere.

    Raises pydantic's ``ValidationError`` with all violations when built from a wrong environment.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(default_factory=lambda: project_root() / ".algotrendy")
    cache: Path = Field(default_factory=lambda: project_root() / ".algotrendy" / "cache")
    """Downloaded files, shared by every home of a checkout."""
    port_base: int | None = Field(DEFAULT_PORT_BASE, ge=1024, le=65000)
    """First port of the stack's block; None takes a free block."""
    migrator_seed_file: Path | None = None
    """File with the nkey seed of the migrator on a NATS server that ``ALGOTRENDY_NATS_URL`` names."""
    replaced: dict[str, str] = {}
    """URL of each server that is not ours to start, by server name."""
    environment: dict[str, str] = {}
    """What the command itself was started with, for its children."""

    @classmethod
    def from_environment(cls, **chosen: object) -> "LocalSettings":
        """Settings from the environment; ``chosen`` (from the command line) wins."""
        source = dict(os.environ)
        own = {name.removeprefix(_OWN).lower(): value for name, value in source.items() if name.startswith(_OWN)}
        replaced = {server: source[name] for server, name in SERVER_URLS.items() if source.get(name)}
        return cls.model_validate(own | {"replaced": replaced, "environment": source} | chosen)

    @cached_property
    def inherited(self) -> dict[str, str]:
        """The environment without any setting of the platform: what a server may see."""
        return {name: value for name, value in self.environment.items() if not name.startswith("ALGOTRENDY_")}


def project_root() -> Path:
    """The checkout this package is installed from, else the working directory."""
    checkout = Path(__file__).resolve().parents[4]
    return checkout if (checkout / "deploy" / "local" / "pyproject.toml").is_file() else Path.cwd()
