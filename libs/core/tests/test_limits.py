"""Pre-trade checks: each one at its edge, then the order in which they run and what a reduction may do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from algotrendy_common.enums import OrderType, Side
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.events.risk import TradingState
from algotrendy_common.ids import derived_id
from algotrendy_core.instruments import Instrument
from algotrendy_core.limits import (
    PASSED,
    Exposure,
    Limits,
    Market,
    RecentOrder,
    Verdict,
    Violated,
    check_order,
    reduces,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
BTC = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.01"),
    quantity_step=Decimal("0.001"), min_quantity=Decimal("0.001"), max_quantity=Decimal(50),
    min_notional=Decimal(5), maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"),
)  # fmt: skip
LIMITS = Limits(
    instruments=frozenset({("binance", "BTC-USDT")}),
    max_data_age=timedelta(seconds=5),
    max_order_notional=Decimal(10_000),
    price_collar=Decimal("0.05"),
    duplicate_window=timedelta(seconds=2),
    max_orders=3,
    rate_window=timedelta(seconds=10),
    max_open_orders=2,
    max_position_notional=Decimal(20_000),
    max_gross_exposure=Decimal(30_000),
    max_daily_loss=Decimal(1_000),
    max_order_quantity=Decimal(80),
)
MARKET = Market(Decimal(100), timedelta(seconds=1))
IDLE = Exposure(
    trading_state=TradingState.ACTIVE, position=Decimal(0), working_buys=Decimal(0), working_sells=Decimal(0),
    open_orders=0, gross=Decimal(0), available_cash=Decimal(100_000), day_pnl=Decimal(0),
)  # fmt: skip


def order(quantity: str = "10", side: Side = Side.BUY, price: str | None = None, **more: Any) -> OrderTerms:
    fields: dict[str, Any] = {
        "order_id": derived_id("new"), "account": "paper-1", "venue": "binance", "symbol": "BTC-USDT", "side": side,
        "type": OrderType.MARKET if price is None else OrderType.LIMIT, "quantity": Decimal(quantity),
        "limit_price": None if price is None else Decimal(price),
    }  # fmt: skip
    return OrderTerms(**(fields | more))


def check(
    terms: OrderTerms,
    exposure: Exposure = IDLE,
    *,
    market: Market = MARKET,
    limits: Limits = LIMITS,
    recent: tuple[RecentOrder, ...] = (),
) -> Verdict:
    return check_order(terms, instrument=BTC, market=market, exposure=exposure, recent=recent, limits=limits, now=NOW)


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
        (order(), {"available_cash": Decimal(1_000)}, ("buying_power", "1000", "1001")),
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
    assert check(order(), replace(IDLE, gross=Decimal(29_000), available_cash=Decimal(1_001))) == PASSED
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
    assert check(order("20", Side.SELL), short, limits=replace(LIMITS, allow_short=True)) == PASSED


def test_the_first_violation_in_order_is_named() -> None:
    worst = replace(IDLE, open_orders=9, gross=Decimal(10**9), available_cash=Decimal(0), day_pnl=Decimal(-(10**9)))
    codes = []
    for fix in (
        {},
        {"open_orders": 0},
        {"gross": Decimal(0)},
        {"available_cash": Decimal(10**6)},
        {"day_pnl": Decimal(0)},
    ):
        worst = replace(worst, **fix)
        verdict = check(order(), worst)
        codes.append(verdict.code if isinstance(verdict, Violated) else "passed")
    assert codes == ["max_open_orders", "max_gross_exposure", "buying_power", "max_daily_loss", "passed"]


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
