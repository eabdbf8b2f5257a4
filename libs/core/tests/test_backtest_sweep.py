"""Sweeps give what single runs give, and compiled loops stay on disk for the next process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_core.backtest.config import BacktestConfig
from algotrendy_core.backtest.engine import run_backtest
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.backtest.sweep import sweep
from algotrendy_core.instruments import Instrument
from algotrendy_core.strategies.interface import Parameters
from algotrendy_core.strategies.registry import parameters_of, strategy_named

BTC = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.01"),
    quantity_step=Decimal("0.00001"), min_quantity=Decimal("0.00001"), max_quantity=Decimal(9000),
    min_notional=Decimal(5), maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"),
)  # fmt: skip
STRATEGY = strategy_named("sma_cross")


def walk(count: int) -> BarSeries:
    rng = np.random.default_rng(3)
    closes = np.round(20_000 * np.exp(np.cumsum(rng.normal(0, 0.001, count))), 2)
    opens = np.concatenate(([20_000.0], closes[:-1]))
    return BarSeries(
        Timeframe.M1, np.arange(count) * 60_000, opens, np.maximum(opens, closes), np.minimum(opens, closes), closes,
        np.full(count, 5.0),
    )  # fmt: skip


def pairs(count: int) -> Iterator[Parameters]:
    for index in range(count):
        yield parameters_of(STRATEGY, {"fast": 2 + index % 7, "slow": 10 + index})


@pytest.mark.parametrize("how", [{}, {"threads": 3}, {"compiled": False}])
@pytest.mark.parametrize(
    "config", [BacktestConfig(Decimal(10_000)), BacktestConfig(Decimal(10_000), volume_share=Decimal(1))]
)
def test_each_row_is_the_run_of_its_set(how: dict[str, Any], config: BacktestConfig) -> None:
    bars = walk(1500)
    rows = sweep(STRATEGY, pairs(9), bars, BTC, config, **how)
    assert len(rows) == 9
    for row, parameters in zip(rows, pairs(9), strict=True):
        alone = run_backtest(STRATEGY, parameters, bars, BTC, config, compiled=False)
        numbers = alone.statistics.as_dict() | {"fills": len(alone.fills)}
        for name in rows.dtype.names:
            expected = numbers[name]
            assert row[name] == pytest.approx(expected, rel=1e-9) if expected is not None else isnan(row[name]), name


def test_a_sweep_refuses_what_a_run_refuses() -> None:
    with pytest.raises(Refused, match="no bars"):
        sweep(STRATEGY, pairs(1), walk(0), BTC, BacktestConfig(Decimal(1)))
    with pytest.raises(Refused, match="needs cash"):
        sweep(STRATEGY, pairs(1), walk(5), BTC, BacktestConfig(Decimal(0)))
    assert len(sweep(STRATEGY, [], walk(5), BTC, BacktestConfig(Decimal(1)))) == 0


# ── compiled loops on disk ──────────────────────────────────────────────────────────────────────────────────────

RUN = """
import sys
from algotrendy_core.backtest import compilation
from algotrendy_core.backtest.target_loop import decide_bars
sys.path.insert(0, {folder!r})
import {module} as mine
from algotrendy_core.strategies.registry import parameters_of
loop = compilation.bound_loop(decide_bars, mine.MINE, compiled=True)
from algotrendy_core.backtest.decisions import Decider
Decider(mine.MINE, parameters_of(mine.MINE, {{}}), compiled=True)
print(sum(loop.stats.cache_hits.values()), sum(loop.stats.cache_misses.values()))
"""
MINE = """
from dataclasses import dataclass
from algotrendy_core.strategies.interface import Decision, Parameters, Strategy
FACTOR = 2.0
class Nothing(Parameters):
    factor: float = 1.0
@dataclass
class Last:
    close: float = 0.0
def step(parameters, state, candle):
    before, state.close = state.close, candle.close
    return Decision(1.0 if candle.close > FACTOR * parameters.factor * before else 0.0, 1)
MINE = Strategy("mine", "", Nothing, lambda _: Last(), step, lambda _: 1, ("", ""))
"""


def start(folder: Path, cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN.format(folder=str(folder), module="mine_of_a_user")],
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def hits_and_misses(process: subprocess.Popen[str]) -> list[int]:
    output, _ = process.communicate()
    assert process.returncode == 0
    return [int(number) for number in output.split()]


def test_another_process_finds_what_was_compiled_until_the_strategy_changes(tmp_path: Path) -> None:
    source, cache = tmp_path / "mine_of_a_user.py", tmp_path / "cache"
    source.write_text(MINE)
    together = [start(tmp_path, cache) for _ in range(2)]  # two writers of one file
    assert all(sum(hits_and_misses(process)) == 1 for process in together)
    assert hits_and_misses(start(tmp_path, cache)) == [1, 0]
    source.write_text(MINE.replace("FACTOR = 2.0", "FACTOR = 3.0"))
    assert hits_and_misses(start(tmp_path, cache)) == [0, 1]
    assert len(list((cache / "algotrendy_kernels").glob("*.py"))) == 2


def test_where_nothing_can_be_kept_it_is_compiled_in_memory(tmp_path: Path) -> None:
    (tmp_path / "mine_of_a_user.py").write_text(MINE)
    no_folder = tmp_path / "a_file"
    no_folder.write_text("")
    assert hits_and_misses(start(tmp_path, no_folder / "cache")) == [0, 1]
