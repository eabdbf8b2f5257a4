"""The only file of a service's plumbing that reads the environment, and it does so once, at start.

Invariant: a service starts with settings that are complete and right, or it does not start and says everything
that is wrong at once. Names: ``ALGOTRENDY_<FIELD>`` for what all services share, ``ALGOTRENDY_<SERVICE>_<FIELD>``
for what one service alone is told.
"""

import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

PREFIX = "ALGOTRENDY_"
SECTIONS = ("INGEST", "BROKER_GATEWAY", "RISK", "AGENT", "BACKTEST", "GATEWAY", "SIMULATOR", "LOCAL", "BENCH", "TEST")


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlatformSettings(Section):
    """What every service is told alike."""

    nats_url: str = "nats://127.0.0.1:4222"
    nats_monitor_url: str | None = None
    """Where ``/varz`` answers; given, readiness proves that acknowledged messages are on disk."""
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    otlp_endpoint: str | None = None
    """OTLP over HTTP; without it spans go to files in ``trace_dir``, or nowhere."""
    trace_dir: Path | None = None
    trace_ratio: float = Field(1.0, ge=0, le=1)
    """Share of ticks whose whole path is recorded."""


class ServiceSettings(Section):
    """What one service is told: subclasses add fields of their own."""

    platform: PlatformSettings
    nats_seed_file: Path | None = None
    """File with the nkey seed of the service's NATS user; None only against a server without users."""
    postgres_url: SecretStr | None = None
    """With the service's own role, which reaches its own schema only."""
    health_host: str = "127.0.0.1"
    health_port: int = Field(0, ge=0, le=65535)
    """For ``/healthz``, ``/readyz`` and ``/metrics``; 0 takes a free one."""
    stop_timeout: timedelta = timedelta(seconds=10)


class SettingsRefused(Exception):
    """Settings that cannot be used; ``violations`` has a line each."""

    def __init__(self, violations: list[str]) -> None:
        super().__init__("\n".join(violations))
        self.violations = violations


def load[S: ServiceSettings](settings_class: type[S], service: str, environment: dict[str, str] | None = None) -> S:
    """Settings of a service from the environment; raises ``SettingsRefused`` with every violation together."""
    source = dict(os.environ) if environment is None else environment
    own_prefix = f"{PREFIX}{service.upper()}_"
    others = tuple(f"{PREFIX}{section}_" for section in SECTIONS if section != service.upper())
    shared: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for name, value in source.items():
        if name.startswith(own_prefix):
            own[name.removeprefix(own_prefix).lower()] = value
        elif name.startswith(PREFIX) and not name.startswith(others):
            shared[name.removeprefix(PREFIX).lower()] = value
    violations: list[str] = []
    platform = _build(PlatformSettings, shared, PREFIX, violations)
    settings = _build(settings_class, own | {"platform": platform or PlatformSettings()}, own_prefix, violations)
    if violations or settings is None:
        raise SettingsRefused(violations)
    return settings


def load_or_exit[S: ServiceSettings](settings_class: type[S], service: str) -> S:
    """``load``, or end the process with status 2 and all violations on standard error."""
    try:
        return load(settings_class, service)
    except SettingsRefused as refused:
        _exit(service, refused)


def _exit(service: str, refused: SettingsRefused) -> NoReturn:
    lines = "\n".join(f"  {violation}" for violation in refused.violations)
    sys.stderr.write(f"{service} does not start, {len(refused.violations)} setting(s) refused:\n{lines}\n")
    raise SystemExit(2)


def _build[S: Section](model: type[S], values: dict[str, Any], prefix: str, violations: list[str]) -> S | None:
    try:
        return model.model_validate(_decoded(model, values))
    except ValidationError as error:
        for problem in error.errors():
            name = prefix + "__".join(str(part) for part in problem["loc"]).upper()
            message = "no such setting" if problem["type"] == "extra_forbidden" else problem["msg"]
            violations.append(f"{name}: {message}")
        return None


def _decoded(model: type[Section], values: dict[str, Any]) -> dict[str, Any]:
    """Text of the environment as each field wants it: ``a,b`` for tuples, JSON for anything nested."""
    decoded = {}
    for name, value in values.items():
        field = model.model_fields.get(name)
        origin = getattr(field.annotation, "__origin__", None) if field else None
        if isinstance(value, str) and origin in (tuple, list) and not value.lstrip().startswith("["):
            decoded[name] = [part.strip() for part in value.split(",") if part.strip()]
        elif isinstance(value, str) and value.lstrip().startswith(("{", "[")):
            decoded[name] = _json(value)
        else:
            decoded[name] = value
    return decoded


def _json(text: str) -> Any:
    """The value, or the text itself where it is no JSON, so that the field's own check can refuse it."""
    try:
        return json.loads(text)
    except ValueError:
        return text
