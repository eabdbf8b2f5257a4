from decimal import Decimal

import pytest
from algotrendy_common.enums import Side
from algotrendy_core.instruments import Instrument, Rule, Violation
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

BTC = Instrument(
    venue="binance",
    symbol="BTC-USDT",
    base="BTC",
    quote="USDT",
    price_step=Decimal("0.01"),
    quantity_step=Decimal("0.00001"),
    min_quantity=Decimal("0.00001"),
    max_quantity=Decimal(9000),
    min_notional=Decimal(5),
    maker_fee=Decimal("0.001"),
    taker_fee=Decimal("0.001"),
)


def test_an_order_on_the_grid_and_within_limits_passes() -> None:
    assert BTC.check(Decimal("0.01"), Decimal("17208.86")) == ()


@pytest.mark.parametrize(
    ("quantity", "price", "broken"),
    [
        ("0.01", "17208.861", Violation(Rule.PRICE_STEP, Decimal("0.01"), Decimal("17208.861"))),
        ("0.010001", "17208.86", Violation(Rule.QUANTITY_STEP, Decimal("0.00001"), Decimal("0.010001"))),
        ("9001", "17208.86", Violation(Rule.MAX_QUANTITY, Decimal(9000), Decimal(9001))),
        ("0.0002", "17208.86", Violation(Rule.MIN_NOTIONAL, Decimal(5), Decimal("3.441772"))),
    ],
)
def test_a_broken_rule_comes_with_its_limit_and_what_was_observed(quantity: str, price: str, broken: Violation) -> None:
    assert BTC.check(Decimal(quantity), Decimal(price)) == (broken,)


def test_every_broken_rule_is_named() -> None:
    rules = [violation.rule for violation in BTC.check(Decimal("0.000001"), Decimal("-1"))]
    assert rules == [Rule.PRICE_POSITIVE, Rule.QUANTITY_STEP, Rule.MIN_QUANTITY, Rule.MIN_NOTIONAL]


def test_a_market_orders_reference_price_need_not_be_on_the_grid() -> None:
    assert BTC.check(Decimal("0.01"), Decimal("17208.8612345"), price_is_limit=False) == ()


def test_contradictory_limits_and_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError, match="min_quantity is above max_quantity"):
        Instrument(**(BTC.model_dump() | {"min_quantity": Decimal(9001)}))
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Instrument(**(BTC.model_dump() | {"tick": "1"}))


prices = st.decimals(min_value=Decimal("0.01"), max_value=Decimal(10**6), places=6)


@given(prices)
def test_rounding_reaches_the_grid_and_goes_the_right_way(price: Decimal) -> None:
    bid, ask = (BTC.round_price_passively(price, side) for side in (Side.BUY, Side.SELL))
    assert bid <= price <= ask
    assert ask - bid in (0, BTC.price_step)
    assert abs(BTC.round_price(price) - price) <= BTC.price_step / 2
    for rounded in (bid, ask, BTC.round_price(price)):
        assert rounded % BTC.price_step == 0


@given(st.decimals(min_value=0, max_value=9000, places=9))
def test_quantities_round_down(quantity: Decimal) -> None:
    rounded = BTC.round_quantity(quantity)
    assert rounded <= quantity < rounded + BTC.quantity_step
    assert rounded % BTC.quantity_step == 0
