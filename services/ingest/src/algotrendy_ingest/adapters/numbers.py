"""Numbers as venues write them: text, exact.

Invariant: a JSON float is refused, because its digits are no longer the venue's.
"""

from decimal import Decimal, InvalidOperation
from typing import Any

from algotrendy_common.money import ZERO


def signed(text: Any) -> Decimal:
    """Exact, of either sign, as a rate of funding is; raises ValueError on anything else."""
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is not a number as text")
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not a number") from error
    if not value.is_finite():
        raise ValueError(f"{text!r} is not a number")
    return value


def number(text: Any) -> Decimal:
    """Exact and not negative; raises ValueError on anything else."""
    value = signed(text)
    if value < ZERO:
        raise ValueError(f"{text!r} is not an amount")
    return value


def positive(text: Any) -> Decimal:
    value = signed(text)
    if value <= ZERO:
        raise ValueError(f"{text!r} is not positive")
    return value
