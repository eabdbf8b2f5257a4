"""Parity: splits worked out by hand, their sum as a property, and days on which live did as the backtest, or not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from algotrendy_common.enums import Side, Timeframe
from algotrendy_common.errors import Refused
from algotrendy_common.events.order import SizedFrom
from algotrendy_common.money import ZERO
from algotrendy_core.backtest.config import BacktestConfig
from algotrendy_core.backtest.engine import run_backtest
from algotrendy_core.backtest.series import series_of_bars
from algotrendy_core.bars import Bar
from algotrendy_core.instruments import Instrument
from algotrendy_core.parity.comparison import Kind, compare
from algotrendy_core.parity.document import document_of
from algotrendy_core.parity.records import LiveDay, LiveFill, LiveOrder, LiveSignal
from algotrendy_core.parity.replay import backtest_orders
from algotrendy_core.parity.split import Filled, Split, Traded, live_pnl, split
from algotrendy_core.sizing import SizedOrder, size_order
from algotrendy_core.strategies.registry import STRATEGIES, parameters_of, strategy_named
from algotrendy_core.strategies.running import StrategyRun
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime(2022, 12, 13, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BTC = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.01"),
    quantity_step=Decimal("0.00001"), min_quantity=Decimal("0.00001"), max_quantity=Decimal(9000),
    min_notional=Decimal(5), maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"),
)  # fmt: skip
CROSS = strategy_named("sma_cross")
FAST = parameters_of(CROSS, {"fast": 2, "slow": 4})
# Flat, up (buys at 5), down (sells at 9), up again (buys at 13) and on.
CLOSES = list(map(str, (100, 100, 100, 100, 100, 104, 108, 110, 111, 100, 96, 95, 94, 100, 108, 109, 110)))
CAPITAL = Decimal(10_000)


def fill(price: str, quantity: str, fee: str = "0", fee_base: str = "0") -> LiveFill:
    return LiveFill(NOON, Decimal(price), Decimal(quantity), Decimal(fee), Decimal(fee_base))


def filled(quantity: str, open_: str, price: str, fee: str = "0") -> Filled:
    return Filled(Decimal(quantity), Decimal(open_), Decimal(price), Decimal(fee))


# -- the split -------------------------------------------------------------------------------------------------


def test_a_purchase_that_came_late_and_slipped_and_was_not_all_filled():
    """Opened at 100, assumed 101; arrived at 102, paid 103 for 6 of 10; marked at 110."""
    live = [Traded(fill("103", "6", fee="0.6"), Decimal(102))]
    found = split(Side.BUY, Decimal(10), live, filled("10", "100", "101", "1"), Decimal(110))
    assert found == Split(
        latency=Decimal(-12),  # 6 × (100 − 102)
        slippage=Decimal(0),  # 6 × (102 − 103), and 6 × (101 − 100) were assumed
        fees=Decimal("0.4"),
        missed=Decimal(-36),  # 4 × (110 − 101)
    )
    # Live 6 × 7 − 0.6 = 41.4, backtest 10 × 9 − 1 = 89.
    assert found.total == Decimal("-47.6") == Decimal("41.4") - 89


def test_a_sale_at_a_better_price_than_the_backtests_is_a_gain():
    """Two fills: arrived at 99.5 after an open of 99, sold at 99.6 and 99.4; marked at 90."""
    live = [Traded(fill("99.6", "1"), Decimal("99.5")), Traded(fill("99.4", "3"), Decimal("99.5"))]
    found = split(Side.SELL, Decimal(4), live, filled("4", "99", "99"), Decimal(90))
    # 4 × 0.5 of latency; 0.1 − 3 × 0.1 of slippage.
    assert found == Split(latency=Decimal(2), slippage=Decimal("-0.2"))


def test_a_fee_in_base_costs_what_it_would_have_been_worth():
    bought = fill("100", "2", fee_base="0.002")
    assert live_pnl(Side.BUY, [bought], Decimal(110)) == 2 * 10 - Decimal("0.22")
    found = split(Side.BUY, Decimal(2), [Traded(bought, Decimal(100))], filled("2", "100", "100", "0.2"), Decimal(110))
    assert found == Split(fees=Decimal("-0.02"))


def test_what_was_never_ordered_is_the_signals_and_what_was_never_filled_is_missed():
    backtest = filled("3", "100", "100", "0.3")
    assert split(Side.BUY, ZERO, [], backtest, Decimal(90)) == Split(signal=Decimal(30), fees=Decimal("0.3"))
    assert split(Side.BUY, Decimal(3), [], backtest, Decimal(90)) == Split(missed=Decimal(30), fees=Decimal("0.3"))


prices = st.decimals(Decimal("0.01"), Decimal(99_999), places=2)
quantities = st.decimals(ZERO, Decimal(999), places=5)
fees = st.decimals(Decimal(-1), Decimal(50), places=8)
trades = st.builds(Traded, st.builds(LiveFill, st.just(NOON), prices, quantities, fees, fees), prices)


@given(
    st.sampled_from(Side), quantities, st.lists(trades, max_size=6),
    st.builds(Filled, quantities, prices, prices, fees, fees), prices,
)  # fmt: skip
def test_the_five_parts_are_the_whole_difference(side, ordered, live, backtest, mark):
    difference = live_pnl(side, [one.fill for one in live], mark) - backtest.pnl(side, mark)
    assert split(side, ordered, live, backtest, mark).total == difference


# -- a day -----------------------------------------------------------------------------------------------------


def bars(closes: list[str] = CLOSES) -> tuple[Bar, ...]:
    """Each opens a half above the close before."""
    made = []
    for number, close in enumerate(map(Decimal, closes)):
        open_ = (Decimal(closes[number - 1]) if number else close) + Decimal("0.5")
        made.append(
            Bar(
                Timeframe.M1, NOON + number * MINUTE, open_, max(open_, close), min(open_, close), close,
                volume=Decimal(5), quote_volume=ZERO, trade_count=1, complete=True,
            )
        )  # fmt: skip
    return tuple(made)


def lived(*, first: int = 3, candles: tuple[Bar, ...] | None = None) -> LiveDay:
    """What a perfect live run over the bars from ``first`` on leaves behind: filled at once at the next open."""
    candles = candles or bars()
    run, signals, orders = StrategyRun(CROSS, FAST), [], []
    position = ZERO
    for number, bar in enumerate(candles[:-1]):
        wanted = run.on_bar(bar)
        if wanted is None or number < first:
            continue
        target = Decimal(repr(wanted.target))
        if signals and signals[-1].target == target:
            continue
        signals.append(LiveSignal(bar.open_time, target, wanted.reason))
        basis = SizedFrom(
            bar_time=bar.open_time, target=target, capital=CAPITAL, position=position, price=bar.close,
            reserve=Decimal("0.01"),
        )  # fmt: skip
        sized = size_order(
            target, capital=CAPITAL, price=bar.close, position=position, instrument=BTC, reserve=Decimal("0.01")
        )
        if not isinstance(sized, SizedOrder):
            continue
        side, quantity = sized.side, sized.quantity
        opened = candles[number + 1].open
        fee = {"fee_base": quantity / 1000} if target else {"fee_quote": round(quantity * opened / 1000, 8)}
        done = LiveFill(candles[number + 1].open_time, opened, quantity, **fee)
        orders.append(LiveOrder(str(number), bar.open_time, side, quantity, target, "filled", (done,), opened, basis))
        position += side.sign * quantity - done.fee_base
    return LiveDay(
        "cross", CROSS, FAST, BTC, candles, candles[first].open_time, candles[-2].open_time, tuple(signals),
        tuple(orders),
    )  # fmt: skip


def without(day: LiveDay, number: int) -> LiveDay:
    return replace(day, orders=day.orders[:number] + day.orders[number + 1 :])


def changed(day: LiveDay, number: int, **changes: object) -> LiveDay:
    orders = list(day.orders)
    orders[number] = replace(orders[number], **changes)  # type: ignore[arg-type]
    return replace(day, orders=tuple(orders))


def test_a_perfect_day_is_the_backtests_to_the_last_digit():
    report = compare(lived())
    assert report.same
    assert [(row.kind, row.side, row.target) for row in report.orders] == [
        (Kind.SAME, Side.BUY, 1), (Kind.SAME, Side.SELL, 0), (Kind.SAME, Side.BUY, 1)
    ]  # fmt: skip
    assert (report.bars, report.signals, report.signals_same) == (13, 4, 4)
    assert report.decisions == ()
    assert report.live_pnl == report.backtest_pnl != 0
    assert report.split == Split()


def test_the_backtests_orders_are_those_of_the_engine_run_on_its_own():
    """Its first bar with an opinion is the day's first, so the gate changes nothing."""
    day, config = lived(), BacktestConfig(CAPITAL)
    alone = run_backtest(CROSS, FAST, series_of_bars(Timeframe.M1, day.bars), BTC, config, compiled=False).fills
    made = backtest_orders(day, config)
    assert [(one.side.sign, float(one.quantity), float(one.price)) for one in made] == [
        (row["side"], row["quantity"], row["price"]) for row in alone
    ]
    assert [one.bar_time for one in made] == [day.bars[row["bar"] - 1].open_time for row in alone]


