"""One active gateway an account: two real processes, one of which is killed or paused; and the fence in the store."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from algotrendy_broker_gateway.accounts.holder import Holder, is_dead
from algotrendy_broker_gateway.accounts.lease import Lease
from algotrendy_broker_gateway.domain.fence import Fence
from algotrendy_broker_gateway.errors import LeaseLost
from algotrendy_broker_gateway.store.accounts import AccountStore
from algotrendy_broker_gateway.store.leases import LeaseStore
from algotrendy_common import ids
from algotrendy_common.database import Database
from algotrendy_common.events.risk import TradingState
from algotrendy_common.rpc import broker_gateway as rpc
from algotrendy_common.rpc.call import Nothing
from algotrendy_common.testing.waiting import eventually

SECOND = timedelta(seconds=1)


@pytest.fixture
async def database(servers):
    database = Database(servers.addresses.service_postgres_url("broker_gateway"), check=lambda event: None)
    await database.connect()
    yield database
    await database.close()


# -- the lease ---------------------------------------------------------------------------------------------------


async def test_an_account_has_one_holder_and_each_holder_a_higher_epoch(database):
    store, account = LeaseStore(database), ids.new_id()
    assert await store.take([account], "first", SECOND) == {account: 1}
    assert await store.take([account], "second", SECOND) == f"{account} is held by first"
    await store.release({account: 1}, "first")
    assert await store.take([account], "second", SECOND) == {account: 2}
    assert not await store.renew({account: 1}, "first", SECOND)
    assert await store.renew({account: 2}, "second", SECOND)


async def test_all_accounts_of_a_gateway_are_taken_or_none(database):
    store, mine, others = LeaseStore(database), ids.new_id(), ids.new_id()
    await store.take([others], "other", SECOND)
    assert isinstance(await store.take([mine, others], "me", SECOND), str)
    assert await store.take([mine], "third", SECOND) == {mine: 1}


async def test_many_that_want_an_account_at_once_are_one_holder(database):
    store, account = LeaseStore(database), ids.new_id()
    answers = await asyncio.gather(*(store.take([account], f"holder-{n}", SECOND) for n in range(12)))
    assert [answer for answer in answers if isinstance(answer, dict)] == [{account: 1}]


async def test_sending_stops_before_the_lease_runs_out_when_it_cannot_be_renewed(database):
    account = ids.new_id()
    lease = Lease(LeaseStore(database), [account], "me", SECOND)
    await lease.take()
    assert lease.active
    async with database.transaction() as tx:
        # Somebody sits on the row: renewals hang, as they do when the store is slow.
        await tx.fetch("SELECT FROM leases WHERE account = $1 FOR UPDATE", account)
        await eventually(lambda: not lease.active)
        left = await tx.fetch_value(
            "SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 FROM leases WHERE account = $1", account
        )
        assert left > 0
    await eventually(lambda: lease.active)  # nobody else came: it is ours again
    await lease.release()
    assert not lease.active


async def test_an_older_holder_writes_nothing_whatever_it_was_in_the_middle_of(database):
    account, store = ids.new_id(), LeaseStore(database)
    await store.take([account], "old", SECOND)
    await store.release({account: 1}, "old")
    await store.take([account], "new", SECOND)
    old, new = (AccountStore(database, account, "binance", Fence(account, epoch)) for epoch in (1, 2))
    await new.make()
    async with database.transaction() as tx:
        await new.lock(tx)
    with pytest.raises(LeaseLost):
        async with database.transaction() as tx:
            await old.lock(tx)


async def test_a_taker_waits_for_what_the_holder_is_writing(database):
    """What the old holder began is committed before anybody takes over, so the new one sees it."""
    account, store = ids.new_id(), LeaseStore(database)
    await store.take([account], "old", timedelta(milliseconds=1))
    accounts = AccountStore(database, account, "binance", Fence(account, 1))
    await accounts.make()
    async with database.transaction() as tx:
        await accounts.lock(tx)
        taking = asyncio.create_task(store.take([account], "new", SECOND))
        done, _ = await asyncio.wait((taking,), timeout=0.3)
        assert not done
        assert await store.renew({account: 1}, "old", timedelta(milliseconds=1))  # a renewal does not wait for writers
    assert await taking == {account: 2}


# -- two processes -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def second_gateway(world):
    """Another gateway of the same account, up and standing by; killed at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (world.servers.home.logs / "broker_gateway-second.log").open("a")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "algotrendy_broker_gateway",
        env=os.environ | world.environment(HEALTH_PORT=str(port), **world.hurried),
        stdout=log,
        stderr=log,
    )
    try:
        await eventually(lambda: readiness(port), within_s=90)
        yield process, port
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def readiness(port: int) -> str | None:
    async with httpx.AsyncClient(timeout=60) as client:
        try:
            return (await client.get(f"http://127.0.0.1:{port}/readyz")).text
        except httpx.TransportError:
            return None


