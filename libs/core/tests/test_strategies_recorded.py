"""Every strategy that works by targets, on a recorded day: compiled as plain, cut anywhere, blind to the future."""

import csv
import json
import math
from collections import namedtuple
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Timeframe
from algotrendy_core import kernels
from algotrendy_core.bars import Bar, Candle, as_floats
from algotrendy_core.strategies.interface import AnyStrategy
from algotrendy_core.strategies.registry import STRATEGIES, parameters_of, strategy_named
from algotrendy_core.strategies.running import StrategyRun
from algotrendy_simulator.listings import PACKAGED, read_listings

Row = tuple[float, int]

BY_TARGET: dict[str, dict[str, float]] = {
    "sma_cross": {"fast": 5, "slow": 20},
    "rsi_reversion": {"period": 7, "entry": 35},
    "momentum": {"lookback": 12},
    "macd_cross": {"threshold": 0.00002, "allow_short": 1},
    "macd_divergence": {"turn": 0.2, "allow_short": 1},
    "mfi_reversion": {"period": 10, "allow_short": 1},
    "vwap_reversion": {"period": 30, "entry": 0.002, "allow_short": 1},
    "bollinger_squeeze": {"channel": 2.0, "minimum": 3, "allow_short": 1},
    "bollinger_reversion": {"allow_short": 1},
    "mean_reversion": {"period": 30, "stop": 3, "allow_short": 1},
    "breakout": {"entry": 20, "exit": 10, "buffer": 0.1, "allow_short": 1},
}


@cache
def bars() -> tuple[Bar, ...]:
    """The minutes of a recorded day of BTC-USDT."""
    listing = read_listings(PACKAGED)[0]
    rows = []
    with (PACKAGED / listing.file).open(newline="") as file:
        for row in csv.DictReader(file):
            prices = (Decimal(row[name]) for name in Candle._fields[1:])
            time = from_ms(int(row["timestamp_ms"]))
            rows.append(Bar(Timeframe.M1, time, *prices, Decimal(0), 0, complete=True))
    return tuple(rows)


def run_of(name: str) -> StrategyRun:
    strategy = strategy_named(name)
    return StrategyRun(strategy, parameters_of(strategy, BY_TARGET[name]))


def plain(name: str, candles: list[Candle]) -> list[Row]:
    """Bit patterns, so that -0.0 and NaN are compared too."""
    strategy: AnyStrategy = strategy_named(name)
    parameters = parameters_of(strategy, BY_TARGET[name])
    state = strategy.initial_state(parameters)
    return [bits(strategy.step(parameters, state, candle)) for candle in candles]


def bits(decision: Any) -> Row:
    return np.float64(decision.target).view(np.int64).item(), int(decision.reason)


@pytest.mark.parametrize("name", sorted(BY_TARGET))
def test_compiled_decides_as_plain_to_the_last_bit(name: str) -> None:
    candles = [as_floats(bar) for bar in bars()]
    strategy = strategy_named(name)
    parameters = parameters_of(strategy, BY_TARGET[name])
    step = kernels.compiled(strategy.step)
    given, state = _as_tuple(parameters), kernels.to_record(strategy.initial_state(parameters))
    assert [bits(step(given, state, candle)) for candle in candles] == plain(name, candles)


def _as_tuple(parameters: Any) -> Any:
    model = type(parameters)
    return namedtuple(model.__name__, model.model_fields)(*(getattr(parameters, field) for field in model.model_fields))


@pytest.mark.parametrize("name", sorted(BY_TARGET))
def test_it_trades_and_says_why_in_every_way_it_can(name: str) -> None:
    run = run_of(name)
    signals = [signal for bar in bars() if (signal := run.on_bar(bar)) is not None]
    changes = sum(one.target != other.target for one, other in pairwise(signals))
    assert changes > 8
    assert {signal.reason for signal in signals} == set(run.strategy.reasons[1:])
    assert all(-1 <= signal.target <= 1 for signal in signals)


@pytest.mark.parametrize("name", sorted(BY_TARGET))
def test_the_first_decision_comes_exactly_when_warm_up_says(name: str) -> None:
    run = run_of(name)
    wait = run.strategy.warm_up(run.parameters)
    outcome = [run.on_bar(bar) is not None for bar in bars()[: wait + 50]]
    assert outcome == [False] * (wait - 1) + [True] * 51


@pytest.mark.parametrize("name", sorted(BY_TARGET))
def test_a_run_cut_anywhere_goes_on_as_if_it_had_not_been(name: str) -> None:
    whole = run_of(name)
    expected = [whole.on_bar(bar) for bar in bars()[:400]]
    live, found = run_of(name), []
    for number, bar in enumerate(bars()[:400]):
        if number % 7 == 0:
            saved = json.dumps(live.save())
            live = run_of(name)
            live.restore(json.loads(saved))
        found.append(live.on_bar(bar))
    assert found == expected
    assert live.save() == whole.save()


@pytest.mark.parametrize("name", sorted(BY_TARGET))
def test_later_bars_never_change_an_earlier_decision(name: str) -> None:
    candles = [as_floats(bar) for bar in bars()[:300]]
    whole = plain(name, candles)
    crash = [candle._replace(open=1.0, high=1.0, low=1.0, close=1.0) for candle in candles]
    for cut in range(10, 300, 41):
        assert plain(name, candles[:cut]) == whole[:cut]
        assert plain(name, candles[:cut] + crash[cut:])[:cut] == whole[:cut]


@pytest.mark.parametrize("name", sorted(BY_TARGET))
def test_without_leave_to_sell_short_it_never_does(name: str) -> None:
    strategy = strategy_named(name)
    values = {field: value for field, value in BY_TARGET[name].items() if field != "allow_short"}
    run = StrategyRun(strategy, parameters_of(strategy, values))
    targets = [signal.target for bar in bars() if (signal := run.on_bar(bar)) is not None]
    assert min(targets) == 0.0
    assert math.copysign(1.0, min(targets, key=lambda value: math.copysign(1.0, value))) == 1.0
    assert max(targets) == 1.0


def test_every_strategy_without_a_ladder_is_tried_here() -> None:
    assert {name for name, strategy in STRATEGIES.items() if strategy.rungs is None} == set(BY_TARGET)
