from decimal import Decimal

from algotrendy_common.enums import Side
from algotrendy_simulator.candles import KEPT_MINUTES, CandleHistory, TapeCandle
from algotrendy_simulator.ticks import MINUTE_MS


def history_of(prices: list[int], start_ms: int = 0) -> CandleHistory:
    """A minute a price, each with two trades: one bought at it, one sold a unit above."""
    history = CandleHistory(TapeCandle.flat(start_ms, Decimal(1)))
    for price in prices:
        history.add_trade(Decimal(price), Decimal(2), Side.BUY)
        history.add_trade(Decimal(price + 1), Decimal(1), Side.SELL)
        history.close_minute()
    return history


def test_a_candle_is_the_fold_of_its_trades() -> None:
    (candle,) = history_of([10]).minutes(0, MINUTE_MS)
    assert candle == TapeCandle(
        0, Decimal(10), Decimal(11), Decimal(10), Decimal(11), Decimal(3), Decimal(31), 2, Decimal(2), Decimal(20)
    )


def test_a_minute_without_trades_is_flat_at_the_price_before() -> None:
    history = history_of([10])
    assert history.close_minute() == TapeCandle.flat(MINUTE_MS, Decimal(11))


def test_longer_candles_fold_the_minutes_and_the_running_one() -> None:
    history = history_of([10, 20, 5, 7])
    history.add_trade(Decimal(30), Decimal(1), Side.BUY)
    spans = history.spans(3 * MINUTE_MS, 0, 6 * MINUTE_MS)
    assert [(c.open_time_ms, c.open, c.high, c.low, c.close, c.volume, c.trades) for c in spans] == [
        (0, Decimal(10), Decimal(21), Decimal(5), Decimal(6), Decimal(9), 6),
        (3 * MINUTE_MS, Decimal(7), Decimal(30), Decimal(7), Decimal(30), Decimal(4), 3),
    ]


def test_a_flat_minute_does_not_stretch_a_longer_candle() -> None:
    flat = TapeCandle.flat(0, Decimal(1))
    later = TapeCandle.flat(MINUTE_MS, Decimal(1)).with_trade(Decimal(5), Decimal(1), Side.BUY)
    assert flat.followed_by(later).low == 5
    assert later.followed_by(TapeCandle.flat(2 * MINUTE_MS, Decimal(9))) == later


def test_old_minutes_are_forgotten() -> None:
    history = history_of([1] * (KEPT_MINUTES + 5))
    assert history.first_ms == 5 * MINUTE_MS
    assert len(history.minutes(0, 10**12)) == KEPT_MINUTES + 1
