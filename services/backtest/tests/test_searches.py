"""Searches as jobs, on a real NATS server and a real PostgreSQL: trials, files, pauses, and a worker that is killed."""

import asyncio
import base64
import csv
import hashlib
import html
import io
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL

import pytest
from algotrendy_backtest import trial_store
from algotrendy_common.clock import SystemClock
from algotrendy_common.database import Database
from algotrendy_common.events.backtest import (
    BacktestFinished,
    BacktestKind,
    BacktestProgressed,
    SearchMethod,
    SearchSettings,
    WalkForwardSettings,
)
from algotrendy_common.rpc.backtest import (
    ARTEFACT,
    ARTEFACTS,
    PAUSE,
    RUN,
    TRADES,
    TRIALS,
    VERDICT,
    ArtefactAsked,
    ArtefactsAsked,
    PauseAsked,
    RunAsked,
    TradesAsked,
    Trial,
    TrialsAsked,
    VerdictAsked,
)
from algotrendy_common.testing.waiting import eventually

GRID = SearchSettings(space={"fast": "2:8:2", "slow": "20:50:10"})


async def ended(platform, run_id: str, within_s: float = 90) -> BacktestFinished:
    [finished] = await eventually(lambda: platform.finished(run_id), within_s=within_s)
    return finished


async def trials_of(platform, run_id: str, **asked) -> list[Trial]:
    """All of them, three at a time."""
    found: list[Trial] = []
    while True:
        page = await platform.gateway.bus.ask(
            TRIALS, TrialsAsked(run_id=run_id, offset=len(found), limit=3, **asked), timeout_s=20
        )
        found += page.trials
        if len(found) >= page.total:
            return found


async def file_of(platform, run_id: str, name: str) -> bytes:
    content, more = b"", True
    while more:
        part = await platform.gateway.bus.ask(
            ARTEFACT, ArtefactAsked(run_id=run_id, name=name, offset=len(content)), timeout_s=20
        )
        content, more = content + base64.b64decode(part.data), part.more
        info = part.info
    assert (len(content), hashlib.sha256(content).hexdigest()) == (info.size, info.sha256)
    return content


async def test_a_sweep_keeps_its_trials_its_best_run_and_its_files(platform, spec) -> None:
    async with platform.backtest().running():
        job = await platform.send(platform.request(spec(kind=BacktestKind.SWEEP, search=GRID)))
        finished = await ended(platform, job.run_id)
        assert finished.error is None
        run = await platform.gateway.bus.ask(RUN, RunAsked(run_id=job.run_id))
        best_first = await trials_of(platform, job.run_id)
        in_order = await trials_of(platform, job.run_id, best_first=False)
        listed = await platform.gateway.bus.ask(ARTEFACTS, ArtefactsAsked(run_id=job.run_id))
        result = json.loads(await file_of(platform, job.run_id, "result.json"))
        equity = await file_of(platform, job.run_id, "equity.csv")
        fills = await platform.gateway.bus.ask(TRADES, TradesAsked(run_id=job.run_id, offset=1, limit=2))
    assert [trial.number for trial in in_order] == list(range(16))
    objectives = [float(trial.objective) for trial in best_first if trial.objective is not None]
    assert objectives == sorted(objectives, reverse=True)
    assert best_first[0].result_hash == finished.result_hash == run.summary.result_hash == result["result_hash"]
    assert run.manifest["parameters"] == {"exposure": 1.0} | best_first[0].parameters
    assert finished.statistics["trials"] == 16
    assert fills.trades == run.trades[1:3]
    assert fills.total == len(run.trades)
    assert {file.name for file in listed.artefacts} >= {"manifest.json", "result.json", "trades.csv", "equity.csv"}
    rows = list(csv.DictReader(io.StringIO(equity.decode())))
    assert len(rows) == 2_499
    assert float(rows[-1]["equity"]) == finished.statistics["final_equity"]
    stages = {
        event.stage for event in platform.heard if isinstance(event, BacktestProgressed) and event.run_id == job.run_id
    }
    assert {"queued", "searching", "computing"} <= stages


async def test_a_walk_forward_is_tried_on_bars_that_it_was_not_searched_on(platform, spec) -> None:
    asked = spec(
        kind=BacktestKind.WALKFORWARD,
        search=SearchSettings(method=SearchMethod.RANDOM, trials=4, space={"fast": "2:8", "slow": "20:50"}),
        walk_forward=WalkForwardSettings(windows=3),
    )
    async with platform.backtest().running():
        job = await platform.send(platform.request(asked))
        finished = await ended(platform, job.run_id)
        run = await platform.gateway.bus.ask(RUN, RunAsked(run_id=job.run_id))
        trials = await trials_of(platform, job.run_id, best_first=False)
    assert finished.ok
    assert [trial.window for trial in trials] == [0] * 4 + [1] * 4 + [2] * 4
    windows = run.manifest["windows"]
    assert [window["train"][1] for window in windows] == [window["test"][0] for window in windows]
    assert [window["test"][1] for window in windows[:-1]] == [window["test"][0] for window in windows[1:]]
    assert run.trades[0].time.isoformat() >= windows[0]["test"][0][:-1]
    best = max((trial for trial in trials if trial.window == 1 and trial.objective), key=lambda t: float(t.objective))
    assert {name: windows[1]["parameters"][name] for name in best.parameters} == best.parameters


