"""The whole examination: a history with an edge in it passes, one without does not, and each planted fault is named."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_core.backtest.config import BacktestConfig
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.instruments import Instrument
from algotrendy_core.robustness.evidence import Examined
from algotrendy_core.robustness.examination import Examination, examined
from algotrendy_core.strategies.registry import strategy_named

BTC = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.01"),
    quantity_step=Decimal("0.00001"), min_quantity=Decimal("0.00001"), max_quantity=Decimal(9000),
    min_notional=Decimal(5), maker_fee=Decimal("0.0001"), taker_fee=Decimal("0.0001"),
)  # fmt: skip
CONFIG = BacktestConfig(Decimal(100_000))
QUICK = Examination(draws=300, histories=8, mean_block=40)
MOMENTUM = strategy_named("momentum")


def history(count: int, *, persistence: float, seed: int) -> BarSeries:
    """Returns that carry on, or not: each keeps a share of the one before."""
    random = np.random.default_rng(seed)
    moves = np.empty(count)
    moves[0] = 0.0
    shocks = random.normal(0.0, 0.004, count)
    for index in range(1, count):
        moves[index] = persistence * moves[index - 1] + shocks[index]
    close = 20_000 * np.exp(np.cumsum(moves))
    open_ = np.concatenate(([20_000.0], close[:-1]))
    return BarSeries(
        Timeframe.H1, np.arange(count, dtype=np.int64) * 3_600_000, open_, np.maximum(open_, close) * 1.0005,
        np.minimum(open_, close) * 0.9995, close, random.uniform(50, 90, count),
    )  # fmt: skip


def examine(bars: BarSeries, config: BacktestConfig = CONFIG, **parameters: float) -> Examined:
    chosen = MOMENTUM.parameters(**parameters)
    return examined(lambda: MOMENTUM, chosen, bars, BTC, config, examination=QUICK)


def verdicts(found: Examined) -> dict[str, bool]:
    return {finding.name: finding.passed for finding in found.findings}


@pytest.fixture(scope="module")
def real() -> Examined:
    return examine(history(2500, persistence=0.6, seed=1), lookback=3)


@pytest.fixture(scope="module")
def noise() -> Examined:
    return examine(history(2500, persistence=0.0, seed=2), lookback=3)


def test_an_edge_that_is_there_passes(real: Examined) -> None:
    assert real.passed, [finding for finding in real.findings if not finding.passed]
    assert real.deflated is not None
    assert real.deflated.probability > 0.99
    assert real.significance is not None
    assert real.significance.p_value < 0.01
    assert real.surface is not None
    assert real.surface.first == "lookback"
    assert real.surface.share_profitable == 1.0
    assert real.needed_years is not None
    assert real.needed_years < 2500 / 8760


def test_noise_does_not(noise: Examined) -> None:
    found = verdicts(noise)
    assert not noise.passed
    for name in ("deflated_sharpe", "better_than_random", "plateau", "stress: fees × 2"):
        assert not found[name], name
    assert found["no_look_ahead"]


def test_costs_are_harder_and_later_is_worse(real: Examined) -> None:
    returns = {stress.name: stress.total_return for stress in real.stresses}
    assert real.whole.total_return > returns["fees × 1.5"] > returns["fees × 2"] > returns["fees × 3"]
    assert returns["2 bps more slippage"] > returns["5 bps more slippage"] > returns["10 bps more slippage"]
    assert real.whole.total_return > returns["1 bar late"] > returns["3 bars late"]


def test_the_same_arguments_give_the_same_report(real: Examined) -> None:
    again = examine(history(2500, persistence=0.6, seed=1), lookback=3)
    assert again.findings == real.findings
    assert again.histories == real.histories


def test_every_set_that_was_tried_makes_the_result_worth_less() -> None:
    bars = history(1500, persistence=0.25, seed=5)
    chosen = MOMENTUM.parameters(lookback=3)

    def after(sets: int) -> Examined:
        tried = [MOMENTUM.parameters(lookback=lookback) for lookback in range(1, sets)]
        how = replace(QUICK, histories=0)
        return examined(lambda: MOMENTUM, chosen, bars, BTC, CONFIG, examination=how, tried=tried)

    few, many = after(4), after(200)
    assert few.deflated is not None
    assert many.deflated is not None
    assert few.deflated.trials == 4
    assert many.deflated.trials == 200
    assert many.deflated.hurdle > few.deflated.hurdle
    assert many.deflated.probability < few.deflated.probability
    assert many.histories is None
    assert not verdicts(many)["other_histories"]  # what was not looked into has not passed


def test_stale_fills_and_one_lucky_trade_are_seen() -> None:
    bars = history(600, persistence=0.0, seed=3)
    flat = np.full(600, 20_000.0)
    flat[300:] = 26_000.0
    dead = replace(
        bars, open=np.concatenate(([20_000.0], flat[:-1])), close=flat, volume=np.zeros(600),
    )  # fmt: skip
    dead = replace(dead, low=np.minimum(dead.open, dead.close), high=np.maximum(dead.open, dead.close))
    found = verdicts(examine(dead, lookback=20))
    assert not found["no_stale_fills"]
    assert not found["not_one_trade"]
    assert not found["enough_trades"]
    assert not found["no_flat_equity"]


def test_too_little_history_is_refused() -> None:
    with pytest.raises(Refused, match="200 bars"):
        examine(history(100, persistence=0.0, seed=1), lookback=3)
