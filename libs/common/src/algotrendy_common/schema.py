"""Schemas, streams and consumers: made and changed in one place, by users that alone have the right to.

Invariant: every step can be repeated; running all of them on an installation that is up to date changes nothing.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import nats
import nats.js.errors
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from yoyo import get_backend, read_migrations

from algotrendy_common.permissions import MIGRATOR, deliver_subject
from algotrendy_common.subjects import BUCKETS, CATALOGUE, STREAMS, Bucket, Delivery, Storage, Stream, inbox_prefix

_COMMON = Path(__file__).parent / "migrations"
_NAME = re.compile(r"^[a-z_]+$")
DUPLICATE_WINDOW = timedelta(minutes=5)
ACK_WAIT = timedelta(seconds=6)
"""After it a reader that does not say that it is at work counts as dead, and its messages go to the next one."""


@dataclass(frozen=True, slots=True)
class ServiceSchema:
    """A service's schema: its name is the schema's and the role's; ``migrations`` holds its SQL, up and down."""

    service: str
    password: str
    migrations: Path


def service_url(admin_url: str, schema: ServiceSchema) -> str:
    """The URL by which the service itself connects, with its own role."""
    parts = urlsplit(admin_url)
    host = parts.netloc.rpartition("@")[2]
    login = f"{schema.service}:{quote(schema.password, safe='')}"
    return urlunsplit((parts.scheme, f"{login}@{host}", parts.path, parts.query, ""))


async def create_role(admin_url: str, schema: ServiceSchema) -> None:
    """A role that owns one schema and reaches no other; repeated, it only sets the password anew."""
    if not _NAME.match(schema.service):
        raise ValueError(f"{schema.service!r} is not a schema's name")
    name, password = schema.service, schema.password.replace("'", "''")
    connection = await asyncpg.connect(admin_url)
    try:
        if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", name):
            await connection.execute(f"CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE")
        await connection.execute(f"ALTER ROLE {name} LOGIN PASSWORD '{password}'")
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name} AUTHORIZATION {name}")
        await connection.execute(f"ALTER ROLE {name} SET search_path = {name}")
        await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        database = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'REVOKE CREATE, TEMPORARY ON DATABASE "{database}" FROM PUBLIC')
    finally:
        await connection.close()


def migrate_up(admin_url: str, schema: ServiceSchema) -> list[str]:
    """Apply what is missing, common plumbing first; returns the ids applied. Runs as the service's own role."""
    applied: list[str] = []
    for folder in (_COMMON, schema.migrations):
        if not folder.is_dir():
            continue
        backend = _backend(admin_url, schema)
        with backend.lock():
            wanted = backend.to_apply(read_migrations(str(folder)))
            backend.apply_migrations(wanted)
            applied += [migration.id for migration in wanted]
        backend.connection.close()
    return applied


def migrate_down(admin_url: str, schema: ServiceSchema) -> list[str]:
    """Take everything back, newest first; returns the ids rolled back. The data goes with it."""
    rolled_back: list[str] = []
    for folder in (schema.migrations, _COMMON):
        if not folder.is_dir():
            continue
        backend = _backend(admin_url, schema)
        with backend.lock():
            wanted = backend.to_rollback(read_migrations(str(folder)))
            backend.rollback_migrations(wanted)
            rolled_back += [migration.id for migration in wanted]
        backend.connection.close()
    return rolled_back


def _backend(admin_url: str, schema: ServiceSchema):  # type: ignore[no-untyped-def]  # yoyo has no types
    return get_backend(re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", service_url(admin_url, schema)))


async def migrate_streams(nats_url: str, seed_file: Path | None) -> list[str]:
    """Create or update every stream and durable consumer of the catalogue; returns the names that were made."""
    client = await nats.connect(
        nats_url,
        name="algotrendy-migrator",
        nkeys_seed=str(seed_file) if seed_file else None,
        inbox_prefix=inbox_prefix(MIGRATOR),
        max_reconnect_attempts=3,
        connect_timeout=5,
    )
    try:
        jetstream = client.jetstream(timeout=10)
        made = [stream.name for stream in STREAMS if await _put_stream(jetstream, stream)]
        made += [bucket.stream for bucket in BUCKETS if await _put_bucket(jetstream, bucket)]
        for row in CATALOGUE:
            for service, delivery in row.readers.items():
                if row.stream is None or delivery is Delivery.HOT:
                    continue
                config = ConsumerConfig(
                    durable_name=row.consumer(service),
                    filter_subject=row.wildcard,
                    ack_policy=AckPolicy.EXPLICIT,
                    ack_wait=ACK_WAIT.total_seconds(),
                    deliver_policy=DeliverPolicy.ALL,
                    max_ack_pending=5000 if delivery is Delivery.BATCH else 256,
                )
                if delivery is Delivery.DURABLE:
                    config.deliver_subject = deliver_subject(row, service)
                    config.deliver_group = row.consumer(service)
                if await _put_consumer(jetstream, row.stream.name, config):
                    made.append(row.consumer(service))
        return made
    finally:
        await client.close()


async def _put_stream(jetstream: JetStreamContext, stream: Stream) -> bool:
    config = StreamConfig(
        name=stream.name,
        subjects=sorted(row.wildcard for row in CATALOGUE if row.stream is stream),
        storage=StorageType.MEMORY if stream.storage is Storage.MEMORY else StorageType.FILE,
        retention=RetentionPolicy.WORK_QUEUE if stream.work_queue else RetentionPolicy.LIMITS,
        discard=DiscardPolicy.NEW if stream.discard_new else DiscardPolicy.OLD,
        max_age=stream.max_age.total_seconds() if stream.max_age else 0,
        max_bytes=stream.max_bytes or -1,
        duplicate_window=DUPLICATE_WINDOW.total_seconds(),
        deny_delete=stream.sealed,
        deny_purge=stream.sealed,
        num_replicas=1,
    )
    return await _put(jetstream, stream.name, config)


async def _put_bucket(jetstream: JetStreamContext, bucket: Bucket) -> bool:
    """As NATS's own clients make a bucket."""
    config = StreamConfig(
        name=bucket.stream,
        description=bucket.meaning,
        subjects=[f"$O.{bucket.name}.C.>", f"$O.{bucket.name}.M.>"],
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_age=bucket.max_age.total_seconds(),
        max_bytes=bucket.max_bytes,
        allow_rollup_hdrs=True,
        allow_direct=True,
        num_replicas=1,
    )
    return await _put(jetstream, bucket.stream, config)


async def _put(jetstream: JetStreamContext, name: str, config: StreamConfig) -> bool:
    try:
        await jetstream.stream_info(name)
    except nats.js.errors.NotFoundError:
        await jetstream.add_stream(config)
        return True
    await jetstream.update_stream(config)
    return False


async def _put_consumer(jetstream: JetStreamContext, stream: str, config: ConsumerConfig) -> bool:
    assert config.durable_name is not None
    try:
        await jetstream.consumer_info(stream, config.durable_name)
    except nats.js.errors.NotFoundError:
        await jetstream.add_consumer(stream, config=config)
        return True
    await jetstream.add_consumer(stream, config=config)
    return False
