"""The backtest engine: cases worked out by hand, then the identities that make its answers worth believing."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from algotrendy_common.clock import from_ms
from algotrendy_common.enums import Liquidity, Side, Timeframe
from algotrendy_common.errors import Refused
from algotrendy_core.backtest import engine
from algotrendy_core.backtest.engine import BacktestConfig, BacktestResult, run_backtest
from algotrendy_core.backtest.series import BarSeries, series_of, series_of_bars
from algotrendy_core.bars import Bar, Candle
from algotrendy_core.fees import ChargedIn, fill_fee
from algotrendy_core.fills import Fill
from algotrendy_core.instruments import Instrument
from algotrendy_core.positions import Portfolio
from algotrendy_core.sizing import NoOrder, SizedOrder, size_order
from algotrendy_core.strategies.interface import Decision, Parameters, Strategy
from algotrendy_core.strategies.registry import parameters_of, strategy_named
from algotrendy_core.strategies.running import StrategyRun
from hypothesis import given, settings
from hypothesis import strategies as st

BTC = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.01"),
    quantity_step=Decimal("0.00001"), min_quantity=Decimal("0.00001"), max_quantity=Decimal(9000),
    min_notional=Decimal(5), maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"),
)  # fmt: skip
COARSE = BTC.model_copy(update={"price_step": Decimal("0.5"), "quantity_step": Decimal("0.01")})
FINE = BTC.model_copy(update={"quantity_step": Decimal("0.00000001"), "price_step": Decimal("0.00001")})
CONFIG = BacktestConfig(Decimal(100_000), slippage_bps=Decimal(2))
SHORT_PARAMETERS: dict[str, dict[str, Any]] = {
    "sma_cross": {"fast": 3, "slow": 8, "exposure": 0.8},
    "rsi_reversion": {"period": 5, "entry": 40, "exit": 60},
    "momentum": {"lookback": 4},
}


def series(*opens_and_closes: tuple[float, float]) -> BarSeries:
    return series_of(
        Timeframe.M1,
        (
            Candle(index * 60_000, open_, max(open_, close), min(open_, close), close, 1.0)
            for index, (open_, close) in enumerate(opens_and_closes)
        ),
    )


def walk(bars: int, seed: int, volatility: float = 0.002) -> BarSeries:
    rng = np.random.default_rng(seed)
    closes = np.round(20_000 * np.exp(np.cumsum(rng.normal(0, volatility, bars))), 2)
    opens = np.round(np.concatenate(([20_000], closes[:-1])) * (1 + rng.normal(0, volatility / 4, bars)), 2)
    return series(*zip(opens.tolist(), closes.tolist(), strict=True))


# ── a strategy that does as the volume column says, for cases by hand ────────────────────────────────────────────


class Nothing(Parameters):
    pass


@dataclass(slots=True)
class Blank:
    unused: float = 0.0


def obey(parameters: Nothing, state: Blank, candle: Candle) -> Decision:
    return Decision(candle.volume / 100.0 - 1.0, 1)


OBEY = Strategy("obey", "Target = volume / 100 - 1", Nothing, lambda _: Blank(), obey, lambda _: 1, ("", "told"))


def told(bars: BarSeries, targets: list[float]) -> BarSeries:
    return replace(bars, volume=np.array([(target + 1) * 100 for target in targets]))


def run_told(bars: BarSeries, targets: list[float], **changes: Any) -> BacktestResult:
    plain_config = BacktestConfig(Decimal(1000), reserve=Decimal(0), fees_charged_in=ChargedIn.QUOTE)
    instrument = changes.pop("instrument", COARSE)
    return run_backtest(OBEY, Nothing(), told(bars, targets), instrument, replace(plain_config, **changes))


def test_a_round_trip_by_hand() -> None:
    bars = series((100, 100), (110, 120), (130, 125), (120, 120))
    result = run_told(bars, [0.5, 0.5, 0, 0])
    # Decided at 100: 5 units of 500; filled at the next open, 110; fee 0.55. Sold at 120; fee 0.60.
    assert [(fill["bar"], fill["side"], fill["price"], fill["quantity"], fill["fee"]) for fill in result.fills] == [
        (1, 1, 110.0, 5.0, 0.55),
        (3, -1, 120.0, 5.0, 0.6),
    ]
    assert result.equity.tolist() == pytest.approx([1000, 1049.45, 1074.45, 1048.85], abs=1e-9)
    [trade] = result.trades
    assert (trade["entry_bar"], trade["exit_bar"], trade["side"], trade["quantity"]) == (1, 3, 1, 5.0)
    assert (trade["entry_price"], trade["exit_price"]) == (110.0, 120.0)
    assert trade["profit"] == pytest.approx(48.85)
    assert result.statistics.total_return == pytest.approx(0.04885)
    assert result.statistics.exposure == 0.5
    assert result.statistics.fees == pytest.approx(1.15)


def test_a_fee_in_base_leaves_dust_that_the_next_exit_may_sell() -> None:
    bars = series((100, 100), (100, 100), (100, 100), (100, 100))
    result = run_told(bars, [0.5, 0, 0, 0], fees_charged_in=ChargedIn.RECEIVED)
    bought, sold = result.fills
    assert (bought["quantity"], bought["position"]) == (5.0, 4.995)
    assert (sold["quantity"], sold["position"]) == (4.99, pytest.approx(0.005))
    assert result.book.position == pytest.approx(0.005)
    assert len(result.trades) == 1
    assert result.equity[-1] == pytest.approx(1000 - 0.5 - 0.499)


def test_slippage_is_rounded_to_the_worse_side_of_the_grid() -> None:
    bars = series((100, 100), (100, 100), (100, 100), (100, 100))
    result = run_told(bars, [0.5, 0, 0, 0], slippage_bps=Decimal(10))
    assert [fill["price"] for fill in result.fills] == [100.5, 99.5]


def test_an_order_that_the_cash_does_not_pay_for_is_tried_again() -> None:
    bars = series((100, 100), (101, 100), (99, 100), (100, 100))
    result = run_told(bars, [1, 1, 1, 1])
    assert result.book.short_of_cash == 1
    assert [(fill["bar"], fill["price"]) for fill in result.fills] == [(2, 99.0)]


def test_a_change_too_small_for_the_venue_is_not_sent() -> None:
    bars = series((100, 100), (100, 100), (100, 100))
    result = run_told(bars, [0.004, 0.004, 0.5])
    assert (len(result.fills), result.book.below_minimum) == (0, 2)


def test_more_than_the_largest_order_takes_several() -> None:
    small = COARSE.model_copy(update={"max_quantity": Decimal(2)})
    bars = series(*[(100.0, 100.0)] * 5)
    result = run_told(bars, [0.5] * 5, instrument=small)
    # Each further order is sized anew, and the fees have left a little less to hold.
    assert [fill["quantity"] for fill in result.fills] == [2.0, 2.0, 0.99]


def test_shorts_only_where_allowed_and_through_zero_in_one_order() -> None:
    bars = series(*[(100.0, 100.0)] * 4, (90, 90))
    flat = run_told(bars, [-0.5] * 5)
    assert len(flat.fills) == 0
    result = run_told(bars, [0.5, -0.5, -0.5, 0, 0], allow_short=True)
    assert [(fill["side"], fill["quantity"]) for fill in result.fills] == [(1, 5.0), (-1, 9.99), (1, 4.99)]
    assert [trade["side"] for trade in result.trades] == [1, -1]
    assert result.trades["profit"].sum() == pytest.approx(result.equity[-1] - 1000)
    assert result.book.position == 0.0


def test_no_opinion_leaves_things_as_they_are() -> None:
    bars = series(*[(100.0, 100.0)] * 4)
    closes = replace(told(bars, [0.5, math.nan, math.nan, 0.5]))
    result = run_backtest(OBEY, Nothing(), closes, COARSE, BacktestConfig(Decimal(1000)))
    assert len(result.fills) == 1


# ── identities ──────────────────────────────────────────────────────────────────────────────────────────────────

any_run = st.tuples(
    st.sampled_from(sorted(SHORT_PARAMETERS)),
    st.integers(0, 10_000),
    st.integers(2, 300),
    st.sampled_from([BTC, COARSE, FINE]),
    st.sampled_from(ChargedIn),
    st.sampled_from([Decimal(0), Decimal(5)]),
)


def run_of(case: tuple[Any, ...], **more: Any) -> BacktestResult:
    name, seed, length, instrument, charged_in, slippage = case
    strategy = strategy_named(name)
    config = replace(CONFIG, fees_charged_in=charged_in, slippage_bps=slippage)
    bars = more.pop("bars", walk(length, seed))
    return run_backtest(strategy, parameters_of(strategy, SHORT_PARAMETERS[name]), bars, instrument, config, **more)


@settings(max_examples=60, deadline=None)
@given(any_run)
def test_compiled_and_plain_runs_are_the_same_to_the_last_bit(case: tuple[Any, ...]) -> None:
    fast, plain = run_of(case, compiled=True), run_of(case, compiled=False)
    assert fast.compiled
    assert not plain.compiled
    assert fast.equity.tobytes() == plain.equity.tobytes()
    assert fast.fills.tobytes() == plain.fills.tobytes()
    assert fast.trades.tobytes() == plain.trades.tobytes()
    assert (fast.result_hash, fast.manifest, fast.statistics) == (plain.result_hash, plain.manifest, plain.statistics)


@settings(max_examples=60, deadline=None)
@given(any_run, st.integers(0, 10_000), st.data())
def test_bars_of_the_future_never_change_the_past(case: tuple[Any, ...], seed: int, data: st.DataObject) -> None:
    length = case[2]
    cut = data.draw(st.integers(1, length))
    bars, other = walk(length, case[1]), walk(length, seed, volatility=0.05)
    columns = [
        np.concatenate((ours[:cut], theirs[cut:])) for ours, theirs in zip(bars.columns, other.columns, strict=True)
    ]
    changed = BarSeries(Timeframe.M1, *columns)
    before, after = run_of(case, bars=bars), run_of(case, bars=changed)
    assert before.equity[:cut].tobytes() == after.equity[:cut].tobytes()
    kept = before.fills[before.fills["bar"] < cut]
    assert kept.tobytes() == after.fills[after.fills["bar"] < cut].tobytes()
    assert run_of(case, bars=bars.slice(0, cut)).equity.tobytes() == before.equity[:cut].tobytes()


@settings(max_examples=60, deadline=None)
@given(any_run)
def test_equity_is_cash_flows_and_nothing_else(case: tuple[Any, ...]) -> None:
    result = run_of(case)
    bars = walk(case[2], case[1])
    assert (result.fills["bar"] > 0).all()  # decided on an earlier bar than it was filled on
    assert all(later > earlier for earlier, later in pairwise(result.fills["bar"].tolist()))
    realised = result.fills["realised"].sum() - result.fills["fee"].sum()
    if abs(result.book.position) == 0:
        assert result.equity[-1] == pytest.approx(100_000 + realised, rel=1e-12)
    assert result.statistics.final_equity == result.equity[-1]
    closed = result.trades["profit"].sum()
    if result.book.position < float(case[3].quantity_step):
        assert closed == pytest.approx(realised, abs=1e-6)
    assert len(result.equity) == len(bars)
    assert (result.trades["quantity"] >= float(case[3].min_quantity)).all()


@pytest.mark.parametrize("chunk", [1, 7, 100])
@pytest.mark.parametrize("name", sorted(SHORT_PARAMETERS))
def test_where_a_run_is_cut_changes_nothing(name: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = (name, 5, 250, BTC, ChargedIn.RECEIVED, Decimal(5))
    whole = run_of(case)
    monkeypatch.setattr(engine, "_CHUNK", chunk)
    assert run_of(case).result_hash == whole.result_hash
    assert len(whole.fills) > 4


# ── parity with the live side: the same bars, event by event, in exact numbers ──────────────────────────────────


def live_run(case: tuple[Any, ...], bars: BarSeries) -> tuple[list[Fill], list[Decimal]]:
    """What the live services would do, with the exact types: strategy run, sizing, fees and portfolio."""
    name, _, _, instrument, charged_in, slippage = case
    strategy = strategy_named(name)
    run = StrategyRun(strategy, parameters_of(strategy, SHORT_PARAMETERS[name]))
    portfolio, fills, equity = Portfolio("USDT", CONFIG.initial_cash), [], []
    held, waiting, key = Decimal(0), None, (instrument.venue, instrument.symbol)
    for row in zip(*(column.tolist() for column in bars.columns), strict=True):
        open_time = from_ms(row[0])
        open_, high, low, close, volume = (Decimal(repr(value)) for value in row[1:])
        if waiting is not None:
            target, order = waiting
            price = open_ * (1 + order.side.sign * slippage / 10_000) / instrument.price_step
            rounding = ROUND_CEILING if order.side is Side.BUY else ROUND_FLOOR
            price = price.to_integral_value(rounding) * instrument.price_step
            fee = fill_fee(instrument, order.side, price, order.quantity, Liquidity.TAKER, charged_in)
            fill = Fill(
                str(len(fills)), "v", instrument.venue, instrument.symbol, order.side, price, order.quantity,
                fee.amount, fee.asset, Liquidity.TAKER, open_time,
            )  # fmt: skip
            after = portfolio.apply(fill, base="BTC")
            if after.cash >= 0:
                portfolio, held = after, target
                fills.append(fill)
            waiting = None
        signal = run.on_bar(Bar(Timeframe.M1, open_time, open_, high, low, close, volume, Decimal(0), 1, complete=True))
        equity.append(portfolio.equity({key: close}))
        if signal is None or Decimal(repr(signal.target)) == held:
            continue
        target = Decimal(repr(signal.target))
        position = portfolio.positions[key].quantity if key in portfolio.positions else Decimal(0)
        sized = size_order(
            target, capital=equity[-1], price=close, position=position, instrument=instrument, reserve=CONFIG.reserve
        )
        if isinstance(sized, SizedOrder):
            waiting = (target, sized)
        elif sized.reason is NoOrder.AT_TARGET:
            held = target
    return fills, equity


@settings(max_examples=80, deadline=None)
@given(any_run)
def test_the_live_side_would_have_traded_the_same(case: tuple[Any, ...]) -> None:
    bars = walk(case[2], case[1])
    result = run_of(case, bars=bars)
    fills, equity = live_run(case, bars)
    assert [Decimal(repr(float(f["price"]))) for f in result.fills] == [fill.price for fill in fills]
    # float64 tells a hundred-millionth of a coin from the next one, but not always on which side of it a quotient is.
    tolerance = case[3].quantity_step if case[3] is FINE else Decimal(0)
    for ours, exact in zip(result.fills["quantity"], fills, strict=True):
        assert abs(Decimal(repr(float(ours))) - exact.quantity) <= tolerance
    assert [from_ms(int(f["time"])) for f in result.fills] == [fill.event_time for fill in fills]
    np.testing.assert_allclose(result.equity, [float(value) for value in equity], rtol=1e-11)


# ── what does not compile, what is refused, what is reported ────────────────────────────────────────────────────


def stubborn(parameters: Nothing, state: Blank, candle: Candle) -> Decision:
    return Decision(1.0 if Decimal(candle.close) > 20_000 else 0.0, 1)  # numba knows no Decimal


def test_what_numba_cannot_compile_runs_as_it_is() -> None:
    strategy = replace(OBEY, name="stubborn", step=stubborn)
    bars = walk(80, 3)
    result = run_backtest(strategy, Nothing(), bars, BTC, CONFIG)
    assert not result.compiled
    assert result.not_compiled_because
    assert result.result_hash == run_backtest(strategy, Nothing(), bars, BTC, CONFIG, compiled=False).result_hash
    assert len(result.fills) > 1


def test_a_state_that_has_no_compiled_form_runs_as_it_is() -> None:
    @dataclass
    class Wordy:
        word: str = "text"

    strategy = replace(OBEY, initial_state=lambda _: Wordy())
    result = run_backtest(strategy, Nothing(), walk(20, 3), BTC, CONFIG)
    assert result.not_compiled_because is not None
    assert "word" in result.not_compiled_because


def test_the_manifest_names_everything_and_only_what_matters() -> None:
    case = ("sma_cross", 1, 120, BTC, ChargedIn.RECEIVED, Decimal(0))
    one, same, other = run_of(case), run_of(case), run_of((*case[:1], 2, *case[2:]))
    assert one.manifest == same.manifest
    assert one.result_hash == same.result_hash
    assert one.manifest["data"]["hash"] != other.manifest["data"]["hash"]
    assert one.manifest["code"] == other.manifest["code"]
    assert one.manifest["code"] != run_of(("momentum", *case[1:])).manifest["code"]
    assert one.manifest["parameters"] == {"fast": 3, "slow": 8, "exposure": 0.8}
    assert one.manifest["config"]["seed"] == 0


def test_progress_is_told_and_can_end_a_run() -> None:
    seen: list[tuple[int, int]] = []
    case = ("momentum", 1, 50, BTC, ChargedIn.RECEIVED, Decimal(0))
    run_of(case, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(50, 50)]

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_of(case, progress=stop)


GOOD = Candle(60_000, 10.0, 12.0, 9.0, 11.0, 1.0)


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (lambda: GOOD._replace(time=120_000, close=math.nan), "not a positive number"),
        (lambda: GOOD._replace(time=120_000, low=0.0), "not a positive number"),
        (lambda: GOOD._replace(time=120_000, high=10.5), "do not contain"),
        (lambda: GOOD._replace(time=120_000, volume=-1.0), "volume"),
        (lambda: GOOD, "not later"),
        (lambda: GOOD._replace(time=120_001), "not the start"),
    ],
)
def test_an_impossible_bar_is_refused_with_its_place(wrong: Callable[[], Candle], fault: str) -> None:
    with pytest.raises(Refused, match=fault) as refused:
        series_of(Timeframe.M1, [GOOD, wrong()])
    assert refused.value.context["bar"] == 1


def test_nothing_to_run_on_is_refused() -> None:
    case = ("momentum", 1, 50, BTC, ChargedIn.RECEIVED, Decimal(0))
    with pytest.raises(Refused, match="no bars"):
        run_of(case, bars=series_of_bars(Timeframe.M1, []))
    strategy = strategy_named("momentum")
    with pytest.raises(Refused, match="needs cash"):
        run_backtest(strategy, parameters_of(strategy, {}), walk(5, 1), BTC, replace(CONFIG, initial_cash=Decimal(0)))
