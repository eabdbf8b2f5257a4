"""Books that must not be wrong: the audit chain, the migrations, the demo's users."""

import asyncio
import random

import asyncpg
import pytest
import pytest_asyncio
from algotrendy_common.schema import migrate_down, migrate_up
from algotrendy_gateway.audit import Auditor
from algotrendy_gateway.store.audit import AuditTrail

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def trail(running):
    database = running.app._database
    trail = AuditTrail(database)
    auditor = Auditor(database, trail, running.app.events)
    for number in range(20):
        await auditor.alone("tester", "count", str(number), outcome="done")
    return trail


async def test_many_at_once_leave_no_gap(running, trail, sql):
    auditor = Auditor(running.app._database, trail, running.app.events)
    await asyncio.gather(*(auditor.alone("tester", "rush", str(n), outcome="done") for n in range(50)))
    row = await sql.fetchrow("SELECT count(*) AS lines, max(seq) AS last FROM audit")
    assert row["lines"] == row["last"]
    assert await trail.verify() is None


async def test_the_trail_only_grows(trail, sql):
    for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(asyncpg.RaiseError, match="only grows"):
            await sql.execute(statement)


@pytest.mark.parametrize("seed", range(12))
async def test_a_line_that_was_changed_behind_its_back_is_found(trail, sql, seed: int):
    chance = random.Random(seed)
    last = await sql.fetchval("SELECT max(seq) FROM audit")
    victim = chance.randrange(1, last)
    change = chance.choice(
        [
            "UPDATE audit SET actor = actor || 'x' WHERE seq = $1",
            "UPDATE audit SET after = 'forged' WHERE seq = $1",
            "UPDATE audit SET time = time + interval '1 second' WHERE seq = $1",
            "UPDATE audit SET hash = repeat('0', 64) WHERE seq = $1",
            "DELETE FROM audit WHERE seq = $1",
        ]
    )
    transaction = sql.transaction()
    await transaction.start()
    saved = await sql.fetch("SELECT * FROM audit WHERE seq = $1", victim)
    await sql.execute("ALTER TABLE audit DISABLE TRIGGER audit_only_grows")
    await sql.execute(change, victim)
    await transaction.commit()
    try:
        assert await trail.verify() == victim
    finally:
        await sql.execute("DELETE FROM audit WHERE seq = $1", victim)
        await sql.executemany("INSERT INTO audit VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)", [tuple(saved[0])])
        await sql.execute("ALTER TABLE audit ENABLE TRIGGER audit_only_grows")
    assert await trail.verify() is None


async def test_the_demo_has_three_roles_and_four_users(running, sql):
    rows = await sql.fetch("SELECT username, role FROM users ORDER BY username")
    assert [tuple(row) for row in rows] == [("ada", "admin"), ("tom", "trader"), ("uma", "trader"), ("vic", "viewer")]
    assert await sql.fetchval("SELECT count(*) FROM roles") == 3
    hashes = await sql.fetch("SELECT password_hash FROM users")
    assert all(row["password_hash"].startswith("$argon2id$") for row in hashes)


async def test_secrets_are_stored_as_hashes_only(running, sql):
    async with running.client() as http:
        body = {"username": "tom", "password": "correct horse battery staple"}
        answer = await http.post("/api/auth/login", json=body)
    secret = answer.cookies["algotrendy-refresh"]
    dump = str(await sql.fetch("SELECT * FROM refresh_tokens")) + str(await sql.fetch("SELECT * FROM sessions"))
    assert secret not in dump


async def test_migrations_go_down_and_up_again():
    """On servers of its own: everything is gone in between."""
    from algotrendy_local.testing import running_servers

    async with running_servers("postgres", migrate=True) as servers:
        schema, url = servers.addresses.schemas["gateway"], servers.addresses.postgres_url
        down = await asyncio.to_thread(migrate_down, url, schema)
        assert "0001.gateway" in down
        connection = await asyncpg.connect(servers.addresses.service_postgres_url("gateway"))
        tables = (
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'gateway' AND table_name = 'users'"
        )
        assert await connection.fetchval(tables) == 0
        assert "0001.gateway" in await asyncio.to_thread(migrate_up, url, schema)
        assert await connection.fetchval(tables) == 1
        await connection.close()


async def test_without_a_password_for_them_no_demo_users_are_made():
    from algotrendy_common.settings import load
    from algotrendy_gateway.service import build_app
    from algotrendy_gateway.settings import GatewaySettings
    from algotrendy_local.testing import running_servers

    async with running_servers("nats", "postgres", "redis", migrate=True) as bare:
        environment = bare.environment("gateway") | {"ALGOTRENDY_GATEWAY_TOKEN_KEY": "11" * 32}
        async with build_app(load(GatewaySettings, "gateway", environment)).running():
            connection = await asyncpg.connect(bare.addresses.service_postgres_url("gateway"))
            assert await connection.fetchval("SELECT count(*) FROM users") == 0
            await connection.close()
