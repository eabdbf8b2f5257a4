"""The parameters of a Binance request, read with the errors Binance gives.

Invariant: a value that is returned is of the type it claims; everything else is a BinanceError that names it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from algotrendy_simulator.venues.binance.refusals import BinanceError, malformed, missing

_DECIMALS = 8
_NUMBER = re.compile(r"^\d{1,20}(\.\d{1,20})?$")


@dataclass(frozen=True, slots=True)
class Parameters:
    values: Mapping[str, str]

    def optional(self, name: str) -> str | None:
        return self.values.get(name) or None

    def text(self, name: str) -> str:
        value = self.optional(name)
        if value is None:
            raise missing(name)
        return value

    def integer(self, name: str, least: int = 0) -> int | None:
        value = self.optional(name)
        if value is None:
            return None
        if not re.fullmatch(r"\d{1,18}", value) or int(value) < least:
            raise malformed(name)
        return int(value)

    def limit(self, default: int, most: int) -> int:
        """``limit``, cut to ``most`` as Binance cuts it."""
        return min(self.integer("limit", 1) or default, most)

    def decimal(self, name: str) -> Decimal | None:
        """A number above zero with at most eight decimals."""
        value = self.optional(name)
        if value is None:
            return None
        if not _NUMBER.fullmatch(value):
            raise malformed(name)
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise malformed(name) from None
        if number.normalize().as_tuple().exponent < -_DECIMALS:  # type: ignore[operator]  # finite: the pattern says so
            raise BinanceError(-1111, f"Parameter '{name}' has too much precision.")
        if not number:
            raise BinanceError(-1013, f"Invalid {name}.")
        return number

    def choice[E: StrEnum](self, name: str, choices: type[E], code: int, what: str) -> E:
        value = self.text(name)
        try:
            return choices(value)
        except ValueError:
            raise BinanceError(code, f"Invalid {what}.") from None

    def symbols(self) -> list[str] | None:
        """``symbol`` or the JSON list ``symbols``; None where neither is given."""
        one, many = self.optional("symbol"), self.optional("symbols")
        if one is not None and many is not None:
            raise BinanceError(-1101, "Too many parameters; expected 'symbol' or 'symbols'.")
        if one is not None:
            return [one]
        if many is None:
            return None
        try:
            listed = json.loads(many)
        except ValueError:
            raise malformed("symbols") from None
        if not isinstance(listed, list) or not all(isinstance(symbol, str) for symbol in listed):
            raise malformed("symbols")
        return listed
