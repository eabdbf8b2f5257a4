from decimal import Decimal

import pytest
from algotrendy_common.enums import Liquidity, Side
from algotrendy_core.fees import FEE_STEP, ChargedIn, Fee, fee_rate, fill_fee
from algotrendy_core.instruments import Instrument
from hypothesis import given
from hypothesis import strategies as st

LTC = Instrument(
    venue="binance",
    symbol="LTC-USDT",
    base="LTC",
    quote="USDT",
    price_step=Decimal("0.01"),
    quantity_step=Decimal("0.001"),
    min_quantity=Decimal("0.001"),
    max_quantity=Decimal(9000),
    min_notional=Decimal(5),
    maker_fee=Decimal("0.0008"),
    taker_fee=Decimal("0.001"),
)


@pytest.mark.parametrize(
    ("side", "liquidity", "charged_in", "fee"),
    [
        (Side.BUY, Liquidity.TAKER, ChargedIn.RECEIVED, Fee("LTC", Decimal("0.0015"))),
        (Side.BUY, Liquidity.MAKER, ChargedIn.RECEIVED, Fee("LTC", Decimal("0.0012"))),
        (Side.SELL, Liquidity.TAKER, ChargedIn.RECEIVED, Fee("USDT", Decimal("0.15"))),
        (Side.BUY, Liquidity.TAKER, ChargedIn.QUOTE, Fee("USDT", Decimal("0.15"))),
        (Side.SELL, Liquidity.MAKER, ChargedIn.QUOTE, Fee("USDT", Decimal("0.12"))),
    ],
)
def test_who_pays_what_in_which_asset(side: Side, liquidity: Liquidity, charged_in: ChargedIn, fee: Fee) -> None:
    assert fill_fee(LTC, side, Decimal(100), Decimal("1.5"), liquidity, charged_in) == fee


@given(
    st.lists(st.decimals(min_value=Decimal("0.001"), max_value=100, places=3), min_size=1, max_size=20),
    st.decimals(min_value=1, max_value=500, places=2),
    st.sampled_from(Side),
    st.sampled_from(Liquidity),
)
def test_the_fees_of_the_fills_add_to_the_fee_of_the_order(
    quantities: list[Decimal], price: Decimal, side: Side, liquidity: Liquidity
) -> None:
    fees = [fill_fee(LTC, side, price, quantity, liquidity).amount for quantity in quantities]
    value = sum(quantities) * (price if side is Side.SELL else 1)
    exact = value * fee_rate(LTC, liquidity)
    assert all(fee >= 0 for fee in fees)
    assert abs(sum(fees) - exact) <= len(fees) * FEE_STEP / 2
