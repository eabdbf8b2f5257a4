"""Where an order can go: an account at its venue, with what sizing needs to know of it.

Invariant: of all places one takes new exposure, the route; the others are there to be left.
"""

from dataclasses import dataclass
from decimal import Decimal

from algotrendy_common.money import round_down
from algotrendy_core.instruments import Instrument
from algotrendy_core.sizing import SizedOrder


@dataclass(frozen=True, slots=True)
class Place:
    account: str
    venue: str


@dataclass(frozen=True, slots=True)
class Exit:
    """A place where a strategy holds something, and the most that an order there may reduce it by."""

    place: Place
    quantity: Decimal
    price: Decimal
    instrument: Instrument

    def reduced_by(self, sized: SizedOrder) -> Decimal | None:
        """How much of a reduction can be done here, in base; None where the venue would not take so little."""
        quantity = round_down(min(sized.quantity, abs(self.quantity)), self.instrument.quantity_step)
        quantity = min(quantity, round_down(self.instrument.max_quantity, self.instrument.quantity_step))
        if self.quantity * sized.side.sign >= 0 or quantity < self.instrument.min_quantity:
            return None
        return quantity if quantity * self.price >= self.instrument.min_notional else None
