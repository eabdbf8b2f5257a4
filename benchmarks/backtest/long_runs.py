"""What takes long: sweeps beside vectorbt's, a stream of bars too long for memory, and a cold start in a new process.

Sweeps are counted per core by processor time, which another program on the machine does not stretch.
"""

import itertools
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from algotrendy_common.enums import Timeframe
from algotrendy_core.backtest.config import BacktestConfig
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.backtest.sweep import sweep
from algotrendy_core.instruments import Instrument
from algotrendy_core.strategies.interface import AnyStrategy, Parameters
from algotrendy_core.strategies.registry import parameters_of

from benchmarks.backtest.peers.compare import Figures, Targets, pairs_per_second_of_vectorbt, write_csv

_COLD = """
from benchmarks.backtest.run import walk, with_report
with_report(walk(525_600))
"""
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
    for count in counts:
        before = _peak_mib()
        began, used = perf_counter(), process_time()
        one = sweep(strategy, grid(strategy, count), bars, instrument, config)
        alone, used = perf_counter() - began, process_time() - used
        began = perf_counter()
        two = sweep(strategy, grid(strategy, count), bars, instrument, config, threads=2)
        both = perf_counter() - began
        assert one.tobytes() == two.tobytes()
        grown.append(_peak_mib() - before)
        rate = count * len(bars) / used
        print(f"{count:>6} pairs: {rate:,.0f} bars/s a core; two threads {alone / both:.2f} times one; "
              f"{grown[-1]:.0f} MiB more")  # fmt: skip
        figures |= {
            f"sweep_{count}_bars_per_second_a_core": round(rate),
            f"sweep_{count}_two_threads": round(alone / both, 2),
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


def cold_start() -> tuple[Figures, Targets]:
    """A year of minutes with report in a new process, after one that has filled the cache of compiled loops."""
    taken = []
    for _ in range(3):
        began = perf_counter()
        subprocess.run([sys.executable, "-c", _COLD], check=True)
        taken.append(perf_counter() - began)
    print(f"a year of minutes in a new process, with report: {min(taken[1:]):.2f} s (first: {taken[0]:.2f} s)")
    return {"cold_start_seconds": round(min(taken[1:]), 2)}, {"cold_start_seconds": ("<=", 3)}


def stream(bars: int) -> tuple[Figures, Targets]:
    """The stream in a process of its own, whose peak is the stream's."""
    tenth, whole = (
        subprocess.run(
            [sys.executable, "-c", _STREAM.format(bars=count)], check=True, capture_output=True, text=True
        ).stdout.split()
        for count in (bars // 10, bars)
    )
    print(f"{bars:,} bars streamed: peak {whole[0]} MiB, a tenth of them: {tenth[0]} MiB; {float(whole[1]):.0f} s")
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