def test_a_worse_fill_is_slippage_beyond_what_the_backtest_assumes():
    day = lived()
    first = day.orders[0]
    worse = replace(first.fills[0], price=first.fills[0].price + 1)
    report = compare(changed(day, 0, fills=(worse,)))
    assert report.same
    assert report.split == Split(slippage=-first.quantity)
    # Half a percent of 104.5, on the cent, is 0.53 that the backtest pays too; so it sells worse and buys worse later.
    row = compare(changed(day, 0, fills=(worse,)), slippage_bps=Decimal(50)).orders[0]
    assert row.split.slippage == first.quantity * (Decimal("0.53") - 1)
    assert row.split.total == row.difference


def test_a_day_that_begins_with_a_position_is_entered_before_it():
    whole = lived()
    late = replace(whole, opening=whole.bars[8].open_time, orders=whole.orders[1:])
    report = compare(late)
    assert report.same
    assert [row.side for row in report.orders] == [Side.SELL, Side.BUY]
    assert report.signals == 2


def test_an_order_that_was_refused_and_tried_again_is_one_row():
    day = lived()
    first = day.orders[0]
    refused = replace(first, order_id="refused", outcome="refused: stale", fills=(), arrival_price=None)
    again = replace(first, bar_time=first.bar_time + MINUTE)
    report = compare(replace(day, orders=(refused, again, *day.orders[1:])))
    assert report.same
    assert len(report.orders[0].live) == 2
    assert report.orders[0].split == Split()


