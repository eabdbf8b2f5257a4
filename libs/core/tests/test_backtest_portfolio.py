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
from algotrendy_core.strategies.interface import Decision, Strategy
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


def in_fives(bars: BarSeries) -> BarSeries:
    """The same market in bars of five minutes."""
    parts = [column.reshape(-1, 5) for column in bars.columns]
    return BarSeries(
        Timeframe.M5, parts[0][:, 0], parts[1][:, 0], parts[2].max(axis=1), parts[3].min(axis=1), parts[4][:, -1],
        parts[5].sum(axis=1),
    )  # fmt: skip


def three() -> list[Lane]:
    return [
        lane("sma_cross", walk(600, 1), BTC, "0.6", fast=3, slow=8),
        lane("momentum", walk(600, 2), ETH, "0.6", lookback=5),
        lane("rsi_reversion", in_fives(walk(600, 1)), BTC, "0.3", period=5, entry=40, exit=60),
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


def always(target: float) -> Strategy[Any, Any]:
    """Wants the same from its first bar on."""

    def step(parameters: Any, state: Any, candle: Any) -> Decision:
        return Decision(target, 1)

    return replace(strategy_named("sma_cross"), name=f"always_{target:g}", step=step)


def falling(first: float = 100.0, last: float = 60.0, count: int = 40) -> BarSeries:
    closes = np.round(np.linspace(first, last, count), 2)
    opens = np.concatenate(([first], closes[:-1]))
    return BarSeries(
        Timeframe.M1, np.arange(count) * 60_000, opens, np.maximum(opens, closes), np.minimum(opens, closes), closes,
        np.full(count, 1e9),
    )  # fmt: skip


def hedged(instruments: tuple[Instrument, Instrument], **config: Any) -> Any:
    parameters = parameters_of(strategy_named("sma_cross"), {})
    lanes = [
        Lane(always(target), parameters, falling(), instrument, Decimal(3))
        for target, instrument in zip((1.0, -1.0), instruments, strict=True)
    ]
    more = {"leverage": Decimal(4), "allow_short": True, "slippage_bps": Decimal(0)} | config
    return run_portfolio(lanes, replace(CONFIG, **more), compiled=False)


def test_a_long_and_a_short_of_one_instrument_ask_for_the_margin_of_their_difference() -> None:
    one_position = hedged((BTC, BTC))
    assert [len(fills) for fills in one_position.fills] == [1, 1]
    assert [book.liquidations for book in one_position.books] == [0, 0]
    # The fall of 40 % took nothing: what the long lost the short earned, so that fees are all it cost.
    cost = sum(book.fees for book in one_position.books)
    net = sum(book.position for book in one_position.books)
    assert one_position.equity[-1] == pytest.approx(10_000 - cost + net * -40, abs=1.0)
    # Of two instruments both count, and three times the equity twice is more than four times.
    two_positions = hedged((BTC, ETH))
    assert [len(fills) for fills in two_positions.fills][1] == 0
    assert two_positions.books[0].liquidations == 1


def test_what_is_liquidated_of_one_instrument_is_what_is_on_the_losing_side() -> None:
    parameters = parameters_of(strategy_named("sma_cross"), {})
    lanes = [
        Lane(always(target), parameters, falling(last=40.0), BTC, Decimal(share))
        for target, share in ((1.0, "3.5"), (-1.0, "0.5"))
    ]
    config = replace(CONFIG, leverage=Decimal(4), allow_short=True)
    result = run_portfolio(lanes, config, compiled=False)
    assert result.books[0].liquidations >= 1
    assert result.books[1].liquidations == 0
    assert run_portfolio(lanes, config).result_hash == result.result_hash


def test_a_portfolio_needs_lanes() -> None:
    with pytest.raises(Refused, match="lanes"):
        run_portfolio([], CONFIG)
