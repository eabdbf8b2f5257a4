"""JSON in which a Decimal is a number with all its digits, as Kraken's WebSocket writes money.

Invariant: no number passes a float on its way out.
"""

import json
from decimal import Decimal
from typing import Any


def dumps(value: Any) -> str:
    match value:
        case Decimal():
            return format(value, "f")
        case dict():
            return "{" + ",".join(f"{json.dumps(name)}:{dumps(part)}" for name, part in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(dumps(part) for part in value) + "]"
        case _:
            return json.dumps(value)
