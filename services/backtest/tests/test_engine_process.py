"""The engine as the runner has it: real processes, killed, kept busy, given up."""

import asyncio

import pytest
from algotrendy_backtest.adapters.engine_process import EngineProcess
from algotrendy_backtest.computing.confinement import Limits
from algotrendy_backtest.computing.tasks import Ground, Tried
from algotrendy_backtest.domain import compute
from algotrendy_backtest.errors import EngineDied
from algotrendy_common.errors import Refused
from algotrendy_common.events.backtest import BacktestKind, SearchSettings


@pytest.fixture
async def engine():
    engine = EngineProcess(Limits(cpu_s=60))
    yield engine
    await engine.close()


class Kept:
    """Trials of a run, in memory; asks for a pause after ``pause_at`` of them."""

    def __init__(self, pause_at: int | None = None) -> None:
        self.trials: dict[int, Tried] = {}
        self.times: list[int] = []
        self.pause_at = pause_at

    async def known(self) -> dict[int, dict[int, Tried]]:
        return {0: dict(self.trials)}

    async def keep(self, window: int, tried: list[Tried]) -> bool:
        self.trials |= {each.number: each for each in tried}
        self.times += [each.number for each in tried]
        return self.pause_at is not None and len(self.trials) >= self.pause_at


async def nothing(stage: str, done: int, total: int) -> None:
    """Progress is of no interest here."""


async def test_computes_elsewhere_what_would_be_computed_here_and_survives_refusal_and_death(
    engine, spec, bars, instrument
) -> None:
    told = []

    async def tell(stage: str, done: int, total: int) -> None:
        told.append((stage, done, total))

    done = await engine.run(Ground(spec(), instrument, bars), Kept(), tell)
    assert done.outcome == compute(spec(), instrument, bars, lambda done, total: None)
    assert told == [("computing", len(bars), len(bars))]
    first = engine._bench.pid
    with pytest.raises(Refused) as refused:
        await engine.run(Ground(spec(strategy_kind="oracle"), instrument, bars), Kept(), nothing)
    assert refused.value.code == "strategy_unknown"
    await engine.run(Ground(spec(), instrument, bars), Kept(), nothing)
    assert engine._bench.pid == first

    async def kill(stage: str, done: int, total: int) -> None:
        engine._bench.kill()
        engine._bench._process.join()

    with pytest.raises(EngineDied) as died:
        # The answer is in the pipe before the process dies only if it was quick; a second run settles it.
        while True:
            await engine.run(Ground(spec(), instrument, bars), Kept(), kill)
    assert died.value.context["exit_code"] == -9
    assert (await engine.run(Ground(spec(), instrument, bars), Kept(), nothing)).outcome.fills


async def test_a_run_that_is_given_up_leaves_no_process_at_work(engine, spec, bars, instrument) -> None:
    reached = asyncio.Event()

    async def hold(stage: str, done: int, total: int) -> None:
        reached.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(engine.run(Ground(spec(), instrument, bars), Kept(), hold))
    await reached.wait()
    process = engine._bench._process
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 20)
    assert not process.is_alive()


async def test_a_search_pauses_and_goes_on_where_it_was(engine, spec, bars, instrument) -> None:
    search = SearchSettings(space={"fast": "2:8:2", "slow": "20:50:10"})
    ground = Ground(spec(kind=BacktestKind.SWEEP, search=search), instrument, bars)
    kept = Kept(pause_at=5)
    paused = await engine.run(ground, kept, nothing)
    assert paused.outcome is None
    assert 5 <= len(kept.trials) < 16
    kept.pause_at = None
    done = await engine.run(ground, kept, nothing)
    assert sorted(kept.times) == list(range(16))  # none was computed twice
    assert done.trials == 16
    best = max(kept.trials.values(), key=lambda tried: (tried.objective is not None, tried.objective or 0))
    assert done.best == spec().parameters | dict(best.parameters)
    direct = compute(spec(parameters=dict(best.parameters)), instrument, bars, lambda done, total: None)
    assert done.outcome.result_hash == direct.result_hash == best.result_hash
