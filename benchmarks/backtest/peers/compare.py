"""Our engine and the peers on one file of bars, in turn: ratios of bars a second, and equal numbers of trades."""

import csv
from collections.abc import Callable
from pathlib import Path
from time import process_time

from algotrendy_core.backtest.series import BarSeries

from benchmarks.environments import Missing, answer_of, python_of

HERE = Path(__file__).parent
Figures = dict[str, float | int | str]
Targets = dict[str, tuple[str, float]]

PEERS: dict[str, tuple[str, tuple[str, ...], float]] = {
    "vectorbt": ("vectorbt", ("vectorbt==1.2.0",), 20),
    "backtesting_py": ("classic", ("backtesting==0.6.6", "backtrader==1.9.78.123"), 300),
    "jesse": ("jesse", ("jesse==3.5.3",), 1000),
    "nautilus_trader": ("nautilus", ("nautilus_trader==1.231.0", "pandas<3", "numpy<2.4"), 1000),
    "backtrader": ("classic", ("backtesting==0.6.6", "backtrader==1.9.78.123"), 1000),
}
"""Environment, its packages, and how many times faster ours is to be."""


def write_csv(bars: BarSeries, path: Path) -> None:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["timestamp_ms", "open", "high", "low", "close", "volume"])
        rows.writerows(zip(*(column.tolist() for column in bars.columns), strict=True))


def compared(path: Path, ours: Callable[[], float], ours_plain: Callable[[], object]) -> tuple[Figures, Targets]:
    """``ours`` runs our engine on the same bars and says how many seconds it took; ``ours_plain`` runs it uncompiled.

    What runs uncompiled is set beside Jesse by processor time: seconds of wall clock hold whatever else was running.
    """
    found: Figures = {}
    targets: Targets = {}
    print(f"{'peer':<18} {'bars/s':>12} {'trades':>8} {'final equity':>14} {'ours is':>10}")
    for name, (environment, packages, wanted) in PEERS.items():
        try:
            python = python_of(environment, *packages)
            peer = answer_of(name, python, HERE / f"run_{name}.py", str(path))
        except Missing as missing:
            print(f"{name:<18} left out: {missing}")
            continue
        ratio = peer["seconds"] / ours()
        found |= {
            f"{name}_bars_per_second": round(peer["bars"] / peer["seconds"]),
            f"{name}_trades": peer["trades"],
            f"times_{name}": round(ratio, 1),
        }
        targets[f"times_{name}"] = (">=", wanted)
        targets[f"{name}_trades"] = (">=", 1362)
        print(
            f"{name:<18} {peer['bars'] / peer['seconds']:>12,.0f} {peer['trades']:>8} {peer['final_equity']:>14,.0f} "
            f"{ratio:>9,.1f}x"
        )
        if name == "jesse":
            plain = round(peer["cpu_seconds"] / min(_cpu_seconds(ours_plain) for _ in range(3)), 1)
            print(f"{'':<18} uncompiled, by processor time, ours is {plain}x")
            found["not_compiled_times_jesse"] = plain
            targets["not_compiled_times_jesse"] = (">=", 3)
    return found, targets


def _cpu_seconds(work: Callable[[], object]) -> float:
    used = process_time()
    work()
    return process_time() - used


def pairs_per_second_of_vectorbt(path: Path, pairs: int) -> float | None:
    """Bars times pairs a second of one core's time; None, with the reason printed, where it cannot run."""
    environment, packages, _ = PEERS["vectorbt"]
    try:
        answer = answer_of(
            "vectorbt", python_of(environment, *packages), HERE / "run_vectorbt.py", str(path), str(pairs)
        )
    except Missing as missing:
        print(f"vectorbt, {pairs} pairs left out: {missing}")
        return None
    return float(answer["bars"] / answer["cpu_seconds"])
