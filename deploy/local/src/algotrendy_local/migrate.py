"""Streams, roles and schemas brought up to date, by the users that alone have the right to.

Invariant: repeating it changes nothing.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from algotrendy_common.schema import create_role, migrate_down, migrate_streams, migrate_up

from algotrendy_local.addresses import Addresses
from algotrendy_local.errors import StackError


@dataclass(frozen=True, slots=True)
class Migrated:
    """What was changed: names of streams and consumers made, ids of migrations by service."""

    streams: list[str] = field(default_factory=list)
    schemas: dict[str, list[str]] = field(default_factory=dict)


async def up(addresses: Addresses, *, streams: bool = True, services: Iterable[str] | None = None) -> Migrated:
    """Make what is missing, in all schemas where ``services`` is None; ``StackError`` names a step that failed."""
    wanted = list(addresses.schemas) if services is None else list(services)
    made: list[str] = []
    if streams:
        with _told("the streams of NATS"):
            made = await migrate_streams(addresses.nats_url, addresses.nats_seed_files.get("migrator"))
    applied = {}
    for service in wanted:
        with _told(f"the schema of {service}"):
            schema = addresses.schemas[service]
            await create_role(addresses.postgres_url, schema)
            applied[service] = await asyncio.to_thread(migrate_up, addresses.postgres_url, schema)
    return Migrated(made, applied)


async def down(addresses: Addresses, services: Iterable[str]) -> Migrated:
    """Take the schemas of these services back, newest migration first; their data goes with them."""
    undone = {}
    for service in services:
        with _told(f"the schema of {service}"):
            undone[service] = await asyncio.to_thread(migrate_down, addresses.postgres_url, addresses.schemas[service])
    return Migrated(schemas=undone)


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # Migrations are SQL of any service: whatever they raise, the start must end with the step's name.
        reason = str(error).strip().splitlines()
        raise StackError(
            "migration_failed", f"{what} cannot be migrated ({reason[0] if reason else type(error).__name__})"
        ) from error
