"""What takes long: sweeps beside vectorbt's, a stream of bars too long for memory, and a cold start in a new process.

Sweeps are counted per core by processor time, which another program on the machine does not stretch.
"""

import itertools
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from algotrendy_common.enums import Timeframe
from algotrendy_core.backtest.config import BacktestConfig
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.backtest.sweep import sweep
from algotrendy_core.instruments import Instrument
from algotrendy_core.strategies.interface import AnyStrategy, Parameters
from algotrendy_core.strategies.registry import parameters_of
from numpy.typing import NDArray

from benchmarks.backtest.peers.compare import Figures, Targets, pairs_per_second_of_vectorbt, write_csv

_STREAM = """
from benchmarks.backtest.long_runs import streamed
print(*streamed({bars}))
"""


def grid(strategy: AnyStrategy, count: int) -> Iterator[Parameters]:
    every = ((fast, slow) for slow in range(20, 2020, 2) for fast in range(4, 20))
    for fast, slow in itertools.islice(every, count):
        yield parameters_of(strategy, {"fast": fast, "slow": slow})


def sweeps(
    strategy: AnyStrategy, bars: BarSeries, instrument: Instrument, config: BacktestConfig, *counts: int
) -> tuple[Figures, Targets]:
    figures: Figures = {}
    targets: Targets = {}
    sweep(strategy, [*grid(strategy, 16 * 1000)][:: 16 * 100], bars, instrument, config)  # every length, compiled
    grown: list[float] = []
    account = (instrument, config)
    for count in counts:
        before = _peak_mib()
        turns: list[tuple[float, float, float, float]] = []
        for _ in range(3 if count < 1000 else 1):
            one, alone, used = _timed(lambda count=count: sweep(strategy, grid(strategy, count), bars, *account))
            two, both, used_by_two = _timed(
                lambda count=count: sweep(strategy, grid(strategy, count), bars, *account, threads=2)
            )
            assert one.tobytes() == two.tobytes()
            turns.append((alone / both, used, used_by_two / used, alone))
        times, _, more_work, _ = max(turns)
        used = min(turn[1] for turn in turns)
        grown.append(_peak_mib() - before)
        rate = count * len(bars) / used
        print(f"{count:>6} pairs: {rate:,.0f} bars/s a core; two threads {times:.2f} times one (and {more_work:.2f} "
              f"times the processor time); {grown[-1]:.0f} MiB more")  # fmt: skip
        figures |= {
            f"sweep_{count}_bars_per_second_a_core": round(rate),
            f"sweep_{count}_two_threads": round(times, 2),
            f"sweep_{count}_two_threads_processor_time": round(more_work, 2),
            f"sweep_{count}_more_mib": round(grown[-1], 1),
        }
        targets[f"sweep_{count}_two_threads"] = (">=", 1.8)
        if count == counts[0]:
            with tempfile.TemporaryDirectory() as folder:
                write_csv(bars, Path(folder) / "bars.csv")
                peer = pairs_per_second_of_vectorbt(Path(folder) / "bars.csv", count)
            if peer is not None:
                figures["sweep_times_vectorbt"] = round(rate / peer, 1)
                targets["sweep_times_vectorbt"] = (">=", 10)
    return figures, targets


def _timed(work: Callable[[], NDArray[Any]]) -> tuple[NDArray[Any], float, float]:
    """What it gave, and its seconds by the clock and of processors."""
    began, used = perf_counter(), process_time()
    found = work()
    return found, perf_counter() - began, process_time() - used


def cold_start(year: BarSeries) -> tuple[Figures, Targets]:
    """The command on a year of minutes, with all its files and the page, after once that filled the caches."""
    taken, used = [], []
    with tempfile.TemporaryDirectory() as folder:
        write_csv(year, Path(folder) / "year.csv")
        command = [str(Path(sys.executable).with_name("algotrendy")), "backtest", "run", "--strategy", "sma_cross",
                   "--data", "year.csv", "--cash", "10000000", "--home", "kept", "--out", "out"]  # fmt: skip
        for _ in range(4):
            began, before = perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, check=True, cwd=folder, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            taken.append(perf_counter() - began)
            used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert (Path(folder) / "out" / "report.html").stat().st_size > 10_000
    print(f"algotrendy backtest run on {len(year):,} minutes, with its page: {min(taken[1:]):.2f} s "
          f"({min(used[1:]):.2f} s of processors; first: {taken[0]:.2f} s)")  # fmt: skip
    return {
        "cold_start_seconds": round(min(taken[1:]), 2),
        "cold_start_processor_seconds": round(min(used[1:]), 2),
    }, {"cold_start_seconds": ("<=", 3)}


def stream(bars: int) -> tuple[Figures, Targets]:
    """The stream in a process of its own, whose peak is the stream's."""
    tenth, whole = (
        subprocess.run(
            [sys.executable, "-c", _STREAM.format(bars=count)], check=True, capture_output=True, text=True
        ).stdout.split()
        for count in (bars // 10, bars)
    )
    seconds = float(whole[1])
    print(f"{bars:,} bars streamed: peak {whole[0]} MiB, a tenth of them: {tenth[0]} MiB; {seconds:.0f} s, "
          f"making the bars included")  # fmt: skip
    return {
        "streamed_bars": bars,
        "streamed_peak_mib": float(whole[0]),
        "streamed_growth": round(float(whole[0]) / float(tenth[0]), 3),
    }, {"streamed_growth": ("<=", 1.1)}


def streamed(count: int) -> tuple[float, float]:
    """Peak memory in MiB and seconds of a streamed run."""
    from benchmarks.backtest.run import INSTRUMENT, PARAMETERS, STRATEGY, run_backtest

    began = perf_counter()
    config = BacktestConfig(Decimal(10**9))
    result = run_backtest(STRATEGY, PARAMETERS, _pieces(count), INSTRUMENT, config)
    assert result.statistics.bars == count
    assert result.result_hash
    return round(_peak_mib(), 1), perf_counter() - began


def _pieces(count: int, length: int = 1_000_000) -> Iterator[BarSeries]:
    price = 20_000.0
    for first in range(0, count, length):
        rng = np.random.default_rng(first)
        closes = np.round(price * np.exp(np.cumsum(rng.normal(0, 0.0002, min(length, count - first)))), 2)
        closes = np.clip(closes, 1_000.0, 400_000.0)
        opens = np.concatenate(([price], closes[:-1]))
        yield BarSeries(
            Timeframe.M1, (first + np.arange(len(closes))) * 60_000, opens, np.maximum(opens, closes),
            np.minimum(opens, closes), closes, np.full(len(closes), 10.0),
        )  # fmt: skip
        price = float(closes[-1])


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
