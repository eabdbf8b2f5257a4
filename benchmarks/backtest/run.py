"""Backtest speed: the moving-average crossover with orders, fees, the venue's grid and a trade log, compiled.

Workload: 10 and 50 closes, long only, decided at the close and filled at the next open, 0.1 % fee in the quote
currency, no slippage, over a seeded walk. In the same run: a bare numba loop of the same arithmetic as the floor, the
peers in their own environments, sweeps of 200 and 10,000 pairs, a stream too long for memory, and a cold start.

``ALGOTRENDY_BENCH_QUICK=1`` leaves out the 10,000 pairs and makes the stream shorter. ``python -m
benchmarks.backtest.run --long`` measures nothing but the sweeps, the stream of 100 million bars and the cold start.
"""

import gc
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from algotrendy_common.enums import Timeframe
from algotrendy_core.backtest.engine import BacktestConfig, BacktestResult, run_backtest
from algotrendy_core.backtest.series import BarSeries, check
from algotrendy_core.fees import ChargedIn
from algotrendy_core.instruments import Instrument
from algotrendy_core.strategies.registry import parameters_of, strategy_named

from benchmarks.backtest.floor import bare_loop
from benchmarks.backtest.long_runs import cold_start, stream, sweeps
from benchmarks.backtest.peers.compare import Figures, Targets, compared, write_csv
from benchmarks.result import close

FAST, SLOW = 10, 50
INSTRUMENT = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.01"),
    quantity_step=Decimal("0.00001"), min_quantity=Decimal("0.00001"), max_quantity=Decimal(9000),
    min_notional=Decimal(5), maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"),
)  # fmt: skip
CONFIG = BacktestConfig(Decimal(1_000_000), reserve=Decimal("0.002"), fees_charged_in=ChargedIn.QUOTE)
STRATEGY = strategy_named("sma_cross")
PARAMETERS = parameters_of(STRATEGY, {"fast": FAST, "slow": SLOW})


def walk(count: int) -> BarSeries:
    """A seeded geometric walk of one-minute bars; speed does not depend on what the prices are."""
    rng = np.random.default_rng(7)
    closes = np.round(20_000 * np.exp(np.cumsum(rng.normal(0, 0.0008, count))), 2)
    opens = np.concatenate(([20_000.0], closes[:-1]))
    top, bottom = np.maximum(opens, closes), np.minimum(opens, closes)
    bars = BarSeries(
        Timeframe.M1, 1_600_000_020_000 + np.arange(count) * 60_000, opens, top, bottom, closes, np.full(count, 10.0)
    )
    check(bars)
    return bars


def best_and_median(work: Callable[[], object], times: int) -> tuple[float, float]:
    """Seconds. The best is what the code can do, the median what else the machine was doing."""
    taken = []
    for _ in range(times):
        gc.collect()
        began = perf_counter()
        work()
        taken.append(perf_counter() - began)
    return min(taken), median(taken)


def backtest(bars: BarSeries, *, compiled: bool = True) -> BacktestResult:
    return run_backtest(STRATEGY, PARAMETERS, bars, INSTRUMENT, CONFIG, compiled=compiled)


def with_report(bars: BarSeries) -> None:
    result = backtest(bars)
    assert result.statistics.bars == len(bars)
    assert result.result_hash


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def engine_rows(small: BarSeries, large: BarSeries) -> tuple[dict[str, float | int | str], float]:
    """The engine beside the floor; the figures, and the best time on the small series in seconds."""
    began = perf_counter()
    result = backtest(small)
    cold = perf_counter() - began
    floor_equity, floor_trades = bare_loop(small.open, small.close, FAST, SLOW, 1e6, 0.001)

    before = peak_mib()
    rows = {}
    for name, bars in (("100k", small), ("5m", large)):
        floor = best_and_median(lambda bars=bars: bare_loop(bars.open, bars.close, FAST, SLOW, 1e6, 0.001), 15)
        engine = best_and_median(lambda bars=bars: backtest(bars), 15)
        report = best_and_median(lambda bars=bars: with_report(bars), 7)
        rows[name] = (len(bars), floor, engine, report)
    grown = peak_mib() - before
    plain = best_and_median(lambda: backtest(small, compiled=False), 3)
    assert backtest(small, compiled=False).result_hash == result.result_hash

    print(f"{'bars':>9} {'what':<28} {'bars/s (median)':>16} {'bars/s (best)':>16}")
    for count, floor, engine, report in rows.values():
        for what, (best, middle) in (("bare loop", floor), ("engine", engine), ("engine, report, hash", report)):
            print(f"{count:>9} {what:<28} {count / middle:>16,.0f} {count / best:>16,.0f}")
    print(
        f"{len(small):>9} {'engine, not compiled':<28} {len(small) / plain[1]:>16,.0f} {len(small) / plain[0]:>16,.0f}"
    )
    print(f"trades: {len(result.trades)} (bare loop: {floor_trades}); first run in this process: {cold:.1f} s")

    count, floor, engine, report = rows["100k"]
    return {
        "bars_per_second": round(count / engine[0]),
        "bars_per_second_median": round(count / engine[1]),
        "bars_per_second_with_report": round(count / report[0]),
        "bars_per_second_5m": round(len(large) / rows["5m"][2][0]),
        "bars_per_second_not_compiled": round(len(small) / plain[0]),
        "bare_loop_bars_per_second": round(count / floor[0]),
        "share_of_bare_loop": round(floor[0] / engine[0], 3),
        "trades": len(result.trades),
        "bare_loop_trades": int(floor_trades),
        "final_equity": round(float(result.equity[-1]), 2),
        "bare_loop_final_equity": round(float(floor_equity), 2),
        "first_run_seconds": round(cold, 2),
        "peak_mib_per_million_bars": round(grown / (len(large) / 1e6), 1),
    }, engine[0]


def main() -> None:
    only_long = "--long" in sys.argv[1:]
    quick = not only_long and os.environ.get("ALGOTRENDY_BENCH_QUICK") == "1"
    small = walk(100_000)
    figures: Figures = {}
    targets: Targets = {}
    if not only_long:
        figures, _ = engine_rows(small, walk(5_000_000))
        targets = {"bars_per_second": (">=", 40_000_000), "bars_per_second_not_compiled": (">=", 75_000)}
    for part in (
        cold_start(walk(525_600)),
        stream(10_000_000 if quick else 100_000_000),
        sweeps(STRATEGY, small, INSTRUMENT, CONFIG, 200, *([] if quick else [10_000])),
    ):
        figures |= part[0]
        targets |= part[1]
    if not only_long:
        part = beside_peers(small)
        figures |= part[0]
        targets |= part[1]
    close("backtest", figures, targets)


def beside_peers(bars: BarSeries) -> tuple[Figures, Targets]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bars.csv"
        write_csv(bars, path)
        # Beside each peer our engine is measured anew: a machine's pace changes within minutes.
        return compared(
            path, lambda: best_and_median(lambda: backtest(bars), 15)[0], lambda: backtest(bars, compiled=False)
        )


if __name__ == "__main__":
    main()
