"""What a venue can do for an account, as its adapter declares it.

Invariant: what is not declared is not asked for.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from algotrendy_common.enums import MarginMode, OrderType, TimeInForce


class DuplicateIds(StrEnum):
    """When a venue refuses a client order id that it has seen before."""

    ALWAYS = "always"
    WHILE_OPEN = "while_open"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a venue can do for an account; whatever is not here is refused before anything is sent."""

    resting: frozenset[OrderType]
    """Order types that the venue itself takes; a triggered type that is missing is emulated by the desk.

    Pairs (OCO) on spot are held by Binance and OKX alone. Bybit and Kraken know one exit, attached to an entry;
    Crypto.com's order list takes no pair any more; Coinbase's ``trigger_bracket_gtc`` is one, with a stop that is a
    limit 5 % through, and ccxt cannot send it (docs/adr/0021).
    """
    times_in_force: frozenset[TimeInForce]
    margin_modes: frozenset[MarginMode]
    max_leverage: Decimal
    reduce_only: bool
    """The venue enforces it (derivatives and margin); elsewhere the desk does."""
    dead_man_switch: bool
    cancel_all: bool
    find_by_client_id: bool
    """False: an order is found among the open orders and behind the fills."""
    duplicate_ids: DuplicateIds
    earn: bool = False
