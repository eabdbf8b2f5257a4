"""No entry may leave a position that the venue would take no order for."""

from decimal import Decimal

import pytest
from algotrendy_common.enums import Side
from algotrendy_core.exit_feasibility import exit_violations, received, sellable
from algotrendy_core.fees import ChargedIn
from algotrendy_core.instruments import Instrument, Rule
from hypothesis import given
from hypothesis import strategies as st

BTC = Instrument(
    venue="binance",
    symbol="BTC-USDT",
    base="BTC",
    quote="USDT",
    price_step=Decimal("0.01"),
    quantity_step=Decimal("0.001"),
    min_quantity=Decimal("0.001"),
    max_quantity=Decimal(100),
    min_notional=Decimal(10),
    maker_fee=Decimal("0.001"),
    taker_fee=Decimal("0.001"),
)


@pytest.mark.parametrize(
    ("quantity", "price", "held", "rules"),
    [
        ("1", "100", "0", []),
        ("0.001", "100000", "0", [Rule.MIN_QUANTITY, Rule.MIN_NOTIONAL]),  # the fee leaves less than one step
        ("0.1", "100", "0", [Rule.MIN_NOTIONAL]),
        ("0.1", "100", "5", []),  # with what is held it can be sold
        ("0.001", "100000", "-5", []),  # it only takes from a short position
    ],
)
def test_an_entry_whose_exit_is_impossible_is_found(quantity: str, price: str, held: str, rules: list[Rule]) -> None:
    found = exit_violations(BTC, Side.BUY, Decimal(quantity), Decimal(price), Decimal(held))
    assert [one.rule for one in found] == rules


def test_a_fee_in_quote_takes_nothing_from_what_was_bought() -> None:
    assert received(BTC, Side.BUY, Decimal(1), ChargedIn.QUOTE) == 1
    assert received(BTC, Side.BUY, Decimal(1), ChargedIn.RECEIVED) == Decimal("0.999")
    assert received(BTC, Side.SELL, Decimal(1), ChargedIn.RECEIVED) == 1


@given(
    st.sampled_from(Side),
    st.decimals("0.001", "2", places=3),
    st.decimals("1", "100000", places=2),
    st.decimals("-2", "2", places=5),
)
def test_what_passes_can_be_closed_in_one_order_at_that_price(
    side: Side, quantity: Decimal, price: Decimal, held: Decimal
) -> None:
    if exit_violations(BTC, side, quantity, price, held):
        return
    after = held + side.sign * received(BTC, side, quantity, ChargedIn.RECEIVED)
    if after * side.sign > 0 and abs(after) >= abs(held):
        closing = sellable(BTC, abs(after), price)
        assert not BTC.check(closing, price)
        assert abs(after) - closing < BTC.quantity_step
