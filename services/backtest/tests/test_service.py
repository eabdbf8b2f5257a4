"""The service on a real NATS server and a real PostgreSQL, between ingest and gateway."""

from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from algotrendy_backtest.domain import compute
from algotrendy_common.errors import Refused
from algotrendy_common.events.backtest import BacktestFinished, BacktestProgressed, BacktestRequested
from algotrendy_common.ids import new_id
from algotrendy_common.rpc.backtest import RUN, RUNS, RunAsked, RunsAsked
from algotrendy_common.rpc.catalogue import CALLS
from algotrendy_common.subjects import CATALOGUE
from algotrendy_common.testing.waiting import eventually


async def ended(platform, run_id: str) -> BacktestFinished:
    [finished] = await eventually(lambda: platform.finished(run_id), within_s=60)
    return finished


async def status_of(platform, run_id: str) -> str:
    try:
        return (await platform.gateway.bus.ask(RUN, RunAsked(run_id=run_id))).summary.status
    except Refused:
        return "unknown"


async def test_a_job_becomes_a_result(platform, spec, instrument, bars_of_candles) -> None:
    async with platform.backtest().running():
        job = await platform.send(platform.request(spec()))
        finished = await ended(platform, job.run_id)
        run = await platform.gateway.bus.ask(RUN, RunAsked(run_id=job.run_id))
        listed = await platform.gateway.bus.ask(RUNS, RunsAsked(limit=10))
    expected = compute(spec(), instrument, bars_of_candles(platform.candles), lambda done, total: None)
    assert finished.ok
    assert finished.result_hash == expected.result_hash
    assert finished.statistics == expected.statistics
    assert (run.summary.status, run.summary.requested_by, run.summary.spec) == ("finished", "ada", spec())
    assert run.trades == expected.fills
    assert run.equity == expected.equity
    assert run.manifest == expected.manifest
    assert listed.runs[0] == run.summary
    told = [event for event in platform.heard if isinstance(event, BacktestProgressed) and event.run_id == job.run_id]
    assert told[0].stage == "queued"
    assert (told[-1].stage, told[-1].done, told[-1].total) == ("computing", 2_499, 2_499)
    assert len(platform.asked) == 3  # pages of a thousand; the candle that still grows is left out


async def test_a_range_is_a_range(platform, spec) -> None:
    start = platform.candles[100].open_time
    asked = spec(start=start, end=start + timedelta(minutes=50))
    async with platform.backtest().running():
        job = await platform.send(platform.request(asked))
        finished = await ended(platform, job.run_id)
    assert finished.statistics["bars"] == 50


async def test_a_job_is_done_once_however_often_it_comes(platform, spec) -> None:
    run_id = new_id()
    first = platform.request(spec(), run_id)
    async with platform.backtest().running():
        await platform.send(first)
        await ended(platform, run_id)
        await platform.send_raw(first.to_json(), new_id())  # past the server's own window for duplicates
        await platform.send(platform.request(spec(), run_id))
        last = await platform.send(platform.request(spec()))
        await ended(platform, last.run_id)
        listed = await platform.gateway.bus.ask(RUNS, RunsAsked(limit=500))
    assert len(platform.finished(run_id)) == 1
    assert [summary.run_id for summary in listed.runs].count(run_id) == 1


async def test_two_workers_share_the_queue_and_double_nothing(platform, spec) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(platform.backtest().running())
        jobs = [await platform.send(platform.request(spec(parameters={"fast": n, "slow": 30}))) for n in range(2, 10)]
        for job in jobs:
            assert (await ended(platform, job.run_id)).ok
    assert all(len(platform.finished(job.run_id)) == 1 for job in jobs)


