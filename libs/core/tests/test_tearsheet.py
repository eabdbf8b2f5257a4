"""A tearsheet's numbers: by hand, against an independent library on the same returns, and against each other."""

from decimal import Decimal
from math import sqrt

import empyrical
import numpy as np
import pandas as pd
import pytest
from algotrendy_common.enums import Timeframe
from algotrendy_core.backtest.config import BacktestConfig
from algotrendy_core.backtest.engine import run_backtest
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.instruments import Instrument
from algotrendy_core.performance import max_drawdown, returns_of, sharpe, sortino, statistics, volatility
from algotrendy_core.strategies.registry import strategy_named
from algotrendy_core.tearsheet.episodes import below_high, episodes
from algotrendy_core.tearsheet.periods import monthly, rolling_sharpe
from algotrendy_core.tearsheet.relative import relative
from algotrendy_core.tearsheet.sheet import POINTS, tearsheet

DAY_MS = 86_400_000
BTC = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.01"),
    quantity_step=Decimal("0.00001"), min_quantity=Decimal("0.00001"), max_quantity=Decimal(9000),
    min_notional=Decimal(5), maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"),
)  # fmt: skip


def days(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    market = random.normal(0.0005, 0.03, count)
    own = 0.6 * market + random.normal(0.001, 0.01, count)
    return own, market, np.arange(count, dtype=np.int64) * DAY_MS


@pytest.mark.parametrize("seed", range(5))
def test_an_independent_library_says_the_same(seed: int) -> None:
    own, market, times = days(500, seed)
    equity = 100 * np.cumprod(1 + own)
    ours = statistics(
        equity, times, initial=100.0, bar_seconds=86_400, profits=np.array([]), traded_value=0.0, fees=0.0,
        bars_with_position=0,
    )  # fmt: skip
    assert returns_of(equity, 100.0) == pytest.approx(own)
    assert ours.sharpe == pytest.approx(empyrical.sharpe_ratio(own, annualization=365))
    assert ours.sortino == pytest.approx(empyrical.sortino_ratio(own, annualization=365))
    assert ours.volatility == pytest.approx(empyrical.annual_volatility(own, annualization=365))
    assert ours.annual_return == pytest.approx(empyrical.annual_return(own, annualization=365))
    assert ours.max_drawdown == pytest.approx(-empyrical.max_drawdown(own))
    assert ours.calmar == pytest.approx(empyrical.calmar_ratio(own, annualization=365))
    against = relative(own, market, 365)
    alpha, beta = empyrical.alpha_beta(own, market, annualization=365)
    assert against.beta == pytest.approx(beta)
    assert against.alpha == pytest.approx(alpha)
    assert against.information_ratio == pytest.approx(empyrical.excess_sharpe(own, market) * sqrt(365))
    assert (sharpe(own, 365), sortino(own, 365), volatility(own, 365)) == pytest.approx(
        (ours.sharpe, ours.sortino, ours.volatility)
    )


def test_months_are_the_calendars_and_compound_to_the_whole() -> None:
    own, _, times = days(400, 3)
    equity = 100 * np.cumprod(1 + own)
    found = monthly(equity, times, 100.0)
    theirs = empyrical.aggregate_returns(pd.Series(own, pd.to_datetime(times, unit="ms")), "monthly")
    assert [(month.year, month.month) for month in found] == list(theirs.index)
    assert [month.change for month in found] == pytest.approx(list(theirs))
    assert np.prod([1 + month.change for month in found]) == pytest.approx(equity[-1] / 100)
    assert monthly(np.array([]), times[:0], 100.0) == ()


def test_a_rolling_ratio_is_that_of_its_window() -> None:
    own, _, _ = days(100, 4)
    rolling = rolling_sharpe(own, 30, 365)
    assert np.isnan(rolling[:29]).all()
    for end in (30, 57, 100):
        assert rolling[end - 1] == pytest.approx(sharpe(own[end - 30 : end], 365))
    assert np.isnan(rolling_sharpe(np.zeros(50), 10, 365)).all()
    assert np.isnan(rolling_sharpe(own[:5], 10, 365)).all()


def test_episodes_by_hand() -> None:
    curve = np.array([100.0, 110.0, 99.0, 104.5, 110.0, 121.0, 60.5, 90.0])
    first, second = episodes(curve)
    assert (first.depth, first.peak, first.trough, first.recovered) == (0.5, 5, 6, None)
    assert (second.peak, second.trough, second.recovered) == (1, 2, 4)
    assert second.depth == pytest.approx(0.1)
    assert below_high(curve)[[1, 2, 4]] == pytest.approx([0.0, 0.1, 0.0])
    assert episodes(np.array([1.0, 2.0])) == episodes(np.array([])) == ()
    worst = max_drawdown(curve)
    assert worst is not None
    assert (worst.ratio, worst.peak, worst.trough) == (first.depth, first.peak, first.trough)


def test_what_nothing_defines_is_none() -> None:
    still = relative(np.array([0.01, 0.02, -0.01]), np.zeros(3), 365)
    assert (still.alpha, still.beta, still.correlation) == (None, None, None)
    assert still.information_ratio is not None
    short = relative(np.array([0.1]), np.array([0.2]), 365)
    assert short.excess_return == pytest.approx(-0.1)
    assert short.information_ratio is None
    with pytest.raises(ValueError, match="2 returns against 1"):
        relative(np.zeros(2), np.zeros(1), 365)


def test_the_sheet_of_a_run_agrees_with_the_run() -> None:
    random = np.random.default_rng(7)
    count = 3000
    close = 20_000 * np.exp(np.cumsum(random.normal(0.0003, 0.01, count)))
    open_ = np.concatenate(([20_000.0], close[:-1]))
    bars = BarSeries(
        Timeframe.H1, np.arange(count, dtype=np.int64) * 3_600_000, open_, np.maximum(open_, close),
        np.minimum(open_, close), close, np.full(count, 10.0),
    )  # fmt: skip
    strategy = strategy_named("sma_cross")
    config = BacktestConfig(Decimal(100_000))
    result = run_backtest(strategy, strategy.parameters(fast=5, slow=20), bars, BTC, config, compiled=False)
    sheet = tearsheet(result)

    assert len(sheet.equity.values) == POINTS
    assert (sheet.equity.values[0], sheet.equity.values[-1]) == (result.equity[0], result.equity[-1])
    assert sheet.drawdown.values.min() == pytest.approx(-result.statistics.max_drawdown)
    assert sheet.episodes[0][0].depth == pytest.approx(result.statistics.max_drawdown)
    assert sheet.episodes[0][2] == (result.statistics.max_drawdown_trough or 0) + 3_600_000
    assert np.prod([1 + month.change for month in sheet.months]) == pytest.approx(result.equity[-1] / 100_000)
    assert sheet.relative.benchmark_return == pytest.approx(float(close[-1] / close[0]) - 1)
    assert sheet.sampling_ms == DAY_MS
    held = np.abs(sheet.exposure.values) > 0.5
    assert 0.3 < held.mean() < 0.7
    assert float(held.mean()) == pytest.approx(result.statistics.exposure or 0.0, abs=0.03)
