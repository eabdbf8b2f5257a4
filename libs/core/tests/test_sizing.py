"""Sizing: hand-computed cases, then what no order may ever be."""

from decimal import Decimal

import pytest
from algotrendy_common.enums import Side
from algotrendy_core.instruments import Instrument
from algotrendy_core.sizing import NoOrder, NothingToSend, SizedOrder, size_order
from hypothesis import given
from hypothesis import strategies as st

BTC = Instrument(
    venue="binance", symbol="BTC-USDT", base="BTC", quote="USDT", price_step=Decimal("0.01"),
    quantity_step=Decimal("0.00001"), min_quantity=Decimal("0.00001"), max_quantity=Decimal(50),
    min_notional=Decimal(5), maker_fee=Decimal("0.001"), taker_fee=Decimal("0.001"),
)  # fmt: skip


def size(target: str, *, capital: str = "10000", price: str = "30000", position: str = "0", **more: object) -> object:
    return size_order(
        Decimal(target), capital=Decimal(capital), price=Decimal(price), position=Decimal(position),
        instrument=BTC, **more,
    )  # type: ignore[arg-type]  # fmt: skip


def test_buys_whole_steps_and_never_more_than_wanted() -> None:
    assert size("1") == SizedOrder(Side.BUY, Decimal("0.33333"), reduce_only=False, clipped=False)
    assert size("1", reserve=Decimal("0.01")) == SizedOrder(Side.BUY, Decimal("0.33000"), False, False)


def test_flat_sells_all_that_is_a_whole_step() -> None:
    assert size("0", position="0.332996667") == SizedOrder(Side.SELL, Decimal("0.33299"), True, False)


def test_going_nearer_to_flat_reduces_and_growing_does_not() -> None:
    assert size("0.5", position="0.3") == SizedOrder(Side.SELL, Decimal("0.13333"), True, False)
    assert size("0.5", position="0.1") == SizedOrder(Side.BUY, Decimal("0.06666"), False, False)


def test_shorts_only_where_allowed() -> None:
    assert size("-1") == NothingToSend(NoOrder.AT_TARGET, BTC.quantity_step, Decimal(0))
    assert size("-1", position="0.1", allow_short=True) == SizedOrder(Side.SELL, Decimal("0.43333"), False, False)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ({"target": "0"}, NoOrder.AT_TARGET),
        ({"target": "0", "position": "0.000009"}, NoOrder.AT_TARGET),
        ({"target": "0", "position": "0.0001"}, NoOrder.BELOW_MINIMUM_NOTIONAL),
        ({"target": "1", "capital": "4.9"}, NoOrder.BELOW_MINIMUM_NOTIONAL),
        ({"target": "1", "capital": "-4"}, NoOrder.AT_TARGET),
    ],
)
def test_says_why_nothing_is_sent(case: dict[str, str], reason: NoOrder) -> None:
    sized = size(**case)
    assert isinstance(sized, NothingToSend)
    assert sized.reason is reason
    assert reason.value.replace("_", " ") in sized.message


def test_below_minimum_quantity() -> None:
    coarse = BTC.model_copy(update={"min_quantity": Decimal("0.01")})
    sized = size_order(Decimal(1), capital=Decimal(100), price=Decimal(30000), position=Decimal(0), instrument=coarse)
    assert sized == NothingToSend(NoOrder.BELOW_MINIMUM_QUANTITY, Decimal("0.01"), Decimal("0.00333"))


def test_a_quantity_over_the_maximum_is_clipped() -> None:
    assert size("1", capital="30000000") == SizedOrder(Side.BUY, Decimal(50), False, clipped=True)


def test_a_price_must_be_positive() -> None:
    with pytest.raises(ValueError, match="not a price"):
        size("1", price="0")


amounts = st.decimals(min_value=0, max_value=10**6, places=6)


@given(st.decimals(min_value=-1, max_value=1, places=4), amounts, st.decimals("0.01", 10**5, places=2), amounts)
def test_an_order_fits_the_venue_and_stays_on_its_side_of_the_target(
    target: Decimal, capital: Decimal, price: Decimal, position: Decimal
) -> None:
    sized = size_order(target, capital=capital, price=price, position=position, instrument=BTC, allow_short=True)
    wanted = target * capital / price
    if isinstance(sized, NothingToSend):
        assert sized.observed < sized.limit
        return
    assert BTC.check(sized.quantity, price, price_is_limit=False) == ()
    after = position + sized.side.sign * sized.quantity
    assert (wanted - after) * sized.side.sign >= 0
    if sized.reduce_only:
        assert abs(after) < abs(position)
        assert after * position >= 0
