"""Grid and averaging on a floor that fills their orders: what they want follows from what was filled alone."""

import json
import math
from collections import namedtuple
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from algotrendy_core import kernels
from algotrendy_core.bars import Candle
from algotrendy_core.strategies.interface import LIMIT, STOP, AnyStrategy, Holding, Rung
from algotrendy_core.strategies.registry import STRATEGIES, parameters_of, strategy_named
from algotrendy_core.strategies.running import StrategyRun
from hypothesis import given, settings
from hypothesis import strategies as st

CAPITAL = 10_000.0
FEE = 0.001


@dataclass
class Floor:
    """Fills what rests when the next bar's range comes to it; fees are taken in what is received."""

    base: float = 0.0
    cost: float = 0.0
    cash: float = CAPITAL
    fills: list[tuple[int, int, float, float]] = field(default_factory=list)
    """Bar, rung, price, signed quantity."""

    @property
    def holding(self) -> Holding:
        return Holding(self.base, self.cost / self.base if self.base > 0 else 0.0, CAPITAL)

    def trade(self, bar: int, candle: Candle, ladder: Any) -> None:
        gone: set[int] = set()
        for i, rung in enumerate(ladder):
            rest = rung.quantity - rung.filled
            if rung.kind == 0 or rung.generation == 0 or rest * candle.close < 1e-6 or rung.group in gone:
                continue
            assert rung.kind in (LIMIT, STOP)
            above = (rung.side < 0) == (rung.kind == LIMIT)
            if not (candle.high >= rung.price if above else candle.low <= rung.price):
                continue
            price = rung.price
            if rung.kind == LIMIT:
                price = max(price, candle.open) if rung.side < 0 else min(price, candle.open)
            self._book(rung.side, rest, price)
            rung.filled += rest
            self.fills.append((bar, i, price, rung.side * rest))
            if rung.group:
                gone.add(rung.group)

    def _book(self, side: int, quantity: float, price: float) -> None:
        if side > 0:
            self.base += quantity * (1 - FEE)
            self.cost += quantity * price
            self.cash -= quantity * price
            return
        assert quantity <= self.base * (1 + 1e-12), "more was sold than is held"
        self.cost -= self.cost * quantity / self.base
        self.base -= quantity
        self.cash += quantity * price * (1 - FEE)


def candles_of(*closes: float) -> list[Candle]:
    """Each opens where the last one closed."""
    opens = (closes[0], *closes)
    return [
        Candle(60_000 * i, opens[i], max(opens[i], close), min(opens[i], close), close, 1.0)
        for i, close in enumerate(closes)
    ]


def walk(seed: int, length: int = 400, volatility: float = 0.004) -> list[Candle]:
    moves = np.random.default_rng(seed).normal(0, volatility, length)
    return candles_of(*(100 * np.exp(np.cumsum(moves))).tolist())


def run_of(name: str, **values: float) -> StrategyRun:
    strategy = strategy_named(name)
    return StrategyRun(strategy, parameters_of(strategy, values))


def played(run: StrategyRun, candles: list[Candle], floor: Floor | None = None) -> Floor:
    """The run on the floor: a bar fills what rests, then the strategy sees it."""
    floor = floor or Floor()
    strategy, parameters = run.strategy, run.parameters
    state, ladder = run._state, run.ladder
    for number, candle in enumerate(candles):
        floor.trade(number, candle, ladder)
        stepped(strategy, parameters, state, candle, floor.holding, ladder)
    return floor


def stepped(strategy: AnyStrategy, parameters: Any, state: Any, candle: Candle, holding: Holding, ladder: Any) -> Any:
    before = [int(rung.generation) for rung in ladder]
    decision = strategy.step(parameters, state, candle, holding, ladder)
    assert math.isnan(decision.target)
    for rung, generation in zip(ladder, before, strict=True):
        if rung.generation != generation:
            rung.filled = 0.0
    return decision


