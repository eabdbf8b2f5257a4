"""Trials on a real Ray, started here: the same as in processes, also where a worker is killed."""

import os
import signal

import pytest
import ray
from algotrendy_backtest.computing.confinement import Limits
from algotrendy_backtest.computing.tasks import Candidate, Ground, Tried, TryAll
from algotrendy_backtest.search.executors import Processes
from algotrendy_backtest.search.on_ray import OnRay


def batches(bars) -> list[TryAll]:
    pairs = [(fast, slow) for fast in (3, 5, 8) for slow in (20, 30)]
    candidates = [Candidate(number, {"fast": fast, "slow": slow}) for number, (fast, slow) in enumerate(pairs)]
    return [TryAll(tuple(candidates[at : at + 2]), 0, len(bars), "sharpe", 1, compiled=False) for at in (0, 2, 4)]


def computed(executor, bars, disturb=lambda: None) -> dict[int, Tried]:
    for batch in batches(bars):
        executor.submit(batch)
    disturb()
    came: list[Tried] = []
    while len(came) < 6:
        came += executor.wait()
    assert executor.hungry()
    return {tried.number: tried for tried in came}


@pytest.fixture
def on_ray(spec, instrument, bars):
    executor = OnRay(Ground(spec(), instrument, bars), 1, Limits(cpu_s=60))
    yield executor
    executor.close()
    assert not ray.is_initialized()


def test_ray_computes_what_processes_compute_and_a_killed_worker_is_replaced(on_ray, spec, instrument, bars) -> None:
    processes = Processes(Ground(spec(), instrument, bars), 1, Limits(cpu_s=60))
    here = computed(processes, bars)
    processes.close()
    [worker] = on_ray._idle
    pid = ray.get(worker.pid.remote())
    there = computed(on_ray, bars, disturb=lambda: os.kill(pid, signal.SIGKILL))
    assert {number: tried.result_hash for number, tried in there.items()} == {
        number: tried.result_hash for number, tried in here.items()
    }
    assert [there[number].objective for number in range(6)] == [here[number].objective for number in range(6)]
    assert ray.get(on_ray._idle[0].pid.remote()) != pid
