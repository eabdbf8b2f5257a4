"""Claims on a real PostgreSQL: one holder at a time, and only the holder writes."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from algotrendy_backtest import store
from algotrendy_backtest.domain import compute
from algotrendy_common.clock import ManualClock, SystemClock
from algotrendy_common.database import Database
from algotrendy_common.events.backtest import BacktestRequested
from algotrendy_common.events.event import EventFactory
from algotrendy_common.ids import new_id

LEASE = timedelta(seconds=20)


@pytest.fixture
async def database(servers) -> AsyncIterator[Database]:
    database = Database(servers.addresses.service_postgres_url("backtest"), check=lambda event_class: None)
    await database.connect()
    async with database.transaction() as transaction:
        await transaction.execute("DELETE FROM run")
    yield database
    await database.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(SystemClock().now())


@pytest.fixture
async def job(database, clock, spec) -> BacktestRequested:
    event = EventFactory("gateway", clock).make(
        BacktestRequested, run_id=new_id(), requested_by="ada", spec=spec(parameters={"fast": 3, "slow": 9})
    )
    async with database.transaction() as transaction:
        assert await store.add(transaction, event)
        assert not await store.add(transaction, event)
    return event


async def claimed(database, clock, worker: str):
    async with database.transaction() as transaction:
        return await store.claim(transaction, worker, clock.now(), clock.now() + LEASE)


async def test_a_run_is_claimed_by_one(database, clock, job) -> None:
    claim = await claimed(database, clock, "a")
    assert (claim.run_id, claim.spec, claim.attempt) == (job.run_id, job.spec, 1)
    assert BacktestRequested.from_json(claim.request) == job
    assert await claimed(database, clock, "b") is None


async def test_a_dead_workers_run_is_taken_up_and_the_dead_one_writes_nothing(
    database, clock, job, spec, bars, instrument
) -> None:
    await claimed(database, clock, "dead")
    clock.advance(LEASE + timedelta(seconds=1))
    claim = await claimed(database, clock, "alive")
    assert claim.attempt == 2
    outcome = compute(job.spec, instrument, bars, lambda done, total: None)
    async with database.transaction() as transaction:
        assert not await store.renew(transaction, job.run_id, "dead", clock.now())
        assert not await store.finish(transaction, job.run_id, "dead", clock.now(), outcome)
        assert not await store.fail(transaction, job.run_id, "dead", clock.now(), "late")
        assert not await store.release(transaction, job.run_id, "dead", clock.now(), "late")
        assert not await store.hand_back(transaction, job.run_id, "dead", clock.now())
        assert (await store.run(transaction, job.run_id)).trades == ()
        assert await store.finish(transaction, job.run_id, "alive", clock.now(), outcome)
        assert not await store.finish(transaction, job.run_id, "alive", clock.now(), outcome)
        kept = await store.run(transaction, job.run_id)
    assert (kept.trades, kept.equity, kept.manifest) == (outcome.fills, outcome.equity, outcome.manifest)
    assert kept.summary.statistics == outcome.statistics
    assert kept.summary.finished_at == clock.now()


async def test_a_renewed_claim_is_kept(database, clock, job) -> None:
    await claimed(database, clock, "a")
    clock.advance(LEASE / 2)
    async with database.transaction() as transaction:
        assert await store.renew(transaction, job.run_id, "a", clock.now() + LEASE)
    clock.advance(LEASE * 3 / 4)
    assert await claimed(database, clock, "b") is None


async def test_a_released_run_waits_and_a_handed_back_one_does_not_count(database, clock, job) -> None:
    await claimed(database, clock, "a")
    async with database.transaction() as transaction:
        assert await store.release(transaction, job.run_id, "a", clock.now() + timedelta(seconds=5), "ingest away")
    assert await claimed(database, clock, "a") is None
    clock.advance(timedelta(seconds=5))
    assert (await claimed(database, clock, "b")).attempt == 2
    async with database.transaction() as transaction:
        assert await store.hand_back(transaction, job.run_id, "b", clock.now())
    assert (await claimed(database, clock, "c")).attempt == 2


async def test_the_longest_waiting_run_comes_first(database, clock, job, spec) -> None:
    clock.advance(timedelta(seconds=1))
    later = EventFactory("gateway", clock).make(BacktestRequested, run_id=new_id(), requested_by="tom", spec=spec())
    async with database.transaction() as transaction:
        await store.add(transaction, later)
        assert [summary.run_id for summary in await store.runs(transaction, 10)] == [later.run_id, job.run_id]
        assert len(await store.runs(transaction, 1)) == 1
    assert [(await claimed(database, clock, "a")).run_id for _ in range(2)] == [job.run_id, later.run_id]
