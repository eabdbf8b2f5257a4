"""Robustness statistics: worked by hand, against simulated truth, and on noise, where nothing may look good."""

import itertools
from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest
from algotrendy_common.enums import Timeframe
from algotrendy_core.backtest.execution import TRADE
from algotrendy_core.backtest.series import BarSeries, check
from algotrendy_core.robustness.deflated import (
    deflated_sharpe,
    expected_best,
    minimum_track_record,
    moments,
    probabilistic_sharpe,
)
from algotrendy_core.robustness.overfitting import cross_validated
from algotrendy_core.robustness.resampling import resampled, trade_draws
from algotrendy_core.robustness.significance import against_random_entries
from hypothesis import given
from hypothesis import strategies as st


def noise(periods: int, sets: int, *, seed: int, drift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(drift, 0.01, (periods, sets))


# ── the Sharpe ratio's own doubt ────────────────────────────────────────────────────────────────────────────────


def test_a_normal_sample_has_the_textbook_probability() -> None:
    returns = noise(10_000, 1, seed=1, drift=0.0002)[:, 0]
    found = moments(returns)
    assert found is not None
    assert found.kurtosis == pytest.approx(3.0, abs=0.2)
    probability = probabilistic_sharpe(returns)
    # For normal returns the variance of the ratio is 1 + ratio² / 2.
    by_hand = NormalDist().cdf(found.sharpe * sqrt(9_999) / sqrt(1 + found.sharpe**2 / 2))
    assert probability == pytest.approx(by_hand, abs=0.01)
    assert probabilistic_sharpe(returns, found.sharpe) == pytest.approx(0.5)


def test_the_hurdle_is_the_best_that_noise_shows() -> None:
    trials, periods = 200, 1000
    best = [
        (lambda r: (r.mean(axis=0) / r.std(axis=0, ddof=1)).max())(noise(periods, trials, seed=seed))
        for seed in range(60)
    ]
    assert expected_best(trials, 1 / sqrt(periods)) == pytest.approx(float(np.mean(best)), rel=0.03)
    assert expected_best(1, 0.5) == 0.0
    with pytest.raises(ValueError, match="none"):
        expected_best(0, 1.0)


def test_the_best_of_many_worthless_sets_is_deflated_and_a_real_edge_is_not() -> None:
    returns = noise(1000, 200, seed=5)
    ratios = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
    best = int(ratios.argmax())
    assert (probabilistic_sharpe(returns[:, best]) or 0) > 0.98  # looked at alone it is a find
    lucky = deflated_sharpe(returns[:, best], ratios)
    assert lucky is not None
    assert lucky.trials == 200
    assert lucky.probability < 0.8
    edge = noise(1000, 1, seed=6, drift=0.0025)[:, 0]
    real = deflated_sharpe(edge, np.append(ratios, edge.mean() / edge.std(ddof=1)))
    assert real is not None
    assert real.probability > 0.99


def test_what_a_sample_does_not_define_is_none() -> None:
    assert moments(np.array([0.01, 0.02])) is None
    assert probabilistic_sharpe(np.zeros(50)) is None
    assert deflated_sharpe(noise(50, 1, seed=1)[:, 0], np.array([np.nan])) is None
    assert minimum_track_record(noise(500, 1, seed=2, drift=-0.01)[:, 0]) is None


def test_the_needed_track_record_shrinks_with_the_edge() -> None:
    small, large = (noise(5000, 1, seed=3, drift=drift)[:, 0] for drift in (0.0005, 0.002))
    needed_small, needed_large = minimum_track_record(small), minimum_track_record(large)
    assert needed_small is not None
    assert needed_large is not None
    assert needed_small > 4 * needed_large > 0


# ── choosing ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_choosing_among_noise_is_a_coin() -> None:
    found = [cross_validated(noise(1000, 40, seed=seed), groups=10, tested=5) for seed in range(8)]
    assert np.mean([one.probability for one in found]) == pytest.approx(0.5, abs=0.15)
    assert len(found[0].splits) == 252
    assert found[0].median_degradation > 0


def test_choosing_a_set_that_is_really_better_is_not_luck() -> None:
    returns = noise(1000, 40, seed=9)
    returns[:, 7] += 0.004
    found = cross_validated(returns, groups=10, tested=2, purged=3, embargo=2)
    assert found.probability < 0.02
    assert found.probability_of_loss < 0.05
    assert {split.chosen for split in found.splits} == {7}
    assert len(found.path_ratios) == 9  # each of ten groups is tested in nine of the 45 splits
    assert found.path_ratios == pytest.approx(returns[:, 7].mean() / returns[:, 7].std(ddof=1))


def test_nothing_is_both_chosen_on_and_tested_on() -> None:
    # One set is splendid in the first group and around it, and poor elsewhere: seen through a leak it would be chosen.
    returns = noise(1000, 2, seed=11, drift=0.0)
    returns[:, 0] = -0.001 + returns[:, 0] * 0.1
    returns[:110, 0] = 5.0
    found = cross_validated(returns, groups=10, tested=1, purged=10)
    assert found.splits[0].chosen == 1
    assert all(split.chosen == 0 for split in found.splits[2:])


@pytest.mark.parametrize(
    ("shape", "named"),
    [
        ((100, 1), {}),
        ((100, 5), {"groups": 4, "tested": 4}),
        ((30, 5), {"groups": 10, "purged": 5}),
        ((5000, 5), {"groups": 30, "tested": 15}),
    ],
)
def test_what_cannot_be_cut_is_refused(shape: tuple[int, int], named: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        cross_validated(noise(*shape, seed=1), **named)


# ── drawing again ───────────────────────────────────────────────────────────────────────────────────────────────


def test_reordering_keeps_the_result_and_drawing_anew_does_not() -> None:
    returns = np.array([0.1, -0.05, 0.02, -0.2, 0.15, 0.03])
    found = trade_draws(returns, draws=4000, seed=1, drawdown_limit=0.3)
    assert found.total_return.low < np.prod(1 + returns) - 1 < found.total_return.high
    # Whatever the order, the loss of a fifth is in it; the deepest possible takes both losses in a row.
    assert found.max_drawdown_reordered.low == pytest.approx(0.2)
    assert found.max_drawdown_reordered.high == pytest.approx(1 - 0.8 * 0.95)
    assert found.max_drawdown.high > found.max_drawdown_reordered.high
    assert 0 < found.probability_of_drawdown < found.probability_of_loss < 1
    assert found == trade_draws(returns, draws=4000, seed=1, drawdown_limit=0.3)
    with pytest.raises(ValueError, match="no trades"):
        trade_draws(np.array([]), draws=10, seed=1, drawdown_limit=0.2)


def trending(count: int, seed: int = 4) -> BarSeries:
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0.0002, 0.01, count)))
    open_ = np.concatenate(([100.0], close[:-1])) * np.exp(random.normal(0, 0.001, count))
    high = np.maximum(open_, close) * np.exp(np.abs(random.normal(0, 0.002, count)))
    low = np.minimum(open_, close) * np.exp(-np.abs(random.normal(0, 0.002, count)))
    return BarSeries(
        Timeframe.H1, np.arange(count, dtype=np.int64) * 3_600_000, open_, high, low, close, random.uniform(0, 9, count)
    )


