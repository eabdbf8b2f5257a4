"""The parameters of a Bybit request, out of a query or a JSON body, read with the errors Bybit gives.

Invariant: a value that is returned is of the type it claims; everything else is a BybitError that names it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from algotrendy_simulator.venues.bybit.products import CATEGORIES
from algotrendy_simulator.venues.bybit.refusals import invalid

_NUMBER = re.compile(r"^\d{1,20}(\.\d{1,20})?$")


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
            raise invalid(name)
        return str(value)

    def text(self, name: str) -> str:
        value = self.optional(name)
        if value is None:
            raise invalid(f"{name} is required")
        return value

    def flag(self, name: str) -> bool:
        return self.optional(name) in ("true", "1")

    def integer(self, name: str) -> int | None:
        value = self.optional(name)
        if value is None:
            return None
        if not re.fullmatch(r"\d{1,18}", value):
            raise invalid(name)
        return int(value)

    def limit(self, default: int, most: int) -> int:
        return min(self.integer("limit") or default, most)

    def decimal(self, name: str) -> Decimal | None:
        """A number above zero, which Bybit takes as a string only: a JSON number would have passed a float."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str) or not _NUMBER.fullmatch(value):
            raise invalid(f"{name} invalid")
        return Decimal(value) or None

    def category(self) -> str:
        value = self.text("category")
        if value not in CATEGORIES:
            raise invalid("Illegal category")
        return value


def of_query(query: str) -> Parameters:
    return Parameters(dict(parse_qsl(query, keep_blank_values=True)))


def of_body(body: str) -> Parameters:
    try:
        values = json.loads(body or "{}")
    except ValueError:
        raise invalid("the body is not JSON") from None
    if not isinstance(values, dict):
        raise invalid("the body is not an object")
    return Parameters(values)