@pytest.mark.timeout(600)
async def test_a_robustness_job_leaves_its_page_and_a_verdict_that_others_can_ask_for(platform, spec) -> None:
    platform.candles = platform.candles[:1_200]
    asked = spec(kind=BacktestKind.ROBUSTNESS, walk_forward=WalkForwardSettings(windows=2))
    about = VerdictAsked(
        strategy_kind="sma_cross", parameters={"fast": 5, "slow": 20, "exposure": 1.0}, symbol="BTC-USDT",
        timeframe=asked.timeframe,
    )  # fmt: skip
    async with platform.backtest().running():
        before = await platform.gateway.bus.ask(VERDICT, about, timeout_s=60)
        job = await platform.send(platform.request(asked))
        # Hundreds of runs, and loops that have to be compiled where nobody has run a backtest before.
        finished = await ended(platform, job.run_id, within_s=500)
        examination = json.loads(await file_of(platform, job.run_id, "examination.json"))
        page = (await file_of(platform, job.run_id, "robustness.html")).decode()
        verdict = await platform.gateway.bus.ask(VERDICT, about, timeout_s=60)
        other = await platform.gateway.bus.ask(
            VERDICT, about.model_copy(update={"parameters": about.parameters | {"fast": 6}}), timeout_s=60
        )
    assert finished.error is None
    assert finished.statistics["robust"] == int(examination["passed"])
    assert before.run_id != verdict.run_id == job.run_id
    assert (verdict.passed, other.passed) == (examination["passed"], None)
    # A random walk after costs: whatever the crossing earned on it was luck, and the check must say so.
    assert not examination["passed"]
    shown = html.unescape(page)
    assert [each["question"] for each in examination["findings"] if each["question"] not in shown] == []
    assert len(examination["walk_forward"]["windows"]) == 2


async def test_a_paused_search_goes_on_where_it_was(platform, spec) -> None:
    long = SearchSettings(method=SearchMethod.RANDOM, trials=200, space={"fast": "2:15", "slow": "20:60"})
    bus = platform.gateway.bus
    async with platform.backtest().running():
        job = await platform.send(platform.request(spec(kind=BacktestKind.SWEEP, search=long)))

        async def some() -> bool:
            return bool((await bus.ask(TRIALS, TrialsAsked(run_id=job.run_id), timeout_s=20)).total)

        while not await some():
            await asyncio.sleep(0.05)
        await bus.ask(PAUSE, PauseAsked(run_id=job.run_id, paused=True), timeout_s=20)

        async def status() -> str:
            return (await bus.ask(RUN, RunAsked(run_id=job.run_id), timeout_s=20)).summary.status

        while await status() != "paused":
            await asyncio.sleep(0.05)
        at_pause = (await bus.ask(TRIALS, TrialsAsked(run_id=job.run_id))).total
        assert 0 < at_pause < 200
        again = await bus.ask(PAUSE, PauseAsked(run_id=job.run_id, paused=False))
        assert again.status in ("queued", "running")
        finished = await ended(platform, job.run_id)
        assert (await bus.ask(TRIALS, TrialsAsked(run_id=job.run_id))).total == 200
    assert finished.ok
    assert finished.statistics["trials"] == 200


async def test_the_search_of_a_killed_worker_is_taken_up_once_and_nothing_is_computed_twice(
    platform, servers, spec
) -> None:
    search = SearchSettings(method=SearchMethod.RANDOM, trials=200, space={"fast": "2:15", "slow": "20:60"})
    job = platform.request(spec(kind=BacktestKind.SWEEP, search=search))
    environment = os.environ | servers.environment("backtest") | {"ALGOTRENDY_BACKTEST_LEASE": "PT4S"}
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "algotrendy_backtest", env=environment, stdout=DEVNULL, stderr=DEVNULL
    )

    def told(stage: str) -> list[BacktestProgressed]:
        progressed = [event for event in platform.heard if isinstance(event, BacktestProgressed)]
        return [event for event in progressed if (event.run_id, event.stage) == (job.run_id, stage) and event.done]

    try:
        await platform.send(job)
        await eventually(lambda: told("searching"), within_s=90)
    finally:
        worker.send_signal(signal.SIGKILL)
        await worker.wait()
    assert not platform.finished(job.run_id)
    database = Database(servers.addresses.service_postgres_url("backtest"), check=lambda event_class: None)
    await database.connect()
    async with database.reading() as connection:
        _, kept = await trial_store.page(connection, job.run_id, 0, 1, best_first=True)
    await database.close()
    assert 0 < kept < 200
    restarted = SystemClock().now()
    async with platform.backtest(poll_interval="PT0.1S").running():
        finished = await ended(platform, job.run_id)
        trials = await trials_of_all(platform, job.run_id)
    assert finished.ok
    assert sorted(trial.number for trial in trials) == list(range(200))
    assert len(platform.finished(job.run_id)) == 1
    # What the first worker had kept was there when the second began: it counted on from there.
    assert next(event for event in told("searching") if event.event_time > restarted).done > kept
    best = max((trial for trial in trials if trial.objective), key=lambda trial: float(trial.objective))
    assert float(best.objective) == pytest.approx(finished.statistics["sharpe"])


async def trials_of_all(platform, run_id: str) -> list[Trial]:
    found: list[Trial] = []
    while len(found) < 200:
        page = await platform.gateway.bus.ask(TRIALS, TrialsAsked(run_id=run_id, offset=len(found), limit=500))
        assert page.trials
        found += page.trials
    return found
