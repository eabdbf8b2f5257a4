"""The server as its users start it: a process of its own, killed and started again."""

import asyncio
from pathlib import Path
from typing import Any

import ccxt.pro
import pytest
from algotrendy_simulator.testing import RunningVenue, running_venue

BTC = "BTC/USDT"


async def books(venue: RunningVenue) -> dict[str, Any]:
    names = ("books", "orders", "fills", "balances", "tape_hash")
    return {name: await venue.admin("GET", f"/admin/{name}") for name in names}


async def test_a_killed_venue_goes_on_where_it_was(tmp_path: Path) -> None:
    async with running_venue(speed=300, state=tmp_path, history=30) as venue:
        client = ccxt.pro.binance()
        venue.repoint(client)
        try:
            await client.create_order(BTC, "market", "buy", 1)
            resting = await client.create_order(BTC, "limit", "buy", 0.01, 15_000, {"clientOrderId": "rests"})
            async with asyncio.timeout(20):
                while (await venue.admin("GET", "/admin/status"))["cursor"][0] < 33:
                    await asyncio.sleep(0.05)
            await venue.admin("POST", "/admin/pause")
            before = await books(venue)
            status = await venue.admin("GET", "/admin/status")
        finally:
            await client.close()
        await venue.kill()
    async with running_venue(paused=True, state=tmp_path, history=30) as venue:
        assert await books(venue) == before
        again = await venue.admin("GET", "/admin/status")
        assert again["cursor"] == status["cursor"]
        client = ccxt.pro.binance()
        venue.repoint(client)
        try:
            assert (await client.fetch_order(None, BTC, {"clientOrderId": "rests"}))["id"] == resting["id"]
            candles = await client.fetch_ohlcv(BTC, "1m")
            assert len(candles) == status["cursor"][0] + 1
        finally:
            await client.close()


async def test_killed_at_full_speed_its_books_still_agree(tmp_path: Path) -> None:
    """Killed while it plays and trades: what it answered is there, and the sums hold."""
    answered: list[str] = []
    async with running_venue(speed=600, state=tmp_path, history=30) as venue:
        client = ccxt.pro.binance({"enableRateLimit": False})
        venue.repoint(client)
        try:
            await client.load_markets()

            async def trade() -> None:
                for number in range(1_000):
                    order = await client.create_order(
                        BTC, "market", "sell" if number % 3 == 2 else "buy", 0.01, None, {"clientOrderId": f"n{number}"}
                    )
                    answered.append(order["id"])

            task = asyncio.create_task(trade())
            async with asyncio.timeout(20):
                while len(answered) < 20:
                    await asyncio.sleep(0.01)
            await venue.kill()
            await asyncio.wait({task})
            assert task.exception() is not None
        finally:
            await client.close()
    async with running_venue(paused=True, state=tmp_path, history=30) as venue:
        orders = {str(order["orderId"]): order for order in await venue.admin("GET", "/admin/orders")}
        assert set(answered) <= set(orders)
        fills = await venue.admin("GET", "/admin/fills")
        balance = (await venue.admin("GET", "/admin/balances"))["paper-1"]
        bought = sum(float(fill["qty"]) * (1 if fill["isBuyer"] else -1) for fill in fills)
        fees = sum(float(fill["commission"]) for fill in fills if fill["commissionAsset"] == "BTC")
        assert abs(float(balance["BTC"]["total"]) - (bought - fees)) < 1e-9
        for order_id, order in orders.items():
            filled = sum(float(fill["qty"]) for fill in fills if str(fill["orderId"]) == order_id)
            assert abs(filled - float(order["executedQty"])) < 1e-9


async def test_options_come_from_the_environment_too(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("ALGOTRENDY_SIMULATOR_KEY", "from-environment")
    monkeypatch.setenv("ALGOTRENDY_SIMULATOR_QUOTE_BALANCE", "5")
    async with running_venue(paused=True, history=5) as venue:
        balances = await venue.admin("GET", "/admin/balances")
        assert balances == {"paper-1": {"USDT": {"free": "5", "locked": "0", "total": "5"}}}


async def test_a_variable_that_is_no_option_is_refused_by_its_name(monkeypatch: Any, capfd: Any) -> None:
    monkeypatch.setenv("ALGOTRENDY_SIMULATOR_QUOTE_BALLANCE", "5")
    with pytest.raises(RuntimeError, match="ended with status 2"):
        async with running_venue(paused=True, history=5):
            pass
    assert "ALGOTRENDY_SIMULATOR_QUOTE_BALLANCE" in capfd.readouterr().err
