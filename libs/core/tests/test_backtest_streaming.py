"""A run over a stream of bars: the same outcome as in one piece, in room that does not grow."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal

import numpy as np
import pytest
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_core.backtest import streaming
from algotrendy_core.backtest.config import BacktestConfig
from algotrendy_core.backtest.engine import run_backtest
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.instruments import Instrument
from algotrendy_core.strategies.registry import parameters_of, strategy_named

BTC = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.01"),
    quantity_step=Decimal("0.00001"), min_quantity=Decimal("0.00001"), max_quantity=Decimal(9000),
    min_notional=Decimal(5), maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"),
)  # fmt: skip
CONFIG = BacktestConfig(Decimal(100_000), slippage_bps=Decimal(2))
STRATEGY = strategy_named("sma_cross")
PARAMETERS = parameters_of(STRATEGY, {"fast": 3, "slow": 8})


def piece(first: int, count: int, seed: int = 1, start: float = 20_000.0) -> BarSeries:
    rng = np.random.default_rng(seed)
    closes = np.round(start * np.exp(np.cumsum(rng.normal(0, 0.001, count))), 2)
    opens = np.concatenate(([start], closes[:-1]))
    return BarSeries(
        Timeframe.M1, (first + np.arange(count)) * 60_000, opens, np.maximum(opens, closes), np.minimum(opens, closes),
        closes, np.full(count, 5.0),
    )  # fmt: skip


def cut(bars: BarSeries, lengths: list[int]) -> Iterator[BarSeries]:
    start = 0
    for length in lengths:
        yield bars.slice(start, start + length)
        start += length
    yield bars.slice(start, len(bars))


@pytest.mark.parametrize("config", [CONFIG, BacktestConfig(Decimal(1000), volume_share=Decimal("0.5"))])
@pytest.mark.parametrize("lengths", [[1, 2, 3], [0, 5000], [], [9999]])
def test_a_stream_has_the_outcome_of_the_whole(
    lengths: list[int], config: BacktestConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "_POINTS", 1000)
    bars = piece(0, 10_000)
    whole = run_backtest(STRATEGY, PARAMETERS, bars, BTC, config)
    stream = run_backtest(STRATEGY, PARAMETERS, cut(bars, lengths), BTC, config)
    assert stream.result_hash == whole.result_hash
    assert stream.manifest == whole.manifest
    assert stream.fills.tobytes() == whole.fills.tobytes()
    ours, theirs = asdict(stream.statistics), asdict(whole.statistics)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert ours[name] == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value), name
    # Every sixteenth bar is kept, and the last.
    kept = np.append(np.arange(0, 10_000, 16), 9_999)
    np.testing.assert_array_equal(stream.equity, whole.equity[kept])
    np.testing.assert_array_equal(stream.bars.time, bars.time[kept])


def test_memory_does_not_grow_with_the_bars() -> None:
    def pieces(count: int) -> Iterator[BarSeries]:
        price = 20_000.0
        for index in range(count):
            made = piece(index * 100_000, 100_000, index, price)
            price = float(made.close[-1])
            yield made

    def peak(count: int) -> int:
        tracemalloc.start()
        result = run_backtest(STRATEGY, PARAMETERS, pieces(count), BTC, CONFIG)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert result.statistics.bars == count * 100_000
        assert len(result.fills) > 4000
        return highest

    peak(1)  # compiles
    assert peak(12) < 1.1 * peak(4)


def test_pieces_follow_one_another() -> None:
    with pytest.raises(Refused, match="does not follow"):
        run_backtest(STRATEGY, PARAMETERS, [piece(0, 10), piece(9, 10)], BTC, CONFIG)
    with pytest.raises(Refused, match="no bars"):
        run_backtest(STRATEGY, PARAMETERS, [], BTC, CONFIG)
