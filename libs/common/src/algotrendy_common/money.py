"""Exact numbers: prices, quantities and amounts are Decimals, on the wire they are JSON strings.

Invariant: no float becomes money without passing ``from_float``, the one named border to numerical code.
"""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

ZERO = Decimal(0)


def _refuse_binary(value: Any) -> Any:
    if isinstance(value, float):
        raise ValueError("a float is not money: write it as a string")
    return value


def plain(value: Decimal) -> str:
    """The number without exponent and without trailing zeros, so that one value has one spelling."""
    if not value:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_WIRE = PlainSerializer(plain, return_type=str, when_used="json")

Amount = Annotated[Decimal, BeforeValidator(_refuse_binary), _WIRE, Field(allow_inf_nan=False)]
"""A signed amount of a currency or of an asset."""
Price = Annotated[Decimal, BeforeValidator(_refuse_binary), _WIRE, Field(gt=0, allow_inf_nan=False)]
"""Units of the quote currency for one unit of the base."""
Quantity = Annotated[Decimal, BeforeValidator(_refuse_binary), _WIRE, Field(gt=0, allow_inf_nan=False)]
"""Units of the base asset, always positive; direction is the side's affair."""
Ratio = Annotated[Decimal, BeforeValidator(_refuse_binary), _WIRE, Field(gt=0, lt=1, allow_inf_nan=False)]
"""A fraction of one, both ends excluded."""
Leverage = Annotated[Decimal, BeforeValidator(_refuse_binary), _WIRE, Field(ge=1, le=125, allow_inf_nan=False)]
"""Position over the money behind it."""
SignedQuantity = Amount
"""Units of the base asset; negative means short."""


def round_down(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of ``step`` that is not further from zero than ``value``."""
    return (value / step).to_integral_value(rounding=ROUND_DOWN) * step


def round_nearest(value: Decimal, step: Decimal) -> Decimal:
    """The multiple of ``step`` nearest to ``value``, ties to even."""
    return (value / step).to_integral_value(rounding=ROUND_HALF_EVEN) * step


def from_float(value: float, step: Decimal) -> Decimal:
    """A number out of a float64 kernel as money, at the instrument's step; raises ValueError on NaN and infinity."""
    number = Decimal(repr(float(value)))
    if not number.is_finite():
        raise ValueError(f"{value!r} is not an amount")
    return round_nearest(number, step)
