"""Every kind of order and every model by hand on a few bars, then what must hold of any run of the general gear."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Liquidity, Side, Timeframe
from algotrendy_common.errors import Refused
from algotrendy_core.backtest import engine, general
from algotrendy_core.backtest.config import BacktestConfig
from algotrendy_core.backtest.engine import BacktestResult, run_backtest
from algotrendy_core.backtest.events import Rates, Trades
from algotrendy_core.backtest.series import BarSeries, series_of
from algotrendy_core.backtest.tiers import FeeTier
from algotrendy_core.bars import Candle
from algotrendy_core.fees import ChargedIn
from algotrendy_core.fills import Fill
from algotrendy_core.instruments import Instrument
from algotrendy_core.positions import Portfolio
from algotrendy_core.strategies.interface import (
    LIMIT,
    STOP,
    TAKE_PROFIT,
    TRAILING_STOP,
    Decision,
    Holding,
    Parameters,
    Strategy,
)  # fmt: skip
from algotrendy_core.strategies.registry import STRATEGIES, parameters_of, strategy_named
from hypothesis import given, settings
from hypothesis import strategies as st

COARSE = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.5"),
    quantity_step=Decimal("0.01"), min_quantity=Decimal("0.01"), max_quantity=Decimal(9000),
    min_notional=Decimal(5), maker_fee=Decimal("0.001"), taker_fee=Decimal("0.002"),
)  # fmt: skip
FREE = COARSE.model_copy(update={"maker_fee": Decimal(0), "taker_fee": Decimal(0)})
CONFIG = BacktestConfig(Decimal(1000), reserve=Decimal(0), fees_charged_in=ChargedIn.QUOTE)
MINUTE = 60_000


# ── a strategy that has two rungs and a target as its parameters say, bar by bar ─────────────────────────────────


class Script(Parameters):
    """``from`` and ``until`` are the bars (of those seen) from which a rung stands and before which it goes."""

    kind: int = 0
    side: int = 1
    price: float = 0.0
    quantity: float = 1.0
    group: int = 0
    since: int = 1
    until: int = 1_000_000
    moved_at: int = 1_000_000
    moved_price: float = 0.0
    renewed_at: int = 1_000_000
    other_kind: int = 0
    other_side: int = -1
    other_price: float = 0.0
    other_quantity: float = 1.0
    other_group: int = 0
    target: float = float(0)
    target_since: int = 1_000_000


@dataclass(slots=True)
class Count:
    bars: int = 0


def play(p: Script, state: Count, candle: Candle, holding: Holding, ladder: Any) -> Decision:
    state.bars += 1
    first, second = ladder[0], ladder[1]
    if p.since <= state.bars < p.until:
        first.kind = p.kind
        first.side = p.side
        first.price = p.moved_price if state.bars >= p.moved_at else p.price
        first.quantity = p.quantity
        first.group = p.group
        first.generation = 2 if state.bars >= p.renewed_at else 1
    else:
        first.kind = 0
    if state.bars >= p.since:
        second.kind = p.other_kind
        second.side = p.other_side
        second.price = p.other_price
        second.quantity = p.other_quantity
        second.group = p.other_group
        second.generation = 1
    return Decision(p.target if state.bars >= p.target_since else np.nan, 1)


SCRIPTED = Strategy(
    "scripted", "As its parameters say", Script, lambda _: Count(), play, lambda _: 1, ("", "told"), rungs=lambda _: 2
)


def bars_of(*rows: tuple[float, float, float, float], volume: float = 100.0) -> BarSeries:
    """Open, high, low, close."""
    return series_of(Timeframe.M1, (Candle(index * MINUTE, *row, volume) for index, row in enumerate(rows)))


FLAT = (100.0, 100.0, 100.0, 100.0)


def run(bars: BarSeries, script: Script, instrument: Instrument = FREE, **changes: Any) -> BacktestResult:
    """Compiled; that plain Python gives the same is asserted on the way."""
    given_data = {name: changes.pop(name) for name in ("path", "funding") if name in changes}
    config = replace(CONFIG, **changes)
    fast = run_backtest(SCRIPTED, script, bars, instrument, config, **given_data)
    plain = run_backtest(SCRIPTED, script, bars, instrument, config, compiled=False, **given_data)
    assert fast.compiled, fast.not_compiled_because
    assert fast.result_hash == plain.result_hash
    return fast


def fills(result: BacktestResult) -> list[tuple[int, int, float, float]]:
    return [(int(f["bar"]), int(f["side"]), float(f["price"]), float(f["quantity"])) for f in result.fills]


def test_a_limit_waits_for_its_price_and_pays_the_makers_fee() -> None:
    bars = bars_of(FLAT, (100, 101, 99, 100), (100, 101, 97, 100), FLAT)
    result = run(bars, Script(kind=LIMIT, price=98, quantity=2), COARSE)
    assert fills(result) == [(2, 1, 98.0, 2.0)]
    assert (result.fills["fee"][0], result.fills["maker"][0]) == (pytest.approx(0.196), 1)
    assert result.equity.tolist() == pytest.approx([1000, 1000, 1003.804, 1003.804])


def test_a_gap_through_a_limit_fills_at_the_open() -> None:
    result = run(bars_of(FLAT, FLAT, (95, 96, 94, 95)), Script(kind=LIMIT, price=98), COARSE)
    assert fills(result) == [(2, 1, 95.0, 1.0)]
    assert result.fills["maker"][0] == 1


def test_a_limit_that_crosses_as_it_arrives_takes() -> None:
    result = run(bars_of(FLAT, (95, 96, 94, 95)), Script(kind=LIMIT, price=98), COARSE, slippage_bps=Decimal(100))
    # 95 with 1 % slippage, on the grid's worse side, and never beyond the limit.
    assert fills(result) == [(1, 1, 96.0, 1.0)]
    assert (result.fills["fee"][0], result.fills["maker"][0]) == (pytest.approx(0.192), 0)
    result = run(bars_of(FLAT, (98, 98, 98, 98)), Script(kind=LIMIT, price=98), slippage_bps=Decimal(100))
    assert fills(result) == [(1, 1, 98.0, 1.0)]


def test_a_limit_price_is_rounded_to_be_no_more_aggressive() -> None:
    bars = bars_of(FLAT, (100, 102, 98, 100))
    assert fills(run(bars, Script(kind=LIMIT, price=98.7))) == [(1, 1, 98.5, 1.0)]
    held = Script(kind=LIMIT, side=-1, price=101.2, target=0.5, target_since=1)
    assert fills(run(bars, held)) == [(1, 1, 100.0, 5.0), (1, -1, 101.5, 1.0)]


def test_a_limit_may_have_to_be_traded_through() -> None:
    touched = bars_of(FLAT, (100, 100, 98, 100), (100, 100, 97.5, 100))
    assert fills(run(touched, Script(kind=LIMIT, price=98))) == [(1, 1, 98.0, 1.0)]
    assert fills(run(touched, Script(kind=LIMIT, price=98), trade_through=True)) == [(2, 1, 98.0, 1.0)]


def test_a_stop_takes_with_slippage_and_gaps_fill_at_the_open() -> None:
    buy = Script(kind=STOP, side=1, price=102)
    assert fills(run(bars_of(FLAT, (100, 103, 99, 100)), buy, slippage_bps=Decimal(10))) == [(1, 1, 102.5, 1.0)]
    result = run(bars_of(FLAT, (100, 101, 99, 100), (105, 106, 104, 105)), buy, COARSE)
    assert fills(result) == [(2, 1, 105.0, 1.0)]
    assert result.fills["fee"][0] == pytest.approx(0.21)


def test_a_take_profit_goes_when_the_price_is_good_enough() -> None:
    script = Script(kind=TAKE_PROFIT, side=-1, price=104, quantity=5, target=0.5, target_since=1, since=2)
    bars = bars_of(FLAT, FLAT, (100, 103.5, 100, 103), (103, 105, 103, 105))
    assert fills(run(bars, script)) == [(1, 1, 100.0, 5.0), (3, -1, 104.0, 5.0)]


def test_a_trailing_stop_follows_the_best_price_and_never_back() -> None:
    script = Script(kind=TRAILING_STOP, side=-1, price=0.1, quantity=5, target=0.5, target_since=1, since=2)
    bars = bars_of(FLAT, FLAT, (100, 110, 100, 110), (110, 120, 109, 115), (115, 116, 107, 112), FLAT)
    # Best 120 on the fourth bar, whose low of 109 came before it; 120 less a tenth is 108, met on the fifth.
    assert fills(run(bars, script)) == [(1, 1, 100.0, 5.0), (4, -1, 108.0, 5.0)]


def test_the_nearer_extreme_comes_first() -> None:
    bracket = Script(
        kind=TAKE_PROFIT, side=-1, price=104, quantity=5, group=1, since=2, target=0.5, target_since=1,
        other_kind=STOP, other_side=-1, other_price=96, other_quantity=5, other_group=1,
    )  # fmt: skip
    low_nearer = bars_of(FLAT, FLAT, (98, 105, 95, 100), FLAT)
    assert fills(run(low_nearer, bracket))[1:] == [(2, -1, 96.0, 5.0)]
    high_nearer = bars_of(FLAT, FLAT, (102, 105, 95, 100), FLAT)
    assert fills(run(high_nearer, bracket))[1:] == [(2, -1, 104.0, 5.0)]
    # Either way the other leg is gone, and the position flat.
    assert run(low_nearer, bracket).book.position == 0.0


def test_finer_bars_say_what_came_first() -> None:
    bracket = Script(
        kind=TAKE_PROFIT, side=-1, price=104, quantity=5, group=1, since=2, target=0.5, target_since=1,
        other_kind=STOP, other_side=-1, other_price=96, other_quantity=5, other_group=1,
    )  # fmt: skip
    five = [(i * 5 * MINUTE, row) for i, row in enumerate([FLAT, FLAT, (98.0, 105.0, 95.0, 100.0)])]
    coarse = series_of(Timeframe.M5, (Candle(t, *row, 1.0) for t, row in five))
    inside = [FLAT] * 10 + [(98, 100, 98, 100), (100, 105, 100, 104), (104, 104, 95, 95), (95, 100, 95, 100), FLAT]
    assert fills(run(coarse, bracket))[1:] == [(2, -1, 96.0, 5.0)]
    result = run(coarse, bracket, path=bars_of(*inside))
    assert fills(result)[1:] == [(2, -1, 104.0, 5.0)]
    assert result.fills["time"].tolist() == [5 * MINUTE, 11 * MINUTE]
    assert result.manifest["data"]["path_events"] == 15


def test_trades_are_a_path_too() -> None:
    bars = bars_of(FLAT, (100, 104, 97, 100))
    trades = Trades(
        np.array([1000, 61_000, 62_000, 63_000, 119_000]), np.array([100.0, 104, 99, 97, 100]), np.full(5, 1.0)
    )
    result = run(bars, Script(kind=LIMIT, price=98), path=trades)
    assert fills(result) == [(1, 1, 97.0, 1.0)]
    assert result.fills["time"][0] == 63_000


def test_one_order_per_generation() -> None:
    dips = bars_of(FLAT, *[(100.0, 100.0, 97.0, 100.0)] * 4)
    assert fills(run(dips, Script(kind=LIMIT, price=98))) == [(1, 1, 98.0, 1.0)]
    renewed = run(dips, Script(kind=LIMIT, price=98, renewed_at=3))
    assert fills(renewed) == [(1, 1, 98.0, 1.0), (3, 1, 98.0, 1.0)]


def test_a_rung_is_moved_and_taken_away() -> None:
    bars = bars_of(FLAT, FLAT, (100, 100, 98, 100), (100, 100, 96, 100))
    moved = Script(kind=LIMIT, price=98, moved_at=2, moved_price=97)
    assert fills(run(bars, moved)) == [(3, 1, 97.0, 1.0)]
    assert fills(run(bars, Script(kind=LIMIT, price=98, until=2))) == []


def test_what_the_venue_would_not_take_is_not_placed() -> None:
    bars = bars_of(FLAT, (100, 100, 97, 100))
    result = run(bars, Script(kind=LIMIT, price=98, quantity=0.05))  # 4.90 of the 5 that are asked for
    assert (fills(result), result.book.below_minimum) == ([], 2)
    assert fills(run(bars, Script(kind=LIMIT, price=98, quantity=1.239))) == [(1, 1, 98.0, 1.23)]
    most = FREE.model_copy(update={"max_quantity": Decimal("0.5")})
    assert fills(run(bars, Script(kind=LIMIT, price=98), most)) == [(1, 1, 98.0, 0.5)]


def test_no_more_is_bought_than_paid_for_nor_sold_than_held() -> None:
    bars = bars_of(FLAT, (100, 103, 97, 100), FLAT)
    result = run(bars, Script(kind=LIMIT, price=98, quantity=11))
    assert (fills(result), result.book.short_of_cash) == ([], 1)
    nothing = run(bars, Script(kind=LIMIT, side=-1, price=102, quantity=3))
    assert (fills(nothing), nothing.book.refused) == ([], 1)
    short = run(bars, Script(kind=LIMIT, side=-1, price=102, quantity=3), allow_short=True)
    assert fills(short) == [(1, -1, 102.0, 3.0)]


def test_latency_means_the_next_event_after_it() -> None:
    bars = bars_of(*[FLAT] * 5)
    buy = Script(target=0.5, target_since=1)
    assert [fill[0] for fill in fills(run(bars, buy))] == [1]
    assert [fill[0] for fill in fills(run(bars, buy, latency_ms=1))] == [2]
    assert [fill[0] for fill in fills(run(bars, buy, latency_ms=MINUTE, feed_latency_ms=MINUTE))] == [3]
    trades = Trades(np.arange(0, 300_000, 100), np.full(3000, 100.0), np.full(3000, 1.0))
    assert run(bars, buy, path=trades, latency_ms=250).fills["time"].tolist() == [60_300]


def test_volume_share_fills_over_several_bars() -> None:
    bars = bars_of(*[FLAT] * 5, volume=20.0)
    result = run(bars, Script(target=1, target_since=1), volume_share=Decimal("0.2"))
    assert fills(result) == [(1, 1, 100.0, 4.0), (2, 1, 100.0, 4.0), (3, 1, 100.0, 2.0)]
    limit = run(bars_of(FLAT, *[(100.0, 100.0, 97.0, 100.0)] * 3, volume=5.0),
                Script(kind=LIMIT, price=98, quantity=1.5), volume_share=Decimal("0.2"))  # fmt: skip
    assert fills(limit) == [(1, 1, 98.0, 1.0), (2, 1, 98.0, 0.5)]


def test_impact_grows_with_the_square_of_the_share() -> None:
    bars = bars_of(*[FLAT] * 3, volume=10.0)
    result = run(bars, Script(target=0.5, target_since=1), impact=Decimal("0.1"))
    # 5 of 10: a quarter of a tenth is 2.5 %.
    assert fills(result) == [(1, 1, 102.5, 5.0)]


def test_a_group_ends_with_its_first_fill_even_in_part() -> None:
    script = Script(
        kind=LIMIT, price=98, quantity=3, group=1, other_kind=LIMIT, other_side=1, other_price=96, other_group=1
    )
    bars = bars_of(FLAT, (100, 100, 97, 99), (99, 99, 95, 99), volume=5.0)
    result = run(bars, script, volume_share=Decimal("0.2"))
    assert fills(result) == [(1, 1, 98.0, 1.0), (2, 1, 98.0, 1.0)]


def test_funding_and_borrowing_are_paid_while_held() -> None:
    bars = bars_of(*[FLAT] * 4)
    rates = Rates(np.array([60_000, 120_000]), np.array([0.5, 0.01]))
    long = run(bars, Script(target=0.5, target_since=1), funding=rates)
    # Held from the second bar on, after the first rate fell due.
    assert long.equity.tolist() == pytest.approx([1000, 1000, 995, 995])
    short = run(bars, Script(target=-0.5, target_since=1), funding=rates, allow_short=True)
    assert short.equity[-1] == pytest.approx(1005)
    year = 365 * 24 * 60
    lent = run(bars, Script(target=-0.5, target_since=1), allow_short=True, borrow_rate=Decimal(year) / 100)
    assert lent.equity.tolist() == pytest.approx([1000, 1000, 995, 990])
    assert lent.book.borrowing == pytest.approx(10)


def test_margin_bounds_what_is_held_and_liquidation_ends_it() -> None:
    margin = {"leverage": Decimal(4), "maintenance_margin": Decimal("0.1")}
    bars = bars_of(FLAT, FLAT, (100, 101, 80, 85), FLAT)
    script = Script(kind=LIMIT, price=100, quantity=30)
    result = run(bars, script, **margin)
    # 1,000 of cash and 30 at 100: equity is a tenth of the exposure at 2,000 / 27 = 74.07, so 80 is survived;
    assert fills(result) == [(1, 1, 100.0, 30.0)]
    assert result.equity[2] == pytest.approx(1000 - 15 * 30)
    assert fills(run(bars, Script(kind=LIMIT, price=100, quantity=41), **margin)) == []
    # and 40 at 100 are liquidated at 3,000 / 36 = 83.33, on the grid's worse side.
    gone = run(bars, Script(kind=LIMIT, price=100, quantity=40), **margin)
    assert fills(gone) == [(1, 1, 100.0, 40.0), (2, -1, 83.0, 40.0)]
    assert gone.fills["order"].tolist() == [0, -2]
    assert (gone.book.liquidations, gone.equity[-1]) == (1, pytest.approx(320))


def test_fees_follow_the_tier_of_the_last_thirty_days() -> None:
    day = 24 * 60 * MINUTE
    series = series_of(Timeframe.D1, (Candle(i * day, *FLAT, 1.0) for i in range(40)))
    tiers = (FeeTier(Decimal(900), Decimal(0), Decimal("0.001")),)
    script = Script(kind=LIMIT, price=101, quantity=4.5, other_kind=0, target=0.0, target_since=3)
    result = run(series, script, COARSE, fee_tiers=tiers)
    ratios = (result.fills["fee"] / (result.fills["price"] * result.fills["quantity"])).tolist()
    assert ratios == pytest.approx([0.002])
    again = run(series, replace_script(script, renewed_at=4), COARSE, fee_tiers=tiers)
    ratios = (again.fills["fee"] / (again.fills["price"] * again.fills["quantity"])).tolist()
    assert ratios == pytest.approx([0.002, 0.002])
    later = run(series, replace_script(script, renewed_at=6), COARSE.model_copy(), fee_tiers=(
        FeeTier(Decimal(400), Decimal(0), Decimal("0.001")),))  # fmt: skip
    assert (later.fills["fee"] / (later.fills["price"] * later.fills["quantity"])).tolist() == pytest.approx(
        [0.002, 0.001]
    )
    with pytest.raises(Refused, match="tiers"):
        run(series, script, fee_tiers=(*tiers, *tiers))


def replace_script(script: Script, **changes: Any) -> Script:
    return Script(**(script.model_dump() | changes))


@pytest.mark.parametrize(
    "wrong",
    [{"latency_ms": -1}, {"volume_share": Decimal(2)}, {"leverage": Decimal("0.5")}, {"borrow_rate": Decimal(-1)}],
)
def test_a_model_out_of_its_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=next(iter(wrong))):
        run(bars_of(FLAT, FLAT), Script(), **wrong)


# ── what must hold of any run ───────────────────────────────────────────────────────────────────────────────────


class Restless(Parameters):
    seed: int = 1


@dataclass(slots=True)
class Dice:
    seed: int = 1
    bars: int = 0


def roll(dice: Dice, sides: int) -> int:
    dice.seed = (dice.seed * 1_103_515_245 + 12_345) % 2_147_483_648
    return (dice.seed // 65_536) % sides


def fidget(p: Restless, dice: Dice, candle: Candle, holding: Holding, ladder: Any) -> Decision:
    """Now and then change any rung to anything."""
    dice.bars += 1
    for index in range(4):
        rung = ladder[index]
        what = roll(dice, 8)
        if what == 0:
            rung.kind = 0
        elif what <= 2:
            rung.kind = 1 + roll(dice, 4)
            rung.side = 1 if roll(dice, 2) == 0 else -1
            rung.price = 0.002 if rung.kind == TRAILING_STOP else candle.close * (1.0 + (roll(dice, 9) - 4) * 0.0005)
            rung.quantity = (1.0 + roll(dice, 50)) * 0.01
            rung.group = roll(dice, 3)
            rung.generation += 1
        elif what == 3 and rung.kind != TRAILING_STOP:
            rung.price = candle.close * (1.0 + (roll(dice, 9) - 4) * 0.0005)
    if roll(dice, 10) == 0:
        return Decision((roll(dice, 5) - 1) * 0.25, 1)
    return Decision(np.nan, 1)


RESTLESS = Strategy(
    "restless", "Anything", Restless, lambda p: Dice(p.seed), fidget, lambda _: 1, ("", "rolled"), rungs=lambda _: 4
)


def walk(count: int, seed: int) -> BarSeries:
    rng = np.random.default_rng(seed)
    closes = np.round(20_000 * np.exp(np.cumsum(rng.normal(0, 0.001, count))), 2)
    opens = np.round(np.concatenate(([20_000], closes[:-1])) * (1 + rng.normal(0, 0.0003, count)), 2)
    high = np.round(np.maximum(opens, closes) * (1 + np.abs(rng.normal(0, 0.0005, count))), 2)
    low = np.round(np.minimum(opens, closes) * (1 - np.abs(rng.normal(0, 0.0005, count))), 2)
    return BarSeries(
        Timeframe.M1, np.arange(count) * MINUTE, opens, high, low, closes, np.round(rng.uniform(0, 3, count), 3)
    )


FINE = COARSE.model_copy(update={"price_step": Decimal("0.01"), "quantity_step": Decimal("0.00001")})
any_config = st.builds(
    BacktestConfig,
    initial_cash=st.just(Decimal(10_000)),
    slippage_bps=st.sampled_from([Decimal(0), Decimal(5)]),
    fees_charged_in=st.sampled_from(ChargedIn),
    allow_short=st.booleans(),
    latency_ms=st.sampled_from([0, 1, 200_000]),
    volume_share=st.sampled_from([None, Decimal("0.1"), Decimal(1)]),
    impact=st.sampled_from([Decimal(0), Decimal("0.01")]),
    trade_through=st.booleans(),
    leverage=st.sampled_from([None, Decimal(3)]),
    borrow_rate=st.sampled_from([Decimal(0), Decimal("0.1")]),
    maintenance_margin=st.just(Decimal("0.2")),
)
any_case = st.tuples(any_config, st.integers(0, 10_000), st.integers(2, 150), st.sampled_from([COARSE, FINE]))


def restless(case: tuple[Any, ...], **more: Any) -> BacktestResult:
    config, seed, length, instrument = case
    bars = more.pop("bars", walk(length, seed))
    return run_backtest(RESTLESS, Restless(seed=seed + 1), bars, instrument, config, **more)


@settings(max_examples=60, deadline=None)
@given(any_case)
def test_compiled_and_plain_are_the_same_to_the_last_bit(case: tuple[Any, ...]) -> None:
    fast, plain = restless(case), restless(case, compiled=False)
    assert fast.compiled, fast.not_compiled_because
    assert fast.equity.tobytes() == plain.equity.tobytes()
    assert fast.fills.tobytes() == plain.fills.tobytes()
    assert (fast.trades.tobytes(), fast.book) == (plain.trades.tobytes(), plain.book)


@settings(max_examples=60, deadline=None)
@given(any_case)
def test_cash_and_position_are_what_positions_would_book(case: tuple[Any, ...]) -> None:
    config, seed, length, instrument = case
    bars, result = walk(length, seed), restless(case)
    portfolio = Portfolio("USDT", config.initial_cash)
    for index, row in enumerate(result.fills):
        side = Side.BUY if row["side"] == 1 else Side.SELL
        price = Decimal(repr(float(row["price"])))
        in_base = config.fees_charged_in is ChargedIn.RECEIVED and side is Side.BUY and config.leverage is None
        fee = Decimal(repr(float(row["fee"])))
        portfolio = portfolio.apply(
            Fill(
                str(index), "v", instrument.venue, instrument.symbol, side, price,
                Decimal(repr(float(row["quantity"]))), fee / price if in_base else fee,
                "BTC" if in_base else "USDT", Liquidity.MAKER if row["maker"] else Liquidity.TAKER,
                from_ms(int(row["time"])),
            ),
            base="BTC",
        )  # fmt: skip
    held = portfolio.positions.get((instrument.venue, instrument.symbol))
    paid = result.book.funding + result.book.borrowing
    assert result.book.cash == pytest.approx(float(portfolio.cash) - paid, abs=1e-6)
    assert result.book.position == pytest.approx(float(held.quantity) if held else 0.0, abs=1e-9)
    assert result.equity[-1] == pytest.approx(result.book.cash + result.book.position * bars.close[-1], abs=1e-9)
    if not config.allow_short:
        assert (result.fills["position"] >= 0).all()
        if config.leverage is None:
            assert result.book.cash >= 0
    # Filled after the decision and the latency, inside the range of the bar or at worse by the slippage.
    assert (result.fills["time"] >= MINUTE + config.latency_ms).all()
    rests = result.fills[result.fills["maker"] == 1]
    assert (rests["price"] >= bars.low[rests["bar"]]).all()
    assert (rests["price"] <= bars.high[rests["bar"]]).all()


@settings(max_examples=40, deadline=None)
@given(any_case, st.integers(1, 149))
def test_the_future_never_changes_the_past_nor_does_a_cut(case: tuple[Any, ...], cut: int) -> None:
    length = case[2]
    cut = min(cut, length)
    whole = restless(case)
    other = walk(length, case[1] + 1)
    mixed = [np.concatenate((ours[:cut], theirs[cut:])) for ours, theirs in
             zip(walk(length, case[1]).columns, other.columns, strict=True)]  # fmt: skip
    changed = restless(case, bars=BarSeries(Timeframe.M1, *mixed))
    assert whole.equity[:cut].tobytes() == changed.equity[:cut].tobytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_CHUNK", 7)
        patch.setattr(general, "_ROOM", 8)
        assert restless(case).result_hash == whole.result_hash


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(name for name in STRATEGIES if STRATEGIES[name].rungs is None)), st.integers(0, 999),
       st.booleans(), st.sampled_from(ChargedIn))  # fmt: skip
def test_with_every_model_off_targets_are_filled_as_by_the_plain_gear(
    name: str, seed: int, shorts: bool, charged_in: ChargedIn
) -> None:
    strategy = strategy_named(name)
    bars, config = walk(400, seed), BacktestConfig(Decimal(10_000), Decimal(3), fees_charged_in=charged_in)
    config = replace(config, allow_short=shorts)
    ours = [
        run_backtest(strategy, parameters_of(strategy, {}), bars, FINE, each, compiled=False)
        for each in (config, replace(config, trade_through=True))
    ]
    assert ours[0].result_hash == ours[1].result_hash


def test_a_path_is_finer_and_in_order() -> None:
    bars = bars_of(FLAT, FLAT)
    with pytest.raises(Refused, match="not made of"):
        run(bars, Script(), path=series_of(Timeframe.M5, [Candle(0, *FLAT, 1.0)]))
    with pytest.raises(Refused, match="back"):
        run(bars, Script(), path=Trades(np.array([5, 4]), np.full(2, 1.0), np.full(2, 1.0)))
    holes = run(bars_of(*[FLAT] * 3), Script(target=0.5, target_since=1), path=bars_of(FLAT))
    assert fills(holes) == [(1, 1, 100.0, 5.0)]
