from decimal import Decimal

import pytest
from algotrendy_common.money import Amount, Price, from_float, plain, round_down, round_nearest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

NUMBERS = st.decimals(min_value=-(10**12), max_value=10**12, places=10)
STEPS = st.sampled_from([Decimal("0.00001"), Decimal("0.01"), Decimal("0.5"), Decimal(1), Decimal(10)])


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0", "0"),
        ("-0.00", "0"),
        ("1E+3", "1000"),
        ("0.10", "0.1"),
        ("1E-8", "0.00000001"),
        ("-5.50", "-5.5"),
        ("100", "100"),
    ],
)
def test_one_value_has_one_spelling(number, text):
    assert plain(Decimal(number)) == text


@given(NUMBERS)
def test_plain_text_is_the_same_number(number):
    assert Decimal(plain(number)) == number


@given(NUMBERS, STEPS)
def test_rounding_down_never_grows_and_lands_on_the_step(number, step):
    rounded = round_down(number, step)
    assert abs(rounded) <= abs(number)
    assert abs(number - rounded) < step
    assert rounded % step == 0


@given(NUMBERS, STEPS)
def test_rounding_to_nearest_is_within_half_a_step(number, step):
    assert abs(round_nearest(number, step) - number) * 2 <= step


def test_floats_are_refused_as_money():
    with pytest.raises(ValidationError, match="a float is not money"):
        TypeAdapter(Amount).validate_json("1.5")
    assert TypeAdapter(Amount).validate_json('"1.5"') == Decimal("1.5")


@pytest.mark.parametrize("text", ['"0"', '"-1"', '"NaN"', '"Infinity"', '"abc"', "null"])
def test_prices_are_positive_numbers(text):
    with pytest.raises(ValidationError):
        TypeAdapter(Price).validate_json(text)


def test_the_border_from_kernels_rounds_and_refuses_what_is_no_number():
    assert from_float(0.1 + 0.2, Decimal("0.01")) == Decimal("0.30")
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not an amount"):
            from_float(value, Decimal("0.01"))
