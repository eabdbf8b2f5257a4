"""Several lanes on one account: one alone is a plain run, and together they never spend the same cash twice."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_core.backtest import portfolio
from algotrendy_core.backtest.config import BacktestConfig
from algotrendy_core.backtest.engine import run_backtest
from algotrendy_core.backtest.portfolio import Lane, run_portfolio
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.instruments import Instrument
from algotrendy_core.strategies.registry import parameters_of, strategy_named

BTC = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.01"),
    quantity_step=Decimal("0.00001"), min_quantity=Decimal("0.00001"), max_quantity=Decimal(9000),
    min_notional=Decimal(5), maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"),
)  # fmt: skip
ETH = BTC.model_copy(update={"symbol": "ETH-USDT", "base": "ETH"})
CONFIG = BacktestConfig(Decimal(10_000), slippage_bps=Decimal(2))


def walk(count: int, seed: int, timeframe: Timeframe = Timeframe.M1) -> BarSeries:
    rng = np.random.default_rng(seed)
    closes = np.round(2_000 * np.exp(np.cumsum(rng.normal(0, 0.001, count))), 2)
    opens = np.concatenate(([2_000.0], closes[:-1]))
    return BarSeries(
        timeframe, np.arange(count) * timeframe.seconds * 1000, opens, np.maximum(opens, closes),
        np.minimum(opens, closes), closes, np.full(count, 50.0),
    )  # fmt: skip


def lane(name: str, bars: BarSeries, instrument: Instrument, share: str, **values: Any) -> Lane:
    strategy = strategy_named(name)
    return Lane(strategy, parameters_of(strategy, values), bars, instrument, Decimal(share))


def three() -> list[Lane]:
    return [
        lane("sma_cross", walk(600, 1), BTC, "0.6", fast=3, slow=8),
        lane("momentum", walk(600, 2), ETH, "0.6", lookback=5),
        lane("rsi_reversion", walk(120, 3, Timeframe.M5), BTC, "0.3", period=5, entry=40, exit=60),
    ]


def test_one_lane_alone_is_the_plain_run() -> None:
    [only] = [lane("sma_cross", walk(500, 4), BTC, "1", fast=3, slow=8)]
    alone = run_backtest(only.strategy, only.parameters, only.bars, BTC, CONFIG, compiled=False)
    together = run_portfolio([only], CONFIG, compiled=False)
    assert together.equity.tobytes() == alone.equity.tobytes()
    assert together.fills[0].tobytes() == alone.fills.tobytes()
    assert len(alone.fills) > 10


def test_lanes_share_the_cash_and_compiled_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    fast, plain = run_portfolio(three(), CONFIG), run_portfolio(three(), CONFIG, compiled=False)
    assert fast.compiled, fast.not_compiled_because
    assert fast.result_hash == plain.result_hash
    assert [book.fills for book in fast.books] == [book.fills for book in plain.books]
    flows = sum(
        float((-fills["side"] * fills["price"] * fills["quantity"]).sum())
        - float(fills["fee"][fills["side"] < 0].sum())
        for fills in fast.fills
    )
    assert fast.books[0].cash == pytest.approx(10_000 + flows)
    worth = sum(book.position * each.bars.close[-1] for book, each in zip(fast.books, fast.lanes, strict=True))
    assert fast.equity[-1] == pytest.approx(fast.books[0].cash + worth)
    assert all(len(fills) > 3 for fills in fast.fills)
    # 60 + 60 + 30 % is more than there is: somebody goes without, and nobody below zero.
    assert sum(book.short_of_cash for book in fast.books) > 0
    assert fast.books[0].cash >= 0
    assert fast.times[0] == 60_000
    assert len(fast.times) == 600
    assert fast.statistics.trades == sum(map(len, fast.trades))
    monkeypatch.setattr(portfolio, "_ROOM", 1)
    assert run_portfolio(three(), CONFIG).result_hash == fast.result_hash


def test_the_lane_named_first_is_served_first() -> None:
    bars = walk(60, 5)
    one = lane("momentum", bars, BTC, "0.9", lookback=1, threshold=-1)
    two = lane("momentum", bars, ETH, "0.9", lookback=1, threshold=-1)
    result = run_portfolio([one, two], CONFIG, compiled=False)
    assert len(result.fills[0]) > 0
    assert len(result.fills[1]) == 0
    assert result.books[1].short_of_cash > 0
    swapped = run_portfolio([replace(two), replace(one)], CONFIG, compiled=False)
    assert swapped.fills[0].tobytes() == result.fills[0].tobytes()


def test_margin_is_of_the_whole_account() -> None:
    bars = walk(60, 5)
    lanes = [lane("momentum", bars, each, "1.8", lookback=1, threshold=-1) for each in (BTC, ETH)]
    result = run_portfolio(lanes, replace(CONFIG, leverage=Decimal(2)), compiled=False)
    assert (len(result.fills[0]) > 0, len(result.fills[1])) == (True, 0)
    wide = run_portfolio(lanes, replace(CONFIG, leverage=Decimal(4)), compiled=False)
    assert all(len(fills) > 0 for fills in wide.fills)


def test_a_portfolio_needs_lanes() -> None:
    with pytest.raises(Refused, match="lanes"):
        run_portfolio([], CONFIG)
