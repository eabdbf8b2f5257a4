"""Servers and services that go away: what still works, what says that it does not, and what is never let through."""

import asyncio

import pytest
from algotrendy_common.clock import monotonic_s
from algotrendy_local.testing import servers_running

pytestmark = pytest.mark.asyncio(loop_scope="session")
PASSWORD = "correct horse battery staple"
XHR = {"X-Requested-With": "algotrendy"}


@pytest.fixture(scope="module")
def servers():
    """Servers of this module's own, to be killed."""
    with servers_running("nats", "postgres", "redis", migrate=True) as running:
        yield running


async def until(find, patience_s: float = 60.0):
    deadline = monotonic_s() + patience_s
    while True:
        if found := await find():
            return found
        assert monotonic_s() < deadline, "it did not come to pass"
        await asyncio.sleep(0.05)


async def status(gateway, method: str, path: str, headers, **options) -> int:
    async with gateway.client() as http:
        return (await http.request(method, path, headers=headers, **options)).status_code


async def test_without_redis_everything_goes_on_and_logging_out_still_counts(servers, gateways, players):
    async with players("broker_gateway"), gateways() as gateway:
        trader = await gateway.login("tom")
        guess = {"username": "ada", "password": "x"}
        assert [await status(gateway, "POST", "/api/auth/login", {}, json=guess) for _ in range(3)] == [401] * 3
        await servers.kill("redis")
        try:
            assert await status(gateway, "GET", "/api/auth/me", trader) == 200
            async with gateway.client() as http:
                body = {"username": "uma", "password": PASSWORD}
                login = await http.post("/api/auth/login", json=body)
                assert login.status_code == 200
                access = {"Authorization": f"Bearer {login.json()['access_token']}"}
                assert (await http.post("/api/auth/logout", headers=XHR)).status_code == 200
                assert (await http.get("/api/auth/me", headers=access)).status_code == 401
                wrong = [(await http.post("/api/auth/login", json=guess)).status_code for _ in range(4)]
                assert wrong[-1] == 429, "this process knows of the guesses before, too"
        finally:
            await servers.start("redis")
        assert await status(gateway, "GET", "/api/auth/me", trader) == 200


async def test_a_session_that_ended_while_redis_was_away_stays_ended(servers, gateways, players):
    async with players("broker_gateway"), gateways() as gateway, gateway.client() as http:
        login = await http.post("/api/auth/login", json={"username": "tom", "password": PASSWORD})
        access = {"Authorization": f"Bearer {login.json()['access_token']}"}
        assert (await http.get("/api/auth/me", headers=access)).status_code == 200
        await servers.kill("redis")
        try:
            assert (await http.post("/api/auth/logout", headers=XHR)).status_code == 200
        finally:
            await servers.start("redis")
        await asyncio.sleep(1.1)  # the longest that the cache may still say otherwise
        assert (await http.get("/api/auth/me", headers=access)).status_code == 401


async def test_with_neither_redis_nor_postgres_nobody_is_let_in(servers, gateways, players):
    async with players("broker_gateway"), gateways() as gateway:
        trader = await gateway.login("tom")
        await servers.kill("redis")
        await servers.kill("postgres")
        try:
            assert await status(gateway, "GET", "/api/accounts", trader) == 503
            body = {"username": "ada", "password": PASSWORD}
            assert await status(gateway, "POST", "/api/auth/login", {}, json=body) == 503
            assert await status(gateway, "GET", "/readyz", {}) == 503
        finally:
            await servers.start("postgres")
            await servers.start("redis")

        async def back() -> bool:
            return await status(gateway, "GET", "/api/accounts", trader) == 200

        await until(back)


async def test_a_service_that_is_not_there_is_named(servers, gateways, players):
    async with players("broker_gateway") as world, gateways() as gateway:

        async def known() -> bool:
            return (await gateway.call("vic", "GET", "/api/accounts")).status_code == 200

        await until(known)
        for path, service in (
            ("/api/instruments", "ingest"),
            ("/api/candles?venue=binance&symbol=BTC-USDT", "ingest"),
            ("/api/strategies", "agent"),
            ("/api/signals", "agent"),
        ):
            answer = await gateway.call("vic", "GET", path)
            assert answer.status_code == 503, path
            assert answer.json()["error"]["missing"] == [service]
            assert answer.json()["error"]["code"] == "service_missing"
        answer = await gateway.call("tom", "POST", "/api/halt", json={"scope": "all", "reason": "r"})
        assert answer.json()["error"]["missing"] == ["risk"]
        answer = await gateway.call("tom", "POST", "/api/orders", json=world.ticket())
        assert answer.json()["error"]["missing"] == ["ingest"]


async def test_an_answer_that_lacks_something_says_so(servers, gateways, players):
    async with players("broker_gateway") as world, gateways() as gateway:

        async def known() -> bool:
            return (await gateway.call("vic", "GET", "/api/accounts")).status_code == 200

        await until(known)
        overview = (await gateway.call("vic", "GET", "/api/overview?account=paper-1")).json()
        assert {"risk", "ingest", "agent", "backtest"} <= set(overview["missing"])
        assert overview["trading_state"] is None
        assert overview["equity"] is None
        order = world.order()
        world.orders[order.terms.order_id] = order
        orders = await gateway.call("vic", "GET", "/api/orders?account=paper-1")
        assert [found["order_id"] for found in orders.json()] == [order.terms.order_id]
        assert orders.headers["x-algotrendy-missing"] == "risk"
        runs = await gateway.call("vic", "GET", "/api/backtests")
        assert runs.headers["x-algotrendy-missing"] == "backtest"


async def test_without_anybody_the_gateway_still_says_what_it_is(servers, gateways):
    async with gateways() as gateway, gateway.client() as http:
        found = (await http.get("/api/public/status")).json()
        assert (found["mode"], found["ready"]) == (None, False)
        answer = await gateway.call("vic", "GET", "/api/accounts")
        assert answer.json()["error"]["missing"] == ["broker_gateway"]


async def test_an_order_sent_while_nats_is_away_is_published_when_it_is_back(servers, gateways, players):
    from algotrendy_common.schema import migrate_streams

    async with players("ingest", "broker_gateway", "risk") as world, gateways() as gateway:
        await gateway.synchronised()
        ticket = world.ticket()
        await servers.kill("nats")
        try:
            answer = await gateway.call("tom", "POST", "/api/orders", json=ticket)
            assert answer.status_code == 202
        finally:
            await servers.start("nats")
            await migrate_streams(servers.addresses.nats_url, servers.addresses.nats_seed_files["migrator"])

        async def published() -> bool:
            import asyncpg

            connection = await asyncpg.connect(servers.addresses.service_postgres_url("gateway"))
            try:
                return await connection.fetchval(
                    "SELECT published_at IS NOT NULL FROM outbox WHERE subject = 'order.proposed' AND body LIKE $1",
                    f"%{ticket['order_id']}%",
                )
            finally:
                await connection.close()

        await until(published, 30)