async def epoch(world) -> int:
    return (await world.ask(rpc.ACCOUNTS, Nothing())).accounts[0].epoch


async def test_when_the_active_gateway_is_killed_the_other_is_active_in_seconds_and_nothing_is_doubled(world):
    async with world.process(**world.hurried) as active, second_gateway(world) as (_, port):
        before = await world.approve()
        await world.reaches(before.order_id, "filled")
        assert "is held by" in await readiness(port)
        assert await epoch(world) == 1

        await world.fault("delay", delay_ms=800)  # one order is on its way when the process dies
        lost = await world.approve()
        await eventually(lambda: world.status(lost.order_id) == "submitting")
        active.kill()
        await active.wait()
        started = asyncio.get_running_loop().time()
        await world.activate(port)
        assert asyncio.get_running_loop().time() - started < 10

        after = await world.approve()
        await world.reaches(after.order_id, "filled")
        await world.reaches(lost.order_id, "filled")
        assert await epoch(world) == 2
        assert len(await world.venue_orders()) == 3
        await world.books_equal_the_venues()


async def test_a_paused_gateway_that_wakes_up_sends_nothing_and_ends(world):
    async with world.process(**world.hurried) as old, second_gateway(world) as (_, port):
        first = await world.approve()
        await world.reaches(first.order_id, "filled")
        old.send_signal(signal.SIGSTOP)
        await world.activate(port)

        orders = [await world.approve() for _ in range(5)]
        for terms in orders:
            await world.reaches(terms.order_id, "filled")
        old.send_signal(signal.SIGCONT)  # what piled up in its sockets is now read
        assert await asyncio.wait_for(old.wait(), 30) == 1
        last = await world.approve()
        await world.reaches(last.order_id, "filled")

        assert len(await world.venue_orders()) == 7
        await world.books_equal_the_venues()
        steps = await world.query(
            "SELECT order_id, count(*) FROM order_steps WHERE status = 'submitting' GROUP BY 1 HAVING count(*) > 1"
        )
        assert steps == []


async def test_a_gateway_that_is_stopped_cleanly_hands_over_at_once_and_one_that_stands_by_ends_cleanly(world):
    async with world.running(**world.hurried), second_gateway(world) as (standing_by, _):
        await world.say_risk(TradingState.ACTIVE)
        standing_by.terminate()
        assert await asyncio.wait_for(standing_by.wait(), 30) == 0
    rows = await world.query("SELECT expires_at = '-infinity' AS free FROM leases WHERE account = $1", world.account)
    assert rows[0]["free"]


# -- a holder that is dead -------------------------------------------------------------------------------------------


@asynccontextmanager
async def sleeping():
    """A process that does nothing, and is told of as a gateway's holder."""
    process = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        yield process, Holder.of(process.pid)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_only_a_process_of_this_machine_that_has_ended_is_known_to_be_dead():
    async with sleeping() as (process, holder):
        text = str(holder)
        assert Holder.parsed(text) == holder
        assert not is_dead(text)
        process.send_signal(signal.SIGSTOP)
        assert not is_dead(text)
        # The number belongs to somebody who was started at another time.
        assert is_dead(str(replace(holder, started="1")))
        process.kill()
        await process.wait()
        assert is_dead(text)
        for other in (
            replace(holder, boot="another machine"),
            replace(holder, namespace="pid:[1]"),
            replace(holder, started="-"),
        ):
            assert not is_dead(str(other))
        assert not is_dead(holder.token)
        assert not is_dead("")


async def test_a_dead_holders_accounts_are_taken_at_once_and_a_living_ones_are_not(database):
    account, long = ids.new_id(), timedelta(hours=1)
    store = LeaseStore(database)
    async with sleeping() as (process, holder):
        assert await store.take([account], str(holder), long) == {account: 1}
        successor = Lease(store, [account], str(Holder.of(os.getpid())), long)
        taking = asyncio.create_task(successor.take())
        await eventually(lambda: "is held by" in successor._detail)
        assert not taking.done()
        process.kill()
        await process.wait()
        await taking
        assert successor.fences[account].epoch == 2
        assert successor.active
        assert not await store.renew({account: 1}, str(holder), long)
        await successor.release()
