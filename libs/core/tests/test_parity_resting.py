"""Resting orders beside the engine: rungs and exits, filled alike or not, every difference split to the last digit."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_common.enums import Side, Timeframe
from algotrendy_common.money import ZERO
from algotrendy_core.backtest.config import BacktestConfig
from algotrendy_core.bars import Bar
from algotrendy_core.instruments import Instrument
from algotrendy_core.parity.records import LiveFill
from algotrendy_core.parity.resting import RestingOrder, compare_resting, played
from algotrendy_core.parity.split import Split
from algotrendy_core.strategies.interface import LIMIT, STOP, TAKE_PROFIT, TRAILING_STOP
from hypothesis import given, settings
from hypothesis import strategies as st

NOON = datetime(2022, 12, 13, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BTC = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.01"),
    quantity_step=Decimal("0.00001"), min_quantity=Decimal("0.00001"), max_quantity=Decimal(9000),
    min_notional=Decimal(5), maker_fee=Decimal("0.001"), taker_fee=Decimal("0.002"),
)  # fmt: skip
CONFIG = BacktestConfig(Decimal(10_000))
# (open, high, low, close): down to 95, back to 104, and on.
PRICES = [(100, 101, 99, 100), (100, 100, 97, 98), (98, 99, 95, 96), (96, 104, 96, 103), (103, 104, 101, 102)]


def bars(prices: list[tuple[float, float, float, float]] = PRICES) -> list[Bar]:
    return [
        Bar(
            Timeframe.M1, NOON + number * MINUTE, *map(Decimal, map(str, each)), volume=Decimal(5), quote_volume=ZERO,
            trade_count=1, complete=True,
        )
        for number, each in enumerate(prices)
    ]  # fmt: skip


def order(side: Side, kind: int, price: str, *fills: LiveFill, first: int = 1, last: int = 5) -> RestingOrder:
    return RestingOrder(
        "one", side, kind, Decimal(price), Decimal(2), NOON + first * MINUTE, NOON + last * MINUTE, fills
    )


def live(price: str, quantity: str = "2", **fee: str) -> LiveFill:
    fees = {f"fee_{name}": Decimal(value) for name, value in fee.items()}
    return LiveFill(NOON + 2 * MINUTE, Decimal(price), Decimal(quantity), **fees)


@pytest.mark.parametrize(
    ("side", "kind", "price", "filled_at"),
    [
        (Side.BUY, LIMIT, "96", "96"),
        (Side.BUY, LIMIT, "94.99", None),
        (Side.SELL, LIMIT, "104", "104"),
        (Side.SELL, STOP, "97", "97"),
        (Side.SELL, TAKE_PROFIT, "103.5", "103.5"),
        (Side.SELL, TRAILING_STOP, "0.03", "97"),
        (Side.BUY, STOP, "104.01", None),
    ],
)
def test_an_order_is_filled_as_the_engine_fills_it(side: Side, kind: int, price: str, filled_at: str | None) -> None:
    found = played(order(side, kind, price), bars(), BTC, CONFIG)
    assert found.quantity == (0 if filled_at is None else 2)
    if filled_at is not None:
        assert found.price == Decimal(filled_at)


def test_only_the_time_in_which_it_stood_counts() -> None:
    sold = order(Side.SELL, LIMIT, "103.5", first=1, last=3)
    assert played(sold, bars(), BTC, CONFIG).quantity == 0
    assert played(order(Side.SELL, LIMIT, "103.5", first=2, last=4), bars(), BTC, CONFIG).quantity == 2
    bought = order(Side.BUY, LIMIT, "96", first=3, last=5)
    assert played(bought, bars(), BTC, CONFIG).quantity == 2  # the third minute opens at it
    assert played(order(Side.BUY, LIMIT, "95.5", first=3, last=5), bars(), BTC, CONFIG).quantity == 0
    assert played(order(Side.BUY, LIMIT, "96", first=9, last=12), bars(), BTC, CONFIG).quantity == 0


def test_a_rung_that_was_filled_as_the_engine_fills_it_differs_in_nothing() -> None:
    [row] = compare_resting([order(Side.BUY, LIMIT, "96", live("96", base="0.002"))], bars(), BTC, CONFIG, Decimal(102))
    assert row.filled_alike
    assert (row.split, row.difference) == (Split(), ZERO)
    assert row.live_pnl == 2 * 6 - Decimal("0.002") * 102


def test_what_the_candles_would_have_filled_and_the_venue_did_not_is_missed() -> None:
    [row] = compare_resting([order(Side.BUY, LIMIT, "96")], bars(), BTC, CONFIG, Decimal(102))
    assert not row.filled_alike
    assert row.split == Split(missed=Decimal(-12), fees=Decimal("0.204"))
    assert row.split.total == row.difference
    [early] = compare_resting([order(Side.BUY, LIMIT, "94", live("94"))], bars(), BTC, CONFIG, Decimal(102))
    assert early.split == Split(missed=Decimal(16))


def test_an_exit_that_slipped_is_told_as_slippage_of_the_live_side() -> None:
    [row] = compare_resting(
        [order(Side.SELL, STOP, "97", live("96.5", quote="0.386"))], bars(), BTC, CONFIG, Decimal(102)
    )
    # Stopped at 97 by the candles, at 96.5 by the venue: two times a half.
    assert row.filled_alike
    assert row.split.latency + row.split.slippage == Decimal(-1)
    assert row.split.total == row.difference
    assert row.split.signal == row.split.missed == 0


quantities = st.decimals(Decimal("0.00001"), Decimal(2), places=5)
prices = st.decimals(Decimal(90), Decimal(110), places=2)
fills = st.lists(st.builds(LiveFill, st.just(NOON), prices, quantities), max_size=3)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(Side), st.sampled_from([LIMIT, STOP, TAKE_PROFIT]), prices, fills, st.integers(0, 4),
    st.integers(1, 6), prices,
)  # fmt: skip
def test_the_parts_are_the_whole_difference_whatever_stood(side, kind, price, done, first, last, mark) -> None:
    one = order(side, kind, str(price), *done, first=first, last=last)
    [row] = compare_resting([one], bars(), BTC, CONFIG, mark)
    assert abs(row.split.total - row.difference) < Decimal("1e-20")
