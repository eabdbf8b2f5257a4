"""The computing process: real, killed, kept busy and stopped."""

import asyncio

import pytest
from algotrendy_backtest.adapters import engine_process
from algotrendy_backtest.adapters.engine_process import EngineProcess
from algotrendy_backtest.domain import compute
from algotrendy_backtest.errors import EngineDied
from algotrendy_common.errors import Refused


@pytest.fixture
async def engine():
    engine = EngineProcess()
    yield engine
    await engine.close()


class Told:
    """Progress that remembers, and can wait."""

    def __init__(self, *, hold: bool = False) -> None:
        self.steps: list[tuple[int, int]] = []
        self.reached = asyncio.Event()
        self.hold = hold

    async def __call__(self, done: int, total: int) -> None:
        self.steps.append((done, total))
        self.reached.set()
        if self.hold:
            await asyncio.Event().wait()


async def test_computes_elsewhere_what_would_be_computed_here(engine, spec, bars, instrument) -> None:
    told = Told()
    outcome = await engine.run(spec(), instrument, bars, told)
    assert outcome == compute(spec(), instrument, bars, lambda done, total: None)
    assert told.steps == [(len(bars), len(bars))]


async def test_a_refusal_comes_back_as_itself_and_the_process_goes_on(engine, spec, bars, instrument) -> None:
    with pytest.raises(Refused) as refused:
        await engine.run(spec(strategy_kind="oracle"), instrument, bars, Told())
    assert refused.value.code == "strategy_unknown"
    first = engine._process.pid
    await engine.run(spec(), instrument, bars, Told())
    assert engine._process.pid == first


async def test_a_killed_process_is_told_of_and_replaced(engine, spec, bars, instrument) -> None:
    await engine.run(spec(), instrument, bars, Told())
    engine._process.kill()
    engine._process.join()
    await engine.run(spec(), instrument, bars, Told())

    class Killing(Told):
        async def __call__(self, done: int, total: int) -> None:
            engine._process.kill()
            engine._process.join()

    with pytest.raises(EngineDied) as died:
        # The answer is in the pipe before the process dies only if it was quick; a second run settles it.
        while True:
            await engine.run(spec(), instrument, bars, Killing())
    assert died.value.context["exit_code"] == -9


async def test_a_run_that_is_given_up_leaves_no_process_at_work(engine, spec, bars, instrument) -> None:
    told = Told(hold=True)
    running = asyncio.create_task(engine.run(spec(), instrument, bars, told))
    await told.reached.wait()
    process = engine._process
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not process.is_alive()
    assert (await engine.run(spec(), instrument, bars, Told())).fills


def test_whatever_a_strategy_raises_fails_the_run_alone(spec, bars, instrument, monkeypatch) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError("in the strategy")

    monkeypatch.setattr(engine_process, "compute", broken)
    answer = engine_process._answer(engine_process._Job(spec(), instrument, bars), connection=None)
    assert answer.code == "strategy_failed"
    assert "ZeroDivisionError" in answer.message
    assert "broken, line" in answer.message
