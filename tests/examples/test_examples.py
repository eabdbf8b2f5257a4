"""The examples that need no running stack do what they say, as a reader would run them."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_write_a_strategy() -> None:
    done = run("examples/02_write_a_strategy.py")
    assert done.returncode == 0, done.stderr
    assert "compiled: True" in done.stdout
    assert "the same as in the backtest: True" in done.stdout


def test_backtest_prints_the_same_hash_twice() -> None:
    first, second = (run("examples/04_backtest.py", "momentum", "--set", "lookback=45") for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert "1440 bars" in first.stdout
    assert "result hash" in first.stdout
    assert first.stdout == second.stdout


def test_backtest_says_which_parameter_is_wrong() -> None:
    done = run("examples/04_backtest.py", "--set", "fast=90")
    assert done.returncode == 2
    assert "fast must be shorter than slow" in done.stderr
