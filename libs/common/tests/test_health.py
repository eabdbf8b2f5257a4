"""Readiness tells the truth, and says what is wrong."""

import httpx
from algotrendy_common.health import orders_are_synced
from algotrendy_common.testing.waiting import eventually


async def test_ready_means_that_bus_and_store_answer(app_of, servers):
    app = app_of("risk")
    app.uses_database()
    async with app.running(), httpx.AsyncClient(base_url=f"http://127.0.0.1:{app.http_port}") as http:
        assert (await http.get("/healthz")).json()["alive"] is True
        assert (await http.get("/readyz")).json() == {"service": "risk", "ready": True, "problems": {}}
        assert "algotrendy_handling_seconds" in (await http.get("/metrics")).text
        await servers.kill("postgres")

        async def unready() -> bool:
            answer = await http.get("/readyz")
            return answer.status_code == 503 and "database" in answer.json()["problems"]

        await eventually(unready)
        await servers.start("postgres")

        async def ready_again() -> bool:
            return (await http.get("/readyz")).status_code == 200

        await eventually(ready_again)


async def test_the_server_itself_proves_that_messages_are_synced(servers):
    assert await orders_are_synced(servers.addresses.nats_monitor_url)() is None
    assert "does not answer" in (await orders_are_synced("http://127.0.0.1:9")() or "")
