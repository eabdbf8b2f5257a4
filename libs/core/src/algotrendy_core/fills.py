"""A fill: one trade of ours, as the venue reported it.

Invariant: within a venue and symbol the trade id is the fill's identity; two fills with the same key are one fill.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Self

from algotrendy_common.enums import Liquidity, Side
from algotrendy_common.events.order import OrderFilled


@dataclass(frozen=True, slots=True)
class Fill:
    """``price`` in quote per base; ``quantity`` in base, positive; ``fee`` in its own currency, a rebate negative."""

    trade_id: str
    venue_order_id: str
    venue: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_currency: str
    liquidity: Liquidity
    event_time: datetime

    @classmethod
    def of_event(cls, event: OrderFilled) -> Self:
        """The fill that an event tells of. Events do not carry the venue's order id: ours stands in for it."""
        return cls(
            trade_id=event.trade_id,
            venue_order_id=event.client_order_id,
            venue=event.venue,
            symbol=event.symbol,
            side=event.side,
            price=event.price,
            quantity=event.quantity,
            fee=event.fee,
            fee_currency=event.fee_currency,
            liquidity=event.liquidity,
            event_time=event.event_time,
        )

    @property
    def key(self) -> tuple[str, str, str]:
        """Venues number trades per symbol, so the id alone is not an identity."""
        return (self.venue, self.symbol, self.trade_id)

    @property
    def notional(self) -> Decimal:
        """In the quote currency."""
        return self.price * self.quantity
