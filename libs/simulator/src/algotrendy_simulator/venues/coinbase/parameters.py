"""The parameters of a Coinbase request, out of a query (lists by repeating a name) or a JSON body.

Invariant: a value that is returned is of the type it claims; everything else is a CoinbaseError that names it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

from algotrendy_simulator.venues.coinbase.refusals import invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"^\d{1,20}(\.\d{1,20})?$")


@dataclass(frozen=True, slots=True)
class Parameters:
    values: Mapping[str, Any]

    @classmethod
    def of_query(cls, query: str, path: Mapping[str, str]) -> "Parameters":
        return cls({**parse_qs(query, keep_blank_values=True), **path})

    @classmethod
    def of_body(cls, body: str, path: Mapping[str, str]) -> "Parameters":
        try:
            found = json.loads(body or "{}")
        except ValueError:
            raise invalid("the body is no JSON") from None
        if not isinstance(found, dict):
            raise invalid("the body is no object")
        return cls({**found, **path})

    def many(self, name: str) -> list[str]:
        """All values; ccxt writes some lists under a name without the ``s``."""
        found = self.values.get(name, [])
        found = found if isinstance(found, list) else [found]
        if not all(isinstance(value, str) for value in found):
            raise invalid(name)
        return [value for value in found if value]

    def optional(self, name: str) -> str | None:
        found = self.values.get(name)
        if isinstance(found, list):
            found = found[0] if found else None
        if found is None or found == "":
            return None
        if isinstance(found, bool):
            return str(found).lower()
        if not isinstance(found, str | int | float):
            raise invalid(name)
        return str(found)

    def text(self, name: str) -> str:
        found = self.optional(name)
        if found is None:
            raise invalid(f"{name} is required")
        return found

    def flag(self, name: str) -> bool:
        return self.optional(name) in ("true", "True")

    def limit(self, default: int, most: int) -> int:
        found = self.optional("limit")
        if found is None:
            return default
        if not re.fullmatch(r"\d{1,9}", found):
            raise invalid("limit")
        return min(int(found) or default, most)

    def decimal(self, name: str) -> Decimal:
        """A number above zero, written as text as Coinbase demands it."""
        found = self.optional(name)
        if found is None or not isinstance(self.values[name], str) or not _NUMBER.fullmatch(found):
            raise invalid(name)
        number = Decimal(found)
        if not number:
            raise invalid(name)
        return number

    def part(self, name: str) -> "Parameters":
        found = self.values.get(name)
        if not isinstance(found, dict):
            raise invalid(f"{name} is required")
        return Parameters(found)

    def instant_us(self, name: str) -> int | None:
        """RFC 3339 as microseconds since the epoch."""
        found = self.optional(name)
        if found is None:
            return None
        try:
            return (datetime.fromisoformat(found) - _EPOCH) // timedelta(microseconds=1)
        except (ValueError, TypeError):
            raise invalid(name) from None