@given(st.integers(2, 300), st.integers(1, 60), st.integers(0, 2**31))
def test_a_resampled_history_is_a_possible_one(count: int, block: int, seed: int) -> None:
    bars = trending(count)
    other = resampled(bars, mean_block=block, seed=seed)
    check(other)
    assert len(other) == count
    moves = np.log(bars.close[1:] / bars.close[:-1])
    drawn = np.log(other.close[1:] / other.close[:-1])
    # Every move of it is a move that happened.
    assert np.abs(drawn[:, None] - moves[None, :]).min(axis=1).max() < 1e-9


def test_blocks_keep_what_lies_next_to_each_other() -> None:
    bars = trending(4000)
    moves = np.log(bars.close[1:] / bars.close[:-1])
    drawn = np.diff(np.log(resampled(bars, mean_block=50, seed=1).close))
    follows = {round(float(a), 12): round(float(b), 12) for a, b in itertools.pairwise(moves)}
    pairs = itertools.pairwise(drawn)
    kept = np.mean([follows.get(round(float(a), 12)) == round(float(b), 12) for a, b in pairs])
    assert kept == pytest.approx(1 - 1 / 50, abs=0.01)


# ── random entries ──────────────────────────────────────────────────────────────────────────────────────────────


def trades_at(pairs: list[tuple[int, int]]) -> np.ndarray:
    trades = np.zeros(len(pairs), dtype=TRADE)
    trades["entry_bar"], trades["exit_bar"] = zip(*pairs, strict=True)
    trades["side"] = 1
    return trades


def test_good_timing_is_told_from_luck() -> None:
    # Every hundred bars the price rises for ten and falls for ten; the rest is noise.
    random = np.random.default_rng(2)
    moves = random.normal(0, 0.001, 3000)
    for start in range(50, 3000, 100):
        moves[start : start + 10] += 0.003
        moves[start + 10 : start + 20] -= 0.003
    open_ = 100 * np.exp(np.cumsum(moves))
    skilled = trades_at([(start - 1, start + 9) for start in range(50, 2900, 100)])
    blind = trades_at([(start - 1, start + 9) for start in range(20, 2900, 100)])
    good = against_random_entries(skilled, open_, draws=500, seed=1)
    plain = against_random_entries(blind, open_, draws=500, seed=1)
    assert good is not None
    assert plain is not None
    assert good.p_value == pytest.approx(1 / 501)
    assert good.observed > good.random_mean + 4 * good.random_deviation
    assert plain.p_value > 0.05
    assert against_random_entries(trades_at([(0, 1)])[:0], open_, draws=5, seed=1) is None


def test_a_strategy_that_is_always_in_cannot_be_told_from_chance() -> None:
    open_ = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0.001, 0.01, 500)))
    always = against_random_entries(trades_at([(0, 499)]), open_, draws=50, seed=1)
    assert always is not None
    assert always.p_value == 1.0
