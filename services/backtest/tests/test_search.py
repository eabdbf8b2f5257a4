"""What a search tries, in which order, and when it ends; without processes, which have tests of their own."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from algotrendy_backtest.computing.tasks import Tried, TryAll
from algotrendy_backtest.errors import TooFewBars
from algotrendy_backtest.search.places import RAY_FROM_S, _Moving
from algotrendy_backtest.search.samplers import sampler_of
from algotrendy_backtest.search.space import axes_of, grid, neighbourhood, size_of
from algotrendy_backtest.search.study import search
from algotrendy_backtest.walkforward import windows_of
from algotrendy_common.errors import Refused
from algotrendy_common.events.backtest import SearchMethod, SearchSettings, WalkForwardSettings
from algotrendy_core.strategies.registry import STRATEGIES, strategy_named
from hypothesis import given
from hypothesis import strategies as st

SCHEMA = strategy_named("sma_cross").parameters.model_json_schema()["properties"]


class Here:
    """An executor that computes at once, by a function from parameters to the objective."""

    workers = 2

    def __init__(self, objective: Callable[[dict[str, Any]], float | None]) -> None:
        self.objective = objective
        self.batches: list[TryAll] = []
        self.computed: list[int] = []

    def hungry(self) -> bool:
        return len(self.batches) < 2

    def submit(self, batch: TryAll) -> None:
        self.batches.append(batch)

    def wait(self) -> list[Tried]:
        if not self.batches:
            return []
        batch = self.batches.pop(0)
        tried = []
        for each in batch.candidates:
            self.computed.append(each.number)
            value = self.objective(dict(each.parameters))
            below = batch.prune_below is not None and (value is None or value < batch.prune_below)
            status = "pruned" if below else "finished"
            partial = value if batch.tell_partial else None
            tried.append(Tried(each.number, each.parameters, status, None if below else value, partial, seconds=0.2))
        return tried

    def foresee(self, work_s: float) -> None:
        """Nothing to prepare."""

    def close(self) -> None:
        """Nothing is open."""


def run(settings: SearchSettings, executor: Here, known: dict[int, Tried] | None = None, stop_after: int = 10**9):
    kept: dict[int, Tried] = {}

    def keep(tried: list[Tried], total: int) -> None:
        kept.update({each.number: each for each in tried})

    found = search(
        axes_of(SCHEMA, settings.space), settings, bars=(0, 1000), seed=7, executor=executor, known=known or {},
        fixed={}, keep=keep, stop=lambda: len(kept) >= stop_after,
    )  # fmt: skip
    return found, kept


def peak(parameters: dict[str, Any]) -> float:
    return -abs(parameters["fast"] - 8) - abs(parameters["slow"] - 40) / 10


SPACE = {"fast": "2:20:2", "slow": "20:60:10"}


def test_a_range_is_a_grid_with_both_ends() -> None:
    axes = axes_of(SCHEMA, {"fast": "5:15:5", "slow": "30,60", "exposure": "0.1:0.3:0.1"})
    assert [axis.grid() for axis in axes] == [(5, 10, 15), (30, 60), (0.1, 0.2, 0.3)]
    assert size_of(axes) == len(list(grid(axes))) == 18
    assert next(iter(grid(axes))) == {"fast": 5, "slow": 30, "exposure": 0.1}


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"speed": "1:2"}, "no parameter speed"),
        ({"fast": "0:5"}, "at least 1"),
        ({"slow": "2:9999"}, "at most 5000"),
        ({"exposure": "0:1"}, "above 0"),
        ({"fast": "9:5"}, "not low:high"),
        ({"fast": "5:9:0"}, "not low:high"),
        ({"fast": "2.5:5"}, "not a whole number"),
        ({"fast": "a,b"}, "not a number"),
        ({"exposure": "nan,1"}, "not a number"),
    ],
)
def test_a_space_that_cannot_be_is_refused(space, said) -> None:
    with pytest.raises(Refused, match=said):
        axes_of(SCHEMA, space)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_strategy_can_be_searched_within_its_bounds_and_near_its_defaults(name) -> None:
    model = STRATEGIES[name].parameters
    schema = model.model_json_schema()["properties"]
    for axis in axes_of(schema, {}):
        ends = (axis.number(axis.low), axis.number(axis.high))
        rules = schema[axis.name]
        assert all(end >= rules.get("minimum", end) and end > rules.get("exclusiveMinimum", end - 1) for end in ends)
        assert all(end <= rules.get("maximum", end) and end < rules.get("exclusiveMaximum", end + 1) for end in ends)
    near = neighbourhood(schema, {})
    for axis in axes_of(schema, near):
        assert schema[axis.name]["default"] in axis.grid()


@given(seed=st.integers(0, 2**31), done=st.sets(st.integers(0, 19)))
def test_a_random_trial_depends_on_its_number_alone(seed, done) -> None:
    axes = axes_of(SCHEMA, {"fast": "2:20", "slow": "30:60:5", "exposure": "0.1:1"})
    settings = SearchSettings(method=SearchMethod.RANDOM, trials=20)

    def drawn(known):
        sampler = sampler_of(axes, settings, seed, known)
        found = {}
        while (candidate := sampler.ask()) is not None:
            found[candidate.number] = candidate.parameters
        return found

    whole = drawn({})
    rest = drawn({number: Tried(number, {}, "finished") for number in done})
    assert rest == {number: values for number, values in whole.items() if number not in done}
    assert all(2 <= values["fast"] <= 20 and values["slow"] in range(30, 61, 5) for values in whole.values())


def test_a_grid_finds_the_best_and_tries_each_once() -> None:
    executor = Here(peak)
    found, kept = run(SearchSettings(space=SPACE), executor)
    assert (found.best.parameters, found.trials, found.ended) == ({"fast": 8, "slow": 40}, 50, "all_tried")
    assert sorted(executor.computed) == list(range(50)) == sorted(kept)


def test_a_random_search_of_a_space_that_is_small_tries_each_point_once() -> None:
    found, kept = run(SearchSettings(method=SearchMethod.RANDOM, trials=500, space=SPACE), Here(peak))
    assert found.trials == 50
    assert len({tuple(tried.parameters.values()) for tried in kept.values()}) == 50


def test_a_stopped_search_goes_on_and_computes_nothing_twice() -> None:
    first, second = Here(peak), Here(peak)
    found, kept = run(SearchSettings(space=SPACE), first, stop_after=13)
    assert found.ended == "stopped"
    assert 13 <= len(kept) < 50
    again, _ = run(SearchSettings(space=SPACE), second, known=kept)
    assert (again.best.parameters, again.trials) == ({"fast": 8, "slow": 40}, 50)
    assert not set(first.computed) & set(second.computed)


def test_a_tpe_search_comes_near_the_peak_and_can_be_resumed() -> None:
    settings = SearchSettings(method=SearchMethod.TPE, trials=40, space={"fast": "1:200", "slow": "20:400"})
    _, kept = run(settings, Here(peak), stop_after=20)
    found, _ = run(settings, Here(peak), known=kept)
    drawn, _ = run(settings.model_copy(update={"method": SearchMethod.RANDOM}), Here(peak))
    assert found.trials == 40
    assert found.best.objective > drawn.best.objective


def test_patience_ends_a_search_that_finds_nothing_better() -> None:
    executor = Here(lambda parameters: 1.0 if parameters == {"fast": 2, "slow": 20} else 0.0)
    found, _ = run(SearchSettings(space=SPACE, patience=5), executor)
    assert found.ended == "no_better"
    assert found.best.number == 0
    assert found.trials < 25


def test_pruning_begins_once_there_is_a_median_and_never_takes_the_best() -> None:
    found, kept = run(SearchSettings(space=SPACE, prune=True), Here(peak))
    pruned = [number for number, tried in kept.items() if tried.status == "pruned"]
    assert pruned
    assert min(pruned) >= 8
    assert found.best.parameters == {"fast": 8, "slow": 40}


def test_what_is_not_defined_is_never_the_best() -> None:
    found, _ = run(SearchSettings(space=SPACE), Here(lambda parameters: None))
    assert found.best is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (SearchSettings(space=SPACE, objective="luck"), "no statistic 'luck'"),
        (SearchSettings(space=SPACE, trials=49), "50 points and 49"),
    ],
)
def test_a_search_that_cannot_be_is_refused(settings, said) -> None:
    with pytest.raises(Refused, match=said):
        run(settings, Here(peak))


def test_a_long_search_moves_and_every_candidate_still_comes_back_once() -> None:
    here, there = Here(peak), Here(peak)
    moving = _Moving(here, lambda: there)
    moving.foresee(RAY_FROM_S * 100)
    assert not there.computed  # too early to tell
    settings = SearchSettings(space=SPACE)

    class Long(_Moving):
        def foresee(self, work_s: float) -> None:
            super().foresee(RAY_FROM_S * 100)

    found, kept = run(settings, Long(here, lambda: there))
    assert sorted(here.computed + there.computed) == sorted(kept) == list(range(50))
    assert there.computed
    assert found.best.parameters == {"fast": 8, "slow": 40}


@given(bars=st.integers(500, 100_000), windows=st.integers(1, 8), percent=st.integers(30, 90), anchored=st.booleans())
def test_windows_follow_one_another_and_never_look_ahead(bars, windows, percent, anchored) -> None:
    settings = WalkForwardSettings(windows=windows, train_share=Decimal(percent) / 100, anchored=anchored)
    try:
        found = windows_of(bars, settings)
    except TooFewBars:
        assert bars < 60 * 9 * 10
        return
    assert len(found) == windows
    assert found[-1].test_stop == bars
    assert all(one.test_stop == after.test_start for one, after in pairwise(found))
    assert all(0 <= window.train_start < window.train_stop <= window.test_start for window in found)
    lengths = {window.train_stop - window.train_start for window in found}
    assert anchored or len(lengths) == 1
    assert not anchored or {window.train_start for window in found} == {0}
