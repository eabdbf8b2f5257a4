"""Pre-trade checks: each one at its edge, then the order in which they run and what a reduction may do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from algotrendy_common.enums import MarginMode, OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderTerms, Protection
from algotrendy_common.events.risk import TradingState
from algotrendy_common.ids import derived_id
from algotrendy_core.instruments import Instrument, InstrumentKind
from algotrendy_core.limits import (
    PASSED,
    Exposure,
    Limits,
    Market,
    PersonNeeded,
    RecentOrder,
    Verdict,
    Violated,
    reduces,
    valuation_price,
)
from algotrendy_core.pretrade import check_order
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
BTC = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.01"),
    quantity_step=Decimal("0.001"), min_quantity=Decimal("0.001"), max_quantity=Decimal(50),
    min_notional=Decimal(5), maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"),
)  # fmt: skip
LIMITS = Limits(
    instruments=frozenset({("binance", "BTC-USDT"), ("binance", "BTC-USDT-PERP")}),
    max_data_age=timedelta(seconds=5),
    max_order_notional=Decimal(10_000),
    price_collar=Decimal("0.05"),
    trigger_collar=Decimal("0.5"),
    max_drift=Decimal("0.1"),
    duplicate_window=timedelta(seconds=2),
    max_orders=3,
    max_strategy_orders=3,
    max_instrument_orders=3,
    rate_window=timedelta(seconds=10),
    max_open_orders=2,
    max_position_notional=Decimal(20_000),
    max_gross_exposure=Decimal(30_000),
    max_net_exposure=Decimal(30_000),
    max_concentration=Decimal(1),
    max_leverage=Decimal(3),
    market_slippage=Decimal("0.005"),
    exit_room=Decimal("0.1"),
    max_daily_loss=Decimal(1_000),
    max_drawdown=Decimal("0.2"),
    max_repeats=5,
    repeat_window=timedelta(minutes=1),
    approval_notional=None,
    approval_daily_notional=None,
    max_order_quantity=Decimal(80),
)
MARKET = Market(Decimal(100), timedelta(seconds=1))
IDLE = Exposure(
    trading_state=TradingState.ACTIVE, position=Decimal(0), working_buys=Decimal(0), working_sells=Decimal(0),
    open_orders=0, gross=Decimal(0), available_cash=Decimal(100_000), day_pnl=Decimal(0), net=Decimal(0),
    equity=Decimal(100_000), drawdown=Decimal(0),
)  # fmt: skip


def order(quantity: str = "10", side: Side = Side.BUY, price: str | None = None, **more: Any) -> OrderTerms:
    fields: dict[str, Any] = {
        "order_id": derived_id("new"), "account": "paper-1", "venue": "binance", "symbol": "BTC-USDT", "side": side,
        "type": OrderType.MARKET if price is None else OrderType.LIMIT, "quantity": Decimal(quantity),
        "limit_price": None if price is None else Decimal(price),
    }  # fmt: skip
    return OrderTerms(**(fields | more))


PERP = BTC.model_copy(
    update={"symbol": "BTC-USDT-PERP", "kind": InstrumentKind.PERPETUAL, "max_leverage": Decimal(20)}
)  # fmt: skip


def perpetual(quantity: str = "10", side: Side = Side.BUY, **more: Any) -> OrderTerms:
    return order(quantity, side, symbol="BTC-USDT-PERP", **more)


def check(
    terms: OrderTerms,
    exposure: Exposure = IDLE,
    *,
    market: Market = MARKET,
    limits: Limits = LIMITS,
    recent: tuple[RecentOrder, ...] = (),
    instrument: Instrument = BTC,
    strategy: str | None = None,
    person_agreed: bool = False,
) -> Verdict | PersonNeeded:
    return check_order(
        terms, strategy=strategy, instrument=instrument, market=market, exposure=exposure, recent=recent,
        limits=limits, now=NOW, person_agreed=person_agreed,
    )  # fmt: skip


def sent(name: str, seconds_ago: float, **more: Any) -> RecentOrder:
    return RecentOrder(order(order_id=derived_id(name), **more), NOW - timedelta(seconds=seconds_ago))


def test_an_ordinary_order_passes() -> None:
    assert check(order()) == PASSED
    assert check(order(price="100.5")) == PASSED


@pytest.mark.parametrize(
    ("terms", "changes", "expected"),
    [
        (order(), {"trading_state": TradingState.HALTED}, ("account_halted", "active", "halted")),
        (order(), {"trading_state": TradingState.RECONCILING}, ("account_reconciling", "active", "reconciling")),
        (order("0.0015"), {}, ("quantity_step", "0.001", "0.0015")),
        (order("51"), {}, ("max_quantity", "50", "51")),
        (order("0.01"), {}, ("min_notional", "5", "1")),
        (order(price="100.005"), {}, ("price_step", "0.01", "100.005")),
        (order(type=OrderType.LIMIT), {}, ("limit_price_missing", None, None)),
        (order(price="100", type=OrderType.MARKET), {}, ("limit_price_unexpected", None, "100")),
        (order(price="105.01"), {}, ("price_collar", "0.05", "0.0501")),
        (order(price="94.99"), {}, ("price_collar", "0.05", "0.0501")),
        (order(), {"open_orders": 2}, ("max_open_orders", "2", "3")),
        (order(), {"position": Decimal(191)}, ("max_position", "20000", "20100")),
        (order(), {"working_buys": Decimal(191)}, ("max_position", "20000", "20100")),
        (order("11", Side.SELL), {"position": Decimal(10)}, ("short_not_allowed", "10", "11")),
        (order("5", Side.SELL), {"position": 10, "working_sells": Decimal(6)}, ("short_not_allowed", "4", "5")),
        (order(), {"gross": Decimal(29_001)}, ("max_gross_exposure", "30000", "30001")),
        (order(), {"gross": None}, ("exposure_unknown", "30000", None)),
        (order(), {"available_cash": Decimal(1_000)}, ("buying_power", "1000", "1006.005")),
        (order(), {"available_cash": None}, ("balance_unknown", None, None)),
        (order(), {"day_pnl": Decimal(-1_000)}, ("max_daily_loss", "1000", "1000")),
        (order(), {"day_pnl": None}, ("day_pnl_unknown", "1000", None)),
        (order(reduce_only=True), {}, ("not_a_reduction", "0", "10")),
    ],
)  # fmt: skip
def test_violation(terms: OrderTerms, changes: dict[str, Any], expected: tuple[str, str | None, str | None]) -> None:
    verdict = check(terms, replace(IDLE, **changes))
    assert isinstance(verdict, Violated)
    assert (verdict.code, verdict.limit, verdict.observed) == expected


def test_what_is_at_a_limit_passes() -> None:
    assert check(order(price="105"), limits=replace(LIMITS, price_collar=Decimal("0.05"))) == PASSED
    assert check(order(), replace(IDLE, position=Decimal(190), open_orders=1)) == PASSED
    assert check(order(), replace(IDLE, gross=Decimal(29_000), available_cash=Decimal("1006.005"))) == PASSED
    assert check(order(), replace(IDLE, day_pnl=Decimal("-999.99"))) == PASSED


def test_an_unknown_or_old_price_refuses_everything() -> None:
    for terms in (order(), order("5", Side.SELL)):
        held = replace(IDLE, position=Decimal(10))
        for market in (Market(None, timedelta(0)), Market(Decimal(100), None)):
            verdict = check(terms, held, market=market)
            assert isinstance(verdict, Violated)
            assert verdict.code == "reference_price_unknown"
        verdict = check(terms, held, market=Market(Decimal(100), timedelta(seconds=5.5)))
        assert verdict == Violated("market_data_stale", "the newest price is too old", "5", "5.5")


def test_only_listed_instruments() -> None:
    verdict = check(order(), limits=replace(LIMITS, instruments=frozenset()))
    assert isinstance(verdict, Violated)
    assert verdict.code == "instrument_not_allowed"


def test_largest_order() -> None:
    verdict = check(order("11"), limits=replace(LIMITS, max_order_quantity=Decimal(10)))
    assert verdict == Violated("max_order_quantity", "one order may not be so large", "10", "11")
    verdict = check(order("11"), limits=replace(LIMITS, max_order_notional=Decimal(1_000)))
    assert verdict == Violated("max_order_notional", "one order may not be worth so much", "1000", "1100")
    # A cheap sell limit is valued at the market: it would trade there.
    cheap = check(order("11", Side.SELL, price="95"), limits=replace(LIMITS, max_order_notional=Decimal(1_050)))
    assert isinstance(cheap, Violated)
    assert cheap.observed == "1100"


def test_the_same_content_twice_is_a_duplicate_and_the_same_id_is_not() -> None:
    verdict = check(order(), recent=(sent("old", 1.5),))
    assert isinstance(verdict, Violated)
    assert (verdict.code, verdict.limit, verdict.observed) == ("duplicate_order", "2", "1.5")
    assert check(order(), recent=(sent("old", 2),)) == PASSED
    assert check(order(), recent=(sent("new", 1),)) == PASSED
    assert check(order(), recent=(sent("old", 1, quantity="11"),)) == PASSED


def test_order_rate() -> None:
    three = tuple(sent(str(number), number + 3, quantity=str(number + 1)) for number in range(3))
    verdict = check(order(), recent=three)
    assert isinstance(verdict, Violated)
    assert (verdict.code, verdict.limit, verdict.observed) == ("order_rate", "3", "4")
    assert check(order(), recent=three[:2]) == PASSED


def test_a_reduction_passes_where_an_increase_does_not() -> None:
    bad_day = replace(IDLE, position=Decimal(300), gross=None, available_cash=None, day_pnl=Decimal(-50_000))
    assert check(order("20", Side.SELL), bad_day) == PASSED
    assert isinstance(check(order("20", Side.BUY), bad_day), Violated)


def test_a_halted_account_may_be_reduced_only_where_that_is_allowed() -> None:
    halted = replace(IDLE, trading_state=TradingState.HALTED, position=Decimal(20))
    allowing = replace(LIMITS, reductions_while_halted=True)
    sell = order("20", Side.SELL, reduce_only=True)
    assert isinstance(check(sell, halted), Violated)
    assert check(sell, halted, limits=allowing) == PASSED
    assert isinstance(check(order("20", Side.BUY), halted, limits=allowing), Violated)
    assert isinstance(check(sell, replace(halted, trading_state=TradingState.RECONCILING), limits=allowing), Violated)


def test_shorts_are_covered_by_buys() -> None:
    short = replace(IDLE, position=Decimal(-10))
    assert reduces(order("10"), short)
    assert not reduces(order("11"), short)
    assert not reduces(order("10"), replace(short, working_buys=Decimal(1)))
    allowing = replace(LIMITS, allow_short=True)
    sell = check(order("20", Side.SELL), short, limits=allowing)
    assert isinstance(sell, Violated)
    assert sell.code == "short_not_allowed"
    assert check(perpetual("20", Side.SELL), replace(short, margined=True), limits=allowing, instrument=PERP) == PASSED


def test_the_first_violation_in_order_is_named() -> None:
    worst = replace(
        IDLE, open_orders=9, gross=Decimal(10**9), available_cash=Decimal(0), day_pnl=Decimal(-(10**9)),
        net=Decimal(10**9), equity=Decimal(10), drawdown=Decimal("0.5"),
    )  # fmt: skip
    codes = []
    for fix in (
        {},
        {"gross": Decimal(0)},
        {"net": Decimal(0)},
        {"equity": Decimal(10**6)},
        {"open_orders": 0},
        {"available_cash": Decimal(10**6)},
        {"day_pnl": Decimal(0)},
        {"drawdown": Decimal(0)},
    ):
        worst = replace(worst, **fix)
        verdict = check(order(), worst)
        codes.append(verdict.code if isinstance(verdict, Violated) else "passed")
    assert codes == [
        "max_gross_exposure", "max_net_exposure", "max_concentration", "max_open_orders", "buying_power",
        "max_daily_loss", "max_drawdown", "passed",
    ]  # fmt: skip


# ── types of orders ─────────────────────────────────────────────────────────────────────────────────────────────


def waiting(kind: str, side: Side = Side.SELL, *, limit: str | None = None, trigger: str | None = None, **more: Any):
    return order(
        "10", side, type=OrderType(kind), limit_price=None if limit is None else Decimal(limit),
        trigger_price=None if trigger is None else Decimal(trigger), **more,
    )  # fmt: skip


HELD = replace(IDLE, position=Decimal(10))


@pytest.mark.parametrize(
    "terms",
    [
        waiting("stop", trigger="90"),
        waiting("stop_limit", trigger="90", limit="89"),
        waiting("take_profit", trigger="120"),
        waiting("take_profit_limit", trigger="120", limit="119"),
        waiting("trailing_stop", trailing_ratio=Decimal("0.05")),
        waiting("trailing_stop", trailing_ratio=Decimal("0.05"), trigger="110"),
        waiting("oco", trigger="90", limit="120"),
        waiting("stop", Side.BUY, trigger="110"),
        waiting("take_profit", Side.BUY, trigger="90"),
        waiting("oco", Side.BUY, trigger="110", limit="90"),
        order("10", price="100", time_in_force=TimeInForce.GTD, good_until=NOW + timedelta(hours=1)),
        order("10", protection=Protection(stop_price=Decimal(90), take_profit_price=Decimal(120))),
    ],
)
def test_each_type_of_order_passes_as_it_should_be(terms: OrderTerms) -> None:
    assert check(terms, HELD) == PASSED


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        (waiting("stop"), "trigger_price_missing"),
        (waiting("stop", trigger="90", limit="89"), "limit_price_unexpected"),
        (waiting("stop_limit", trigger="90"), "limit_price_missing"),
        (waiting("trailing_stop"), "trailing_ratio_missing"),
        (waiting("oco", limit="120"), "trigger_price_missing"),
        (order("10", trigger_price=Decimal(90)), "trigger_price_unexpected"),
        (order("10", trailing_ratio=Decimal("0.1")), "trailing_ratio_unexpected"),
        (waiting("stop", trigger="90.001"), "price_step"),
        (waiting("stop", trigger="101"), "trigger_wrong_side"),
        (waiting("stop", Side.BUY, trigger="99"), "trigger_wrong_side"),
        (waiting("take_profit", trigger="99"), "trigger_wrong_side"),
        (waiting("take_profit", Side.BUY, trigger="101"), "trigger_wrong_side"),
        (waiting("oco", trigger="90", limit="99"), "limit_wrong_side"),
        (waiting("stop", trigger="49"), "trigger_collar"),
        (waiting("oco", trigger="90", limit="151"), "trigger_collar"),
        (waiting("stop_limit", trigger="90", limit="80"), "price_collar"),
        (order("10", price="100", time_in_force=TimeInForce.GTD), "good_until_missing"),
        (order("10", price="100", good_until=NOW + timedelta(hours=1)), "good_until_unexpected"),
        (order("10", price="100", time_in_force=TimeInForce.GTD, good_until=NOW), "good_until_past"),
        (order("10", time_in_force=TimeInForce.POST_ONLY), "time_in_force_unfit"),
        (waiting("stop", trigger="90", time_in_force=TimeInForce.IOC), "time_in_force_unfit"),
        (order("10", leverage=Decimal(2)), "leverage_unexpected"),
        (order("10", protection=Protection(stop_price=Decimal(110))), "protection_wrong_side"),
        (order("10", protection=Protection(take_profit_price=Decimal(90))), "protection_wrong_side"),
        (order("10", protection=Protection(stop_price=Decimal("90.001"))), "price_step"),
        (order("10", margin_mode=MarginMode.CROSS, leverage=Decimal(2)), "margin_not_offered"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(terms: OrderTerms, code: str) -> None:
    verdict = check(terms, HELD)
    assert isinstance(verdict, Violated), verdict
    assert verdict.code == code


def test_a_waiting_order_is_valued_at_its_worst() -> None:
    hundred = Decimal(100)
    assert valuation_price(waiting("stop", Side.BUY, trigger="110"), hundred) == 110
    assert valuation_price(waiting("take_profit", Side.BUY, trigger="90"), hundred) == 100
    assert valuation_price(waiting("oco", Side.BUY, trigger="110", limit="90"), hundred) == 110
    trailing = waiting("trailing_stop", Side.BUY, trailing_ratio=Decimal("0.1"))
    assert valuation_price(trailing, hundred) == 110
    dear = check(waiting("stop", Side.BUY, trigger="110"), replace(IDLE, available_cash=Decimal(1_100)))
    assert isinstance(dear, Violated)
    assert (dear.code, dear.observed) == ("buying_power", "1106.6055")


# ── what came with the market, the rates and our own orders ─────────────────────────────────────────────────────


def test_a_price_that_ran_away_stops_increases_and_lets_reductions_out() -> None:
    fallen = replace(MARKET, lowest=Decimal(100), highest=Decimal(112))
    verdict = check(order(), market=fallen)
    assert isinstance(verdict, Violated)
    assert verdict.code == "price_drift"
    assert check(order(), market=replace(fallen, highest=Decimal(111))) == PASSED
    assert check(order("10", Side.SELL), HELD, market=fallen) == PASSED


def test_a_strategy_and_an_instrument_have_rates_of_their_own() -> None:
    recent = tuple(RecentOrder(order(str(n + 1), order_id=derived_id(n)), NOW, "a") for n in range(2))
    strict = replace(LIMITS, max_strategy_orders=2)
    verdict = check(order(), recent=recent, limits=strict, strategy="a")
    assert isinstance(verdict, Violated)
    assert verdict.code == "strategy_rate"
    assert check(order(), recent=recent, limits=strict, strategy="b") == PASSED
    verdict = check(order(), recent=recent, limits=replace(LIMITS, max_instrument_orders=2))
    assert isinstance(verdict, Violated)
    assert verdict.code == "instrument_rate"


def test_a_strategy_that_repeats_itself_is_throttled_until_it_turns_round() -> None:
    def fired(number: int, side: Side) -> RecentOrder:
        return RecentOrder(order(str(number + 1), side, order_id=derived_id(number)), NOW - timedelta(seconds=30), "a")

    same = tuple(fired(number, Side.BUY) for number in range(5))
    verdict = check(order(), recent=same, strategy="a")
    assert isinstance(verdict, Violated)
    assert (verdict.code, verdict.limit, verdict.observed) == ("execution_throttle", "5", "6")
    assert check(order(), recent=same, strategy="b") == PASSED
    assert check(order(), recent=(*same[:4], fired(9, Side.SELL), same[4]), strategy="a") == PASSED


@pytest.mark.parametrize(
    ("mine", "resting", "crosses"),
    [
        (order("10", price="101"), order("1", Side.SELL, "101"), True),
        (order("10", price="101"), order("1", Side.SELL, "101.01"), False),
        (order("10"), order("1", Side.SELL, "100.5"), True),
        (order("10"), order("1", Side.SELL, "100.51"), False),
        (order("10", Side.SELL, "99"), order("1", price="99"), True),
        (order("10"), order("1", price="101"), False),
        (order("10"), waiting("oco", trigger="90", limit="100.2"), True),
        (order("10"), waiting("stop", trigger="99"), False),
        (waiting("stop", Side.BUY, trigger="110"), order("1", Side.SELL, "101"), False),
    ],
)
def test_our_own_orders_do_not_meet(mine: OrderTerms, resting: OrderTerms, crosses: bool) -> None:
    verdict = check(mine, replace(HELD, resting=(resting.model_copy(update={"order_id": derived_id("rest")}),)))
    assert (isinstance(verdict, Violated) and verdict.code == "self_trade") is crosses


# ── the account ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changes", "limits", "code"),
    [
        ({"net": Decimal(29_500)}, {}, "max_net_exposure"),
        ({"net": None}, {}, "exposure_unknown"),
        ({"equity": Decimal(900)}, {}, "max_concentration"),
        ({"equity": None}, {}, "equity_unknown"),
        ({"equity": Decimal(0)}, {}, "max_concentration"),
        ({"drawdown": Decimal("0.2")}, {}, "max_drawdown"),
        ({"drawdown": None}, {}, "drawdown_unknown"),
    ],
)
def test_the_account_as_a_whole(changes: dict[str, Any], limits: dict[str, Any], code: str) -> None:
    verdict = check(order(), replace(IDLE, **changes), limits=replace(LIMITS, **limits))
    assert isinstance(verdict, Violated)
    assert verdict.code == code


def test_a_perpetual_takes_margin_and_its_leverage_is_limited() -> None:
    buy = perpetual(leverage=Decimal(2))
    poor = replace(IDLE, available_cash=Decimal("503.505"))
    assert check(buy, poor, instrument=PERP) == check(buy, IDLE, instrument=PERP) == PASSED
    verdict = check(perpetual(), poor, instrument=PERP)
    assert isinstance(verdict, Violated)
    assert verdict.code == "buying_power"
    verdict = check(perpetual(leverage=Decimal(4)), instrument=PERP)
    assert isinstance(verdict, Violated)
    assert verdict.code == "max_leverage"
    verdict = check(buy, replace(IDLE, gross=Decimal(2_500), equity=Decimal(1_100)), instrument=PERP)
    assert isinstance(verdict, Violated)
    assert verdict.code == "max_account_leverage"
    verdict = check(order("10", Side.BUY), replace(IDLE, margined=True))
    assert isinstance(verdict, Violated)
    assert verdict.code == "margin_mixed"


def test_an_entry_whose_exit_would_be_dust_is_refused() -> None:
    tiny = order("0.051")
    verdict = check(tiny)
    assert isinstance(verdict, Violated)
    assert (verdict.code, verdict.limit, verdict.observed) == ("exit_impossible", "5", "4.5")
    assert check(order("0.057")) == PASSED
    assert check(tiny, replace(IDLE, position=Decimal(1))) == PASSED
    stopped = order("0.06", protection=Protection(stop_price=Decimal(60)))
    verdict = check(stopped)
    assert isinstance(verdict, Violated)
    assert verdict.code == "exit_impossible"


def test_a_person_is_asked_above_a_size_and_above_a_day_s_sum_but_never_for_a_reduction() -> None:
    sized = replace(LIMITS, approval_notional=Decimal(999))
    asked = check(order(), limits=sized)
    assert asked == PersonNeeded("approval_notional", "an order of this size needs a person", "999", "1000")
    assert check(order(), limits=sized, person_agreed=True) == PASSED
    assert check(order("10", Side.SELL), HELD, limits=sized) == PASSED
    daily = replace(LIMITS, approval_daily_notional=Decimal(1_500))
    assert check(order(), replace(IDLE, approved_today=Decimal(500)), limits=daily) == PASSED
    asked = check(order(), replace(IDLE, approved_today=Decimal(501)), limits=daily)
    assert isinstance(asked, PersonNeeded)
    assert (asked.code, asked.observed) == ("approval_daily_notional", "1501")


def test_a_reduction_must_be_marked_to_pass_a_kill_switch() -> None:
    allowing = replace(LIMITS, reductions_while_halted=True)
    verdict = check(order("10", Side.SELL), replace(HELD, trading_state=TradingState.HALTED), limits=allowing)
    assert isinstance(verdict, Violated)
    assert verdict.code == "account_halted"


quantities = st.integers(1, 400_000).map(lambda steps: Decimal(steps) / 1000)


@given(st.sampled_from(Side), quantities, st.integers(-300, 300).map(Decimal), quantities, quantities)
def test_what_passes_leaves_the_account_within_its_limits(
    side: Side, quantity: Decimal, position: Decimal, buys: Decimal, sells: Decimal
) -> None:
    exposure = replace(IDLE, position=position, working_buys=buys, working_sells=sells)
    terms = order(str(quantity), side)
    if check(terms, exposure) != PASSED:
        return
    after = position + side.sign * (quantity + (buys if side is Side.BUY else sells))
    assert quantity * 100 <= LIMITS.max_order_notional
    assert abs(after) * 100 <= LIMITS.max_position_notional or abs(after) < abs(position)
    assert after >= 0 or after > position
