"""What happens on the simulated venue, told to whoever serves it on a wire.

Invariant: an event is told after the change it speaks of is in the journal, and in the order of the changes.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from algotrendy_common.enums import Side

from algotrendy_simulator.candles import TapeCandle
from algotrendy_simulator.orders import Fill, Order
from algotrendy_simulator.positions import Position


class Execution(StrEnum):
    NEW = "NEW"
    TRADE = "TRADE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    TRIGGERED = "TRIGGERED"
    """Its price came: it leaves its waiting place for the book, or trades at once in changes that follow."""
    AMENDED = "AMENDED"
    """Its quantity or prices were changed, by its owner or, reduce-only, with the position it reduces."""


@dataclass(frozen=True, slots=True)
class TapeTrade:
    """A trade as everybody sees it; ``time_ms`` is the venue's recorded time."""

    symbol: str
    trade_id: int
    time_ms: int
    price: Decimal
    quantity: Decimal
    taker_side: Side
    taker_order_id: str
    maker_order_id: str


@dataclass(frozen=True, slots=True)
class BookChanged:
    symbol: str


@dataclass(frozen=True, slots=True)
class MinuteClosed:
    symbol: str
    candle: TapeCandle


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """A copy of the order as the change left it, so that later changes do not reach back."""

    order: Order
    execution: Execution
    fill: Fill | None
    cancel_client_order_id: str | None = None


@dataclass(frozen=True, slots=True)
class BalancesChanged:
    account: str
    balances: tuple[tuple[str, Decimal, Decimal], ...]
    """Asset, free, locked."""
    time_ms: int


@dataclass(frozen=True, slots=True)
class PositionChanged:
    position: Position
    time_ms: int


type VenueEvent = TapeTrade | BookChanged | MinuteClosed | OrderChanged | BalancesChanged | PositionChanged
