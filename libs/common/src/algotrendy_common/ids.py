"""Identifiers as types that are checked wherever they enter, and the only place that makes random ones.

Invariant: an id that may reach a venue is 32 lower-case hex characters, the one form every venue accepts.
"""

import hashlib
import uuid
from typing import Annotated

from pydantic import StringConstraints

_HEX32 = StringConstraints(pattern=r"^[0-9a-f]{32}$")
_TOKEN = StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")

EventId = Annotated[str, _HEX32]
OrderId = Annotated[str, _HEX32]
ClientOrderId = Annotated[str, _HEX32]
ApprovalId = Annotated[str, _HEX32]
RunId = Annotated[str, _HEX32]

# Each of these is one token of a NATS subject, so it can hold neither a dot nor a blank.
Venue = Annotated[str, _TOKEN]
Symbol = Annotated[str, _TOKEN]
"""An instrument as the platform writes it: ``BTC-USDT`` (spot), ``BTC-USDT-PERP`` (perpetual)."""
AccountId = Annotated[str, _TOKEN]
StrategyId = Annotated[str, _TOKEN]
ServiceName = Annotated[str, _TOKEN]


def new_id() -> str:
    """A random id of 32 hex characters."""
    return uuid.uuid4().hex


def derived_id(*parts: str | int) -> str:
    """An id of 32 hex characters that is the same for the same parts, on any machine and after any restart."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def client_order_id(order_id: str, leg: int = 0, epoch: int = 0) -> str:
    """The id a venue sees for one leg of an order; a retry of the same leg carries the same id."""
    return derived_id("client-order", order_id, leg, epoch)
