"""A gateway that falls silent: the venue's own switch where it has one, the watchman where it has none."""

import asyncio
import json
import os
import sys
from datetime import timedelta
from decimal import Decimal

import pytest
from algotrendy_broker_gateway.accounts.watchman import Watchman
from algotrendy_broker_gateway.errors import VenueRefused, VenueUnreachable
from algotrendy_broker_gateway.store.leases import LeaseStore
from algotrendy_common.database import Database
from algotrendy_common.enums import Severity, Side
from algotrendy_common.events.ops import AlertRaised
from algotrendy_common.ids import new_id
from algotrendy_common.testing.waiting import eventually
from algotrendy_simulator.testing import running_venue

LIMIT_S = 10


@pytest.fixture
async def database(servers):
    database = Database(servers.addresses.service_postgres_url("broker_gateway"), check=lambda event: None)
    await database.connect()
    yield database
    await database.close()


async def watchman_process(world, limit: str) -> asyncio.subprocess.Process:
    """``dead_man`` as a process of its own."""
    log = (world.servers.home.logs / "dead_man.log").open("a")
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "algotrendy_broker_gateway.dead_man",
        env=os.environ | world.environment(HEARTBEAT_LIMIT=limit, **world.hurried),
        stdout=log,
        stderr=log,
    )


async def working(world) -> list[str]:
    return [one["clientOrderId"] for one in await world.venue_orders() if one["status"] == "NEW"]


async def test_the_watchman_cancels_entries_of_a_gateway_that_was_killed_and_leaves_its_exits(world):
    watching = await watchman_process(world, "PT8S")
    try:
        async with world.process(**world.hurried) as gateway:
            orders = [await world.approve_resting(quantity=Decimal("0.002")) for _ in range(3)]
            for terms in orders:
                await world.reaches(terms.order_id, "open")
            price = (await world.best(Side.BUY) / 2).quantize(Decimal("0.01"))
            asked = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS", "quantity": "0.01"}
            stop = await world.by_hand("POST", "/api/v3/order", stopPrice=str(price), **asked)
            assert len(await working(world)) == 4  # all stand while the gateway lives
            gateway.kill()
            await gateway.wait()
            await world.servers.kill("nats")  # it acts without the bus, and tells as soon as there is one

        async def only_the_exit() -> bool:
            return await working(world) == [stop["clientOrderId"]]

        await eventually(only_the_exit, within_s=120)
        assert world.alerts("dead_man_acted") == []
        await world.servers.start("nats")
        told = await world.hears(AlertRaised, lambda alert: alert.code == "dead_man_acted")
        assert (told.context["account"], told.severity) == (world.account, Severity.CRITICAL)
        assert "3 cancelled" in told.message
        assert len(world.alerts("gateway_silent")) == 1
        async with world.running():  # the next gateway hears of it, and trades on
            for terms in orders:
                await world.reaches(terms.order_id, "cancelled")
            await world.books_equal_the_venues()
    finally:
        watching.terminate()
        assert await asyncio.wait_for(watching.wait(), 20) == 0


async def test_the_watchman_leaves_an_account_alone_whose_gateway_ended_cleanly(world, database):
    opened: list[str] = []

    async def connected():
        opened.append("asked for")
        raise AssertionError("nothing is to be cancelled")

    alarm = Alarms()
    watchman = Watchman(LeaseStore(database), {world.account: connected}, timedelta(milliseconds=1500), alarm)
    async with world.running(**world.hurried):
        await world.approve_resting(quantity=Decimal("0.002"))
        assert await watchman.look() == []

    async def long_silent() -> bool:
        beat = (await LeaseStore(database).heartbeats([world.account]))[world.account]
        return beat.released and beat.silent_s > 2

    await eventually(long_silent)
    assert await watchman.look() == []
    assert opened == alarm.codes == []


class Alarms:
    """What people are told."""

    def __init__(self) -> None:
        self.codes: list[str] = []

    def alert(self, severity: Severity, code: str, message: str, **context: object) -> None:
        self.codes.append(code)


async def test_people_are_told_once_that_the_watchman_cannot_act_and_of_each_change(servers, database):
    answers: list[Exception] = [VenueUnreachable("no route")] * 2 + [VenueRefused("key_refused", "no such key")] * 9

    async def connected():
        raise answers.pop(0)

    account, alarm, leases = new_id(), Alarms(), LeaseStore(database)
    await leases.take([account], "a gateway that dies at once", timedelta(seconds=1))
    watchman = Watchman(leases, {account: connected}, timedelta(seconds=1), alarm)
    await eventually(watchman.look)
    for _ in range(3):
        assert await watchman.look() == [account]
    assert alarm.codes == ["gateway_silent", "dead_man_cannot_act", "dead_man_cannot_act"]
    await servers.kill("postgres")
    try:
        for _ in range(2):
            assert await watchman.look() == [account]  # a store that is away is silence too
    finally:
        await servers.start("postgres")
    assert alarm.codes[3:] == ["dead_man_blind"]


async def test_the_venues_own_switch_is_armed_while_entries_work_and_fires_after_a_kill(world):
    async with running_venue(venue="okx", speed=1, history=30) as okx:
        body = {"account": world.account, "key": world.account, "secret": world.account, "passphrase": "p"}
        await okx.admin("POST", "/admin/accounts", body | {"balances": {"USDT": "100000", "BTC": "1"}})
        account = {
            "account": world.account,
            "venue": "okx",
            "http_url": okx.http,
            "ws_url": okx.ws,
            "symbols": ["BTC-USDT"],
            "api_key": world.account,
            "api_secret": world.account,
            "passphrase": "p",
        }
        changes = {"ACCOUNTS": json.dumps([account]), "HEARTBEAT_LIMIT": f"PT{LIMIT_S}S"} | world.hurried

        async def states() -> set[str]:
            return {one["status"] for one in await okx.admin("GET", f"/admin/orders?account={world.account}")}

        async with world.process(**changes) as gateway:
            terms = await world.approve_resting(venue="okx", quantity=Decimal("0.002"))
            await world.reaches(terms.order_id, "open")
            log = world.servers.home.logs / "broker_gateway-test.log"
            await eventually(lambda: '"armed": true' in log.read_text())
            assert await states() == {"NEW"}
            gateway.kill()
            await gateway.wait()

        async def cancelled() -> bool:
            return "NEW" not in await states()

        await eventually(cancelled, within_s=LIMIT_S + 120)
