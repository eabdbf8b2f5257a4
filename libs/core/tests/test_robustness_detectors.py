"""The detectors name the guilty line of a strategy that cheats, and never accuse one that does not."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from algotrendy_common.enums import Timeframe
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.robustness.detectors import look_ahead, start_dependence
from algotrendy_core.strategies.interface import AnyStrategy
from algotrendy_core.strategies.registry import STRATEGIES

PEEKS = """
from dataclasses import dataclass
from algotrendy_core.strategies.interface import UNDECIDED, Decision, Parameters, Strategy

SEEN = []


class PeekParameters(Parameters):
    pass


@dataclass
class PeekState:
    count: int = 0


def step(parameters, state, candle):
    SEEN.append(candle.close)
    state.count += 1
    known = state.count < len(SEEN)
    tomorrow = SEEN[state.count] if known else candle.close
    if tomorrow > candle.close:
        return Decision(1.0, 1)
    return Decision(0.0, 2)


PEEK = Strategy("peek", "knows tomorrow", PeekParameters, lambda p: PeekState(), step, lambda p: 1, ("w", "up", "down"))
"""
REMEMBERS = """
from dataclasses import dataclass
from math import nan
from algotrendy_core.strategies.interface import UNDECIDED, Decision, Parameters, Strategy


class SlowParameters(Parameters):
    pass


@dataclass
class SlowState:
    average: float = 0.0
    count: int = 0


def smoothed(state, close):
    if state.count == 0:
        state.average = close
    state.count += 1
    moved = state.average + (close - state.average) / 2000.0
    state.average = moved
    return moved


def step(parameters, state, candle):
    level = smoothed(state, candle.close)
    if state.count < 3:
        return UNDECIDED
    return Decision(1.0 if candle.close > level else 0.0, 1)


SLOW = Strategy("slow", "never forgets", SlowParameters, lambda p: SlowState(), step, lambda p: 3, ("w", "d"))
"""


def walk(count: int = 1500, seed: int = 3) -> BarSeries:
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.004, count)))
    open_ = np.concatenate(([100.0], close[:-1]))
    return BarSeries(
        Timeframe.M1,
        np.arange(count, dtype=np.int64) * 60_000,
        open_,
        np.maximum(open_, close) * 1.001,
        np.minimum(open_, close) * 0.999,
        close,
        random.uniform(1, 5, count),
    )


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, str, str], Callable[[], AnyStrategy]]:
    def write(name: str, source: str, constant: str) -> Callable[[], AnyStrategy]:
        path = tmp_path / f"{name}.py"
        path.write_text(source)

        def make() -> AnyStrategy:
            module = ModuleType(name)
            module.__file__ = str(path)
            sys.modules[name] = module  # a dataclass looks its own module up
            exec(compile(source, str(path), "exec"), module.__dict__)
            found: AnyStrategy = getattr(module, constant)
            return found

        return make

    return write


def test_a_strategy_that_kept_the_future_beside_its_state_is_found_with_the_line(written) -> None:
    make = written("peek", PEEKS, "PEEK")
    found = look_ahead(make, make().parameters(), walk())

    assert found is not None
    assert found.guilty is not None
    assert found.guilty.function == "step"
    assert found.guilty.source == "known = state.count < len(SEEN)"
    assert "peek.py" in str(found.guilty)


def test_an_average_that_never_forgets_its_start_is_found_with_the_line(written) -> None:
    make = written("slow", REMEMBERS, "SLOW")
    strategy = make()
    found = start_dependence(strategy, strategy.parameters(), walk())

    assert found is not None
    assert found.bars_seen > found.warm_up
    assert found.guilty is not None
    assert found.guilty.function == "smoothed"
    assert found.guilty.source == "moved = state.average + (close - state.average) / 2000.0"


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_what_comes_with_the_platform_does_not_look_ahead(name: str) -> None:
    strategy = STRATEGIES[name]
    assert look_ahead(lambda: strategy, strategy.parameters(), walk()) is None


@pytest.mark.parametrize("name", ["sma_cross", "momentum"])
def test_what_only_has_a_window_does_not_depend_on_its_start(name: str) -> None:
    strategy = STRATEGIES[name]
    assert start_dependence(strategy, strategy.parameters(), walk()) is None