LADDERS: dict[str, dict[str, float]] = {
    "grid": {"levels": 4, "spacing": 0.005, "recentre": 0.006, "stop": 0.02},
    "dca": {"steps": 3, "take_profit": 0.006, "spacing": 0.004, "stop_loss": 0.02},
}


def test_a_grid_buys_low_sells_a_step_higher_and_begins_again() -> None:
    run = run_of("grid", levels=2, spacing=0.01, recentre=0.02, stop=0, exposure=1)
    floor = played(run, candles_of(100, 98.9, 100.5, 98.9, 97, 101))
    quantity = CAPITAL / 2 / 99
    bought = quantity * (1 - FEE)
    lower = CAPITAL / 2 / (99 * 0.99)
    assert [(bar, rung, round(price, 9)) for bar, rung, price, _ in floor.fills] == [
        (1, 0, 99.0),
        (2, 0, 100.0),
        (3, 0, 99.0),
        (4, 1, 98.01),
        (5, 0, 100.0),
        (5, 1, 99.0),
    ]
    expected = [quantity, -bought, quantity, lower, -bought, -lower * (1 - FEE)]
    assert [signed for *_, signed in floor.fills] == pytest.approx(expected)
    assert floor.base == pytest.approx(0, abs=1e-9)
    # Three round trips of one per cent, less two fees each.
    assert floor.cash - CAPITAL == pytest.approx(3 * CAPITAL / 2 * ((1 - FEE) ** 2 / 0.99 - 1))


def test_an_empty_grid_follows_the_price_and_a_loaded_one_stays() -> None:
    run = run_of("grid", levels=2, spacing=0.01, recentre=0.02, stop=0)
    played(run, candles_of(100, 101))
    assert run.ladder[0].price == pytest.approx(99)
    played(run, candles_of(103))
    assert run.ladder[0].price == pytest.approx(103 * 0.99)
    floor = played(run, candles_of(101.5, 101.9))
    assert [rung.side for rung in run.ladder] == [-1, 1]
    assert run.ladder[0].price == pytest.approx(103)
    assert floor.base > 0


def test_a_grid_that_falls_through_its_stop_sells_everything_and_begins_lower() -> None:
    run = run_of("grid", levels=2, spacing=0.01, recentre=0.02, stop=0.05)
    floor = played(run, candles_of(100, 97, 92, 91.8, 91.8))
    assert floor.base == pytest.approx(0, abs=1e-9)
    assert [rung for _, rung, *_ in floor.fills] == [0, 1, 0, 1]
    assert [rung.side for rung in run.ladder] == [1, 1]
    assert run.ladder[0].price == pytest.approx(91.8 * 0.99)


def test_a_grid_whose_position_somebody_closed_begins_again() -> None:
    run = run_of("grid", levels=2, spacing=0.01, recentre=0.02, stop=0)
    floor = played(run, candles_of(100, 98.9, 98.9))
    generation = run.ladder[0].generation
    floor.base = floor.cost = 0.0
    played(run, candles_of(98.9), floor)
    assert (run.ladder[0].side, run.ladder[0].generation) == (1, generation + 1)


def test_a_deal_that_somebody_closed_is_over() -> None:
    run = run_of("dca", steps=1, exposure=0.5, pause=0)
    floor = played(run, candles_of(100, 100))
    assert run.ladder[2].quantity == floor.base > 0
    floor.base *= 0.001
    played(run, candles_of(100), floor)
    assert [rung.kind for rung in run.ladder] == [0] * 4


def test_averaging_buys_in_steps_and_sells_above_the_average() -> None:
    run = run_of("dca", steps=2, spacing=0.01, spacing_growth=2, size_growth=2, take_profit=0.01, pause=2, exposure=0.7)
    floor = played(run, candles_of(100, 100, 98.9, 96.9, 99.2))
    costs = [price * quantity for _, _, price, quantity in floor.fills[:3]]
    assert costs == pytest.approx([1000, 2000, 4000])
    assert [price for _, _, price, _ in floor.fills[:3]] == pytest.approx([100, 99, 97])
    (sale,) = floor.fills[3:]
    average = 7000 / sum(quantity for *_, quantity in floor.fills[:3]) / (1 - FEE)
    assert sale[2] == pytest.approx(average * 1.01)
    assert floor.base == pytest.approx(0, abs=1e-9)
    assert [rung.kind for rung in run.ladder] == [0] * 5
    played(run, candles_of(98.9, 98.9), floor)
    assert run.ladder[0].kind == 0
    played(run, candles_of(98.8), floor)
    assert (run.ladder[0].kind, run.ladder[0].generation, run.ladder[0].price) == (LIMIT, 2, 98.8)