def test_an_order_that_came_a_bar_later_is_told_and_is_no_other_decision():
    day = lived()
    report = compare(changed(day, 0, bar_time=day.orders[0].bar_time + MINUTE))
    assert report.orders[0].kind is Kind.LATER
    assert (report.same, report.decided_differently) == (False, False)


def test_an_order_that_live_held_back_is_missed():
    day = lived()
    report = compare(without(day, 2))
    assert report.orders[2].kind is Kind.NOT_ORDERED
    row = report.orders[2]
    assert row.split.signal == row.split.latency == row.split.slippage == 0
    assert row.split.missed + row.split.fees == row.difference == -row.backtest_pnl
    assert not report.decided_differently


def test_a_missing_signal_is_a_difference_on_every_bar_until_the_next():
    day = lived()
    deaf = replace(without(without(day, 2), 1), signals=day.signals[:2])
    report = compare(deaf)
    assert report.decided_differently
    assert report.decisions[0].bar_time == day.orders[1].bar_time
    assert {(row.live, row.backtest) for row in report.decisions} == {(Decimal(1), ZERO)}
    # From the next purchase on the two want the same again, though only one has traded.
    assert [row.kind for row in report.orders] == [Kind.SAME, Kind.NOT_DECIDED, Kind.NOT_ORDERED]
    assert all(row.split.total == row.difference for row in report.orders)


def test_an_order_that_nothing_was_decided_for_is_live_only_and_all_of_it_is_the_signals():
    day = lived()
    stray = replace(day.orders[1], order_id="stray", bar_time=day.bars[4].open_time)
    report = compare(replace(day, orders=(stray, *day.orders)))
    assert report.orders[0].kind is Kind.LIVE_ONLY
    assert report.orders[0].split == Split(signal=report.orders[0].live_pnl)
    assert report.decided_differently


def test_another_quantity_than_its_own_numbers_give_is_told():
    day = lived()
    more = day.orders[0].quantity * 2
    report = compare(changed(day, 0, quantity=more, fills=(replace(day.orders[0].fills[0], quantity=more),)))
    row = report.orders[0]
    assert row.kind is Kind.QUANTITY
    assert row.split.total == row.difference
    assert row.split.signal == day.orders[0].quantity * (report.mark - row.backtest.price)
    assert report.decided_differently


def test_other_candles_than_live_saw_show_as_other_decisions():
    day = lived()
    altered = bars([*CLOSES[:5], "90", *CLOSES[6:]])
    assert compare(replace(day, bars=altered)).decided_differently


def test_a_ladder_is_refused_with_a_clear_word():
    grid = STRATEGIES["grid"]
    day = replace(lived(), strategy=grid, parameters=grid.parameters(), signals=(), orders=())
    with pytest.raises(Refused, match="orders at rest"):
        compare(day)


def test_the_document_has_every_row_and_only_texts_for_numbers():
    report = compare(without(lived(), 2))
    told = document_of(report)
    assert (told["same"], told["bars"], len(told["orders"])) == (False, 13, 3)
    assert told["orders"][2]["kind"] == "not ordered"
    assert sum(Decimal(row["difference"]) for row in told["orders"]) == Decimal(told["difference"])
    assert sum(map(Decimal, told["split"].values())) == Decimal(told["difference"])
    assert isinstance(told["orders"][0]["live"][0]["sized_from"]["capital"], str)