async def test_what_cannot_be_read_is_dead_lettered_and_the_service_goes_on(platform, spec) -> None:
    async with platform.backtest().running():
        await platform.send_raw(b'{"kind": "BacktestRequested", "poison": true}', new_id())
        job = await platform.send(platform.request(spec()))
        [letter] = await eventually(lambda: platform.letters("poison"))
        assert (await ended(platform, job.run_id)).ok
    assert letter.service == "backtest"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"strategy_kind": "oracle"}, "no strategy 'oracle'"),
        ({"parameters": {"fast": 0}}, "greater than or equal to 1"),
        ({"symbol": "DOGE-USDT"}, "not traded"),
        ({"venue": "elsewhere"}, "not traded"),
        ({"initial_cash": 0}, "needs cash"),
    ],
)
async def test_a_run_that_cannot_be_run_fails_with_its_reason(platform, spec, changes, said) -> None:
    async with platform.backtest().running():
        job = await platform.send(platform.request(spec(**changes)))
        finished = await ended(platform, job.run_id)
        run = await platform.gateway.bus.ask(RUN, RunAsked(run_id=job.run_id))
    assert not finished.ok
    assert said in finished.error
    assert (run.summary.status, run.summary.error) == ("failed", finished.error)
    assert run.trades == ()


async def test_no_candles_and_too_many_are_refused(platform, spec) -> None:
    async with platform.backtest(max_bars="100").running():
        many = await platform.send(platform.request(spec()))
        assert "more candles than a run may have" in (await ended(platform, many.run_id)).error
        platform.candles = []
        none = await platform.send(platform.request(spec()))
        assert "no candles" in (await ended(platform, none.run_id)).error


async def test_a_run_is_tried_again_when_ingest_was_away(platform, spec) -> None:
    platform.ingest_is_away = True
    async with platform.backtest(retry_after="PT0.05S", attempts="20", poll_interval="PT0.05S").running():
        job = await platform.send(platform.request(spec()))
        await eventually(lambda: len(platform.asked) >= 2)
        platform.ingest_is_away = False
        assert (await ended(platform, job.run_id)).ok


async def test_a_run_that_never_gets_through_is_given_up_and_dead_lettered(platform, spec) -> None:
    platform.ingest_is_away = True
    async with platform.backtest(retry_after="PT0.01S", attempts="2", poll_interval="PT0.02S").running():
        job = await platform.send(platform.request(spec()))
        finished = await ended(platform, job.run_id)
        [letter] = await eventually(lambda: platform.letters(job.run_id))
    assert not finished.ok
    assert "no history" in finished.error
    assert letter.deliveries == 2
    assert BacktestRequested.from_json(letter.body) == job  # whole, so it can be sent again


async def test_a_run_that_takes_too_long_is_stopped(platform, spec) -> None:
    async with platform.backtest(run_timeout="PT0S").running():
        job = await platform.send(platform.request(spec()))
        finished = await ended(platform, job.run_id)
    assert not finished.ok
    assert "stopped after 0 s" in finished.error


async def test_a_restarted_service_does_the_job_once(platform, spec) -> None:
    job = platform.request(spec())
    async with platform.backtest().running():
        platform.hold.clear()
        await platform.send(job)
        await eventually(lambda: len(platform.asked) == 1)
        assert await status_of(platform, job.run_id) == "running"
    platform.hold.set()
    assert not platform.finished(job.run_id)
    async with platform.backtest().running():
        assert (await ended(platform, job.run_id)).ok
        await platform.send_raw(job.to_json(), new_id())
        after = await platform.send(platform.request(spec()))
        await ended(platform, after.run_id)
    assert len(platform.finished(job.run_id)) == 1


async def test_an_unknown_run_is_refused(platform) -> None:
    async with platform.backtest().running():
        with pytest.raises(Refused) as refused:
            await platform.gateway.bus.ask(RUN, RunAsked(run_id=new_id()))
    assert refused.value.code == "run_unknown"


async def test_what_is_declared_is_what_the_catalogue_says(platform) -> None:
    app = platform.backtest()
    owned = {event for row in CATALOGUE if row.owners == ("backtest",) for event in row.events}
    assert owned <= app.published
    assert {reading.row.pattern for reading in app.bus.readings} == {"backtest.job"}
    assert set(app.bus.answered) == {call.subject for call in CALLS if call.service == "backtest"}