def test_take_profit_and_stop_of_a_deal_are_one_group_over_all_that_is_held() -> None:
    run = run_of("dca", steps=1, spacing=0.05, take_profit=0.01, stop_loss=0.02, exposure=0.5)
    floor = played(run, candles_of(100, 100))
    profit, stop = run.ladder[2:]
    assert (profit.kind, stop.kind, profit.group, stop.group) == (LIMIT, STOP, 1, 1)
    assert profit.quantity == stop.quantity == floor.base
    assert (profit.price, stop.price) == pytest.approx((101 / (1 - FEE), 98 / (1 - FEE)))
    played(run, candles_of(97), floor)
    assert floor.base == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", sorted(LADDERS))
def test_compiled_wants_the_same_ladder_as_plain_to_the_last_bit(name: str) -> None:
    strategy = strategy_named(name)
    parameters = parameters_of(strategy, LADDERS[name])
    model = type(parameters)
    given = namedtuple(model.__name__, model.model_fields)(*(getattr(parameters, key) for key in model.model_fields))
    step = kernels.compiled(strategy.step)
    run = run_of(name, **LADDERS[name])
    record = kernels.to_record(strategy.initial_state(parameters))
    rungs = np.zeros(len(run.ladder), kernels.record_type(Rung()))
    floor, reasons = Floor(), set()
    for number, candle in enumerate(walk(3)):
        floor.trade(number, candle, run.ladder)
        rungs["filled"] = [rung.filled for rung in run.ladder]
        there = step(given, record, candle, floor.holding, rungs)
        here = stepped(strategy, parameters, run._state, candle, floor.holding, run.ladder)
        assert here.reason == there.reason
        reasons.add(here.reason)
        for column in ("kind", "side", "price", "quantity", "group", "generation"):
            assert rungs[column].tolist() == [getattr(rung, column) for rung in run.ladder]
    assert reasons == set(range(1, len(strategy.reasons)))
    assert len(floor.fills) > 20


@pytest.mark.parametrize("name", sorted(LADDERS))
@settings(max_examples=8)
@given(st.integers(0, 10_000), st.integers(0, 400))
def test_a_ladder_saved_anywhere_goes_on_the_same_and_never_sells_what_it_has_not(
    name: str, seed: int, cut: int
) -> None:
    candles = walk(seed)
    whole = run_of(name, **LADDERS[name])
    expected = played(whole, candles)
    first = run_of(name, **LADDERS[name])
    floor = played(first, candles[:cut])
    second = run_of(name, **LADDERS[name])
    second.restore(json.loads(json.dumps(first.save())))
    played(second, candles[cut:], floor)
    assert (floor.base, floor.cash) == (expected.base, expected.cash)
    assert second.save() == whole.save()
    assert floor.base > -1e-9
    assert expected.base * min(candle.low for candle in candles) < 0.96 * CAPITAL


@pytest.mark.parametrize("name", sorted(LADDERS))
def test_without_capital_nothing_is_wanted_that_could_be_placed(name: str) -> None:
    run = run_of(name, **LADDERS[name])
    for candle in walk(1, 20):
        stepped(run.strategy, run.parameters, run._state, candle, Holding(0.0, 0.0, 0.0), run.ladder)
    assert all(rung.kind == 0 or rung.quantity == 0.0 for rung in run.ladder)


def test_every_ladder_is_tried_here() -> None:
    assert {name for name, strategy in STRATEGIES.items() if strategy.rungs is not None} == set(LADDERS)
