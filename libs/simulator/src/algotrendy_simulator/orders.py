"""A user's orders and fills on the simulated venue.

Invariant: ``filled`` and ``quote_filled`` are the sums over the order's fills; ``reserved`` is what the order still
holds locked and is zero once the order is closed.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from algotrendy_common.enums import Liquidity, OrderType, Side, TimeInForce
from algotrendy_common.money import ZERO


class VenueStatus(StrEnum):
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"

    @property
    def open(self) -> bool:
        return self in (VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED)


@dataclass(slots=True)
class Order:
    order_id: int
    account: str
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    limit_price: Decimal | None
    quote_quantity: Decimal | None
    """What a market order was told to spend, where it was not told a quantity."""
    reserved: Decimal
    created_ms: int
    updated_ms: int
    filled: Decimal = ZERO
    quote_filled: Decimal = ZERO
    status: VenueStatus = VenueStatus.NEW
    trigger_price: Decimal | None = None
    """None of a trailing stop that has not begun to trail."""
    trailing_ratio: Decimal | None = None
    good_until_ms: int | None = None
    reduce_only: bool = False
    waiting: bool = False
    """Of a triggered order: its price has not come yet, and it is not in the book."""
    sibling: int | None = None
    """The other leg of an OCO pair."""
    leverage: Decimal | None = None
    liquidation: bool = False
    """Made by the venue to close a position that its margin no longer covers."""
    activation_price: Decimal | None = None
    """Of a trailing stop: from where on it trails."""
    list_client_order_id: str | None = None
    """Of a pair: its own id, where the venue has one."""

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled


@dataclass(frozen=True, slots=True)
class Fill:
    trade_id: int
    symbol: str
    order_id: int
    account: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    liquidity: Liquidity
    time_ms: int


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What an account asks for; ``quantity`` or, for a market order only, ``quote_quantity`` is given."""

    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    quote_quantity: Decimal | None = None
    trigger_price: Decimal | None = None
    """For the triggered types; for ``OCO`` the stop's, whose limit price, if any, is ``stop_limit_price``; for a
    trailing stop the price from which it trails, None for at once."""
    stop_limit_price: Decimal | None = None
    trailing_ratio: Decimal | None = None
    good_until_ms: int | None = None
    reduce_only: bool = False
    leverage: Decimal | None = None
    """For margin and perpetuals; None is what was set for the symbol."""
    stop_client_order_id: str | None = None
    """Of ``OCO``'s stop leg; None appends an ``s`` to ``client_order_id``."""
    list_client_order_id: str | None = None
