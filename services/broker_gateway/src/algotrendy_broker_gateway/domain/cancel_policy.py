"""Which working orders a halt leaves alone, told from what the venue shows, because nothing else may be there to ask.

Invariant: what guards a position stays. An order that waits for its price and can only reduce is such a guard: one the
venue marks as a reduction, or a sale on spot without margin, where nothing can be sold that is not held.
"""

from algotrendy_common.enums import MarginMode, OrderType, Side
from algotrendy_core.instruments import InstrumentKind

from algotrendy_broker_gateway.domain.venue_report import VenueOrder


def guards(order: VenueOrder, kind: InstrumentKind) -> bool:
    """True for an exit that waits at the venue; of a pair the stop does, whatever its other leg is."""
    if not order.waiting and order.type is not OrderType.OCO:
        return False
    paid_in_full = kind is InstrumentKind.SPOT and order.margin_mode is MarginMode.NONE
    return order.reduce_only or (paid_in_full and order.side is Side.SELL)
