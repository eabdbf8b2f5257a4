"""The parameters of an OKX request, out of a query or a JSON body, read with the errors OKX gives.

Invariant: a value that is returned is of the type it claims; everything else is an OkxError that names it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from algotrendy_simulator.venues.okx.refusals import OkxError, parameter

_NUMBER = re.compile(r"^-?\d{1,20}(\.\d{1,20})?$")
MARKET_PRICE = Decimal(-1)
"""What OKX has where a triggered order is to trade at the market."""


@dataclass(frozen=True, slots=True)
class Parameters:
    values: Mapping[str, Any]

    def optional(self, name: str) -> str | None:
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool):
            return str(value).lower()
        if not isinstance(value, str | int | float):
            raise parameter(name)
        return str(value)

    def text(self, name: str) -> str:
        value = self.optional(name)
        if value is None:
            raise OkxError(50014, f"Parameter {name} can not be empty.", 400)
        return value

    def flag(self, name: str) -> bool:
        return self.optional(name) == "true"

    def integer(self, name: str) -> int | None:
        value = self.optional(name)
        if value is None:
            return None
        if not re.fullmatch(r"\d{1,19}", value):
            raise parameter(name)
        return int(value)

    def limit(self, default: int = 100, most: int = 100) -> int:
        return min(self.integer("limit") or default, most)

    def decimal(self, name: str) -> Decimal | None:
        """A number, which OKX takes as a string and as a JSON number."""
        value = self.optional(name)
        if value is None:
            return None
        if not _NUMBER.fullmatch(value):
            raise parameter(name)
        return Decimal(value)


def of_query(query: str) -> Parameters:
    return Parameters(dict(parse_qsl(query, keep_blank_values=True)))


def of_body(body: str) -> list[Parameters]:
    """One for each element of an array, or the one of an object."""
    try:
        values = json.loads(body or "{}")
    except ValueError:
        raise OkxError(50002, "JSON syntax error", 400) from None
    if isinstance(values, dict):
        return [Parameters(values)]
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise OkxError(50002, "JSON syntax error", 400)
    return [Parameters(value) for value in values]
