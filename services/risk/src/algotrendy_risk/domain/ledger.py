"""Holdings by two witnesses: what our fills add up to, and what the broker gateway's position events say.

The two travel on different streams and cross on the way. Invariant: a check uses the worse of the two, so that a fill
that only one of them has told of yet can never make room; equity uses the fills alone, because they move cash and
holding at once.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from algotrendy_common.enums import MarginMode
from algotrendy_common.events.account import PositionChanged
from algotrendy_common.events.order import OrderFilled
from algotrendy_common.money import ZERO
from algotrendy_core.fills import Fill
from algotrendy_core.positions import Position, apply_fill


@dataclass(frozen=True, slots=True)
class Observed:
    """The broker gateway's word, newest revision."""

    revision: int
    quantity: Decimal
    average_price: Decimal | None
    realised_pnl: Decimal
    """After fees."""
    fees: Decimal
    leverage: Decimal | None = None
    """None: not on margin, or the venue does not say."""


@dataclass(frozen=True, slots=True)
class Holding:
    derived: Position
    observed: Observed
    margined: bool = False
    """Held on margin, or a perpetual: trading moves the cash by what is realised, not by what is traded."""

    @property
    def flat(self) -> bool:
        return not self.derived.quantity and not self.observed.quantity

    @property
    def upper(self) -> Decimal:
        return max(self.derived.quantity, self.observed.quantity)

    @property
    def lower(self) -> Decimal:
        return min(self.derived.quantity, self.observed.quantity)

    @property
    def agrees(self) -> bool:
        return self.derived.quantity == self.observed.quantity

    def with_fill(self, fill: OrderFilled, on_margin: bool) -> "Holding":
        """``on_margin`` says how the order was to be paid for; it decides where nothing is held yet."""
        margined = (on_margin or _perpetual(fill.symbol)) if self.flat else self.margined
        return replace(self, derived=apply_fill(self.derived, Fill.of_event(fill)), margined=margined)

    def with_position(self, event: PositionChanged) -> "Holding":
        """The same object where the event is not newer than what is known."""
        if event.revision <= self.observed.revision:
            return self
        return replace(
            self,
            observed=Observed(
                event.revision, event.quantity, event.average_price, event.realised_pnl, event.fees, event.leverage
            ),
            margined=self.margined or event.margin_mode is not MarginMode.NONE,
        )

    def anchored(self) -> "Holding":
        """The fills' book taken over from the observed one."""
        seen = self.observed
        derived = replace(
            self.derived,
            quantity=seen.quantity,
            cost=seen.quantity * (seen.average_price or ZERO),
            realised_pnl=seen.realised_pnl + seen.fees,
            fees=seen.fees,
        )
        return replace(self, derived=derived)


def flat(venue: str, symbol: str, quote: str) -> Holding:
    base = symbol.split("-")[0]
    return Holding(Position(venue, symbol, base, quote), Observed(0, ZERO, None, ZERO, ZERO), _perpetual(symbol))


def _perpetual(symbol: str) -> bool:
    return symbol.endswith("-PERP")
