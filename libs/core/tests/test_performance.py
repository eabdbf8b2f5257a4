"""Statistics: small curves worked out by hand, and what is undefined stays undefined."""

from math import sqrt

import numpy as np
import pytest
from algotrendy_core.performance import (
    irregular,
    max_drawdown,
    profit_factor,
    returns_of,
    sampled,
    sampling_ms,
    sharpe,
    sortino,
    statistics,
    volatility,
    win_rate,
)
from hypothesis import given
from hypothesis import strategies as st

TIMES = np.arange(5, dtype=np.int64) * 3_600_000
CURVE = np.array([110.0, 99.0, 88.0, 121.0, 115.0])


def test_ratios_by_hand() -> None:
    returns = np.array([0.02, -0.01, 0.03, 0.0])
    assert volatility(returns, 4) == pytest.approx(2 * sqrt(0.001 / 3))
    assert sharpe(returns, 4) == pytest.approx(0.01 / sqrt(0.001 / 3) * 2)
    assert sortino(returns, 4) == pytest.approx(0.01 / sqrt(0.0001 / 4) * 2)


def test_drawdown_has_its_dates() -> None:
    worst = max_drawdown(CURVE)
    assert worst is not None
    assert (worst.peak, worst.trough, worst.recovered) == (0, 2, 3)
    assert worst.ratio == pytest.approx(0.2)
    lasting = max_drawdown(CURVE[:3])
    assert lasting is not None
    assert lasting.recovered is None
    assert max_drawdown(np.array([1.0, 2.0, 3.0])) is None
    assert max_drawdown(np.array([])) is None


def test_trades() -> None:
    profits = np.array([30.0, -10.0, 5.0, 0.0])
    assert win_rate(profits) == 0.5
    assert profit_factor(profits) == 3.5
    assert profit_factor(np.array([1.0])) is None
    assert win_rate(np.array([])) is None


def test_the_whole_report() -> None:
    report = statistics(
        CURVE, TIMES, initial=100.0, bar_seconds=3600, profits=np.array([30.0, -10.0]), traded_value=533.0, fees=1.5,
        bars_with_position=4,
    )  # fmt: skip
    assert report.total_return == pytest.approx(0.15)
    assert report.annual_return == pytest.approx(1.15 ** (365 * 24 / 5) - 1)
    assert (report.max_drawdown_peak, report.max_drawdown_trough, report.max_drawdown_recovered) == (
        0,
        2 * 3_600_000,
        3 * 3_600_000,
    )
    assert report.exposure == 0.8
    assert report.turnover == pytest.approx(5.0, rel=1e-3)
    assert (report.trades, report.win_rate, report.profit_factor) == (2, 0.5, 3.0)
    assert (report.average_trade, report.best_trade, report.worst_trade) == (10.0, 30.0, -10.0)
    assert report.as_dict()["fees"] == 1.5


def test_a_fall_from_the_initial_equity_counts() -> None:
    report = statistics(
        np.array([90.0, 95.0]), TIMES[:2], initial=100.0, bar_seconds=60, profits=np.array([]), traded_value=0.0,
        fees=0.0, bars_with_position=0,
    )  # fmt: skip
    assert report.max_drawdown == pytest.approx(0.1)
    assert report.max_drawdown_recovered is None


def test_what_is_undefined_is_none() -> None:
    flat = statistics(
        np.full(3, 100.0), TIMES[:3], initial=100.0, bar_seconds=60, profits=np.array([]), traded_value=0.0, fees=0.0,
        bars_with_position=0,
    )  # fmt: skip
    assert flat.sharpe is None
    assert flat.sortino is None
    assert flat.calmar is None
    assert flat.win_rate is None
    assert flat.max_drawdown == 0.0
    assert sharpe(np.array([0.1]), 10) is None
    with pytest.raises(ValueError, match="empty"):
        statistics(
            np.array([]), TIMES[:0], initial=100.0, bar_seconds=60, profits=np.array([]), traded_value=0.0, fees=0.0,
            bars_with_position=0,
        )  # fmt: skip


def test_a_year_that_cannot_be_told_from_a_minute_is_none() -> None:
    report = statistics(
        np.array([1e9]), TIMES[:1], initial=1.0, bar_seconds=60, profits=np.array([]), traded_value=0.0, fees=0.0,
        bars_with_position=1,
    )  # fmt: skip
    assert report.annual_return is None
    ruined = statistics(
        np.array([50.0, -5.0]), TIMES[:2], initial=100.0, bar_seconds=60, profits=np.array([]), traded_value=0.0,
        fees=0.0, bars_with_position=1,
    )  # fmt: skip
    assert ruined.annual_return is None


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=50).map(np.array), st.floats(1, 1e6))
def test_identities(curve: np.ndarray, initial: float) -> None:
    returns = returns_of(curve, initial)
    assert initial * np.prod(1 + returns) == pytest.approx(curve[-1], rel=1e-9)
    worst = max_drawdown(curve)
    if worst is None:
        assert (np.diff(curve) >= 0).all()
        return
    assert 0 < worst.ratio < 1
    assert curve[worst.peak] == curve[: worst.trough + 1].max()
    assert worst.ratio == pytest.approx(1 - curve[worst.trough] / curve[worst.peak])
    drops = 1 - curve / np.maximum.accumulate(curve)
    assert worst.ratio == drops.max()


# ── curves whose points lie unevenly in time ────────────────────────────────────────────────────────────────────

MINUTE = 60_000


def test_a_curve_is_sampled_at_its_newest_value_and_nothing_is_interpolated() -> None:
    times = np.array([0, 10_000, 130_000, 300_000], dtype=np.int64)
    assert sampled(np.array([1.0, 2.0, 3.0, 4.0]), times, MINUTE).tolist() == [1.0, 2.0, 2.0, 3.0, 3.0, 4.0]
    assert sampling_ms(times) == MINUTE
    assert sampling_ms(np.array([0, 2 * 86_400_000], dtype=np.int64)) == 3_600_000
    assert sampling_ms(np.array([0, 30 * 86_400_000], dtype=np.int64)) == 86_400_000


def test_an_uneven_curve_has_the_figures_of_its_samples_and_the_drawdown_of_all_its_points() -> None:
    times = np.array([0, MINUTE, 2 * MINUTE, 2 * MINUTE + 1, 3 * MINUTE], dtype=np.int64)
    found = irregular(np.array([100.0, 102.0, 101.0, 80.0, 104.0]), times, np.array([2.0, -1.0]))
    returns = np.array([0.02, 101 / 102 - 1, 104 / 101 - 1])
    assert found.sharpe == pytest.approx(sharpe(returns, 365 * 86_400 / 60))
    assert found.sortino == pytest.approx(sortino(returns, 365 * 86_400 / 60))
    assert found.max_drawdown == pytest.approx(1 - 80 / 102)
    assert found.total_return == pytest.approx(0.04)
    assert (found.win_rate, found.profit_factor) == (0.5, 2.0)


@pytest.mark.parametrize("curve", [[], [100.0], [100.0, 0.0, 50.0], [100.0, -1.0]])
def test_a_curve_that_defines_nothing_says_so(curve: list[float]) -> None:
    found = irregular(np.array(curve), np.arange(len(curve), dtype=np.int64) * MINUTE, np.array([]))
    assert (found.sharpe, found.sortino, found.max_drawdown, found.total_return) == (None, None, None, None)
    assert (found.win_rate, found.profit_factor) == (None, None)
