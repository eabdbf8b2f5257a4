"""The parameters of a Kraken request, out of a query, a form or a JSON body.

Invariant: a value that is returned is of the type it claims; everything else is a KrakenError that names it. A name
that Kraken does not know is ignored, as Kraken ignores it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from algotrendy_simulator.venues.kraken.refusals import invalid

_NUMBER = re.compile(r"^\d{1,20}(\.\d{1,20})?$")


@dataclass(frozen=True, slots=True)
class Parameters:
    values: Mapping[str, Any]

    @classmethod
    def of_text(cls, text: str, content_type: str = "") -> "Parameters":
        if content_type != "application/json":
            return cls(dict(parse_qsl(text, keep_blank_values=True)))
        try:
            found = json.loads(text)
        except ValueError:
            raise invalid("body") from None
        if not isinstance(found, dict):
            raise invalid("body")
        return cls(found)

    def optional(self, name: str) -> str | None:
        found = self.values.get(name)
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
            raise invalid(name)
        return found

    def names(self, name: str) -> list[str]:
        """A list between commas."""
        return [part for part in (self.optional(name) or "").split(",") if part]

    def flag(self, name: str) -> bool:
        return self.optional(name) in ("true", "True", "1")

    def integer(self, name: str, default: int = 0) -> int:
        found = self.optional(name)
        if found is None:
            return default
        if not re.fullmatch(r"\d{1,12}", found):
            raise invalid(name)
        return int(found)

    def seconds_ms(self, name: str) -> int | None:
        """A time in seconds, with decimals or without, as milliseconds."""
        found = self.optional(name)
        if found is None:
            return None
        if not _NUMBER.fullmatch(found):
            raise invalid(name)
        return int(Decimal(found) * 1000)

    def decimal(self, name: str) -> Decimal | None:
        """A number above zero."""
        found = self.optional(name)
        if found is None:
            return None
        if not _NUMBER.fullmatch(found) or not Decimal(found):
            raise invalid(name)
        return Decimal(found)
