"""What a strategy did live, as it was recorded.

Invariant: nothing here was worked out by a backtest. A bar goes by its opening, in a replay that of the recording; a
fill by when the venue matched it.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from algotrendy_common.enums import Side
from algotrendy_common.events.order import SizedFrom
from algotrendy_common.money import ZERO

from algotrendy_core.bars import Bar
from algotrendy_core.instruments import Instrument
from algotrendy_core.strategies.interface import AnyStrategy, Parameters


@dataclass(frozen=True, slots=True)
class LiveSignal:
    bar_time: datetime
    target: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class LiveFill:
    time: datetime
    price: Decimal
    quantity: Decimal
    """In base, positive."""
    fee_quote: Decimal = ZERO
    fee_base: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class LiveOrder:
    order_id: str
    bar_time: datetime
    side: Side
    quantity: Decimal
    target: Decimal
    outcome: str
    """Its last status, or why it was refused."""
    fills: tuple[LiveFill, ...] = ()
    arrival_price: Decimal | None = None
    """The middle of the last quote before its first fill; None where nothing was filled."""
    sized_from: SizedFrom | None = None
    """None where it was not recorded, or the order went to another account than the strategy's."""

    @property
    def filled(self) -> Decimal:
        return sum((fill.quantity for fill in self.fills), ZERO)


@dataclass(frozen=True, slots=True)
class LiveDay:
    """One strategy on one instrument over the bars that open in [opening, closing]."""

    strategy_id: str
    strategy: AnyStrategy
    parameters: Parameters
    instrument: Instrument
    bars: tuple[Bar, ...]
    """All that its state was made of, oldest first, and what came after ``closing`` (at least one bar, to fill in)."""
    opening: datetime
    closing: datetime
    signals: tuple[LiveSignal, ...]
    """Oldest first; one before ``opening`` says what it wanted when that came."""
    orders: tuple[LiveOrder, ...]
    """Oldest first."""
