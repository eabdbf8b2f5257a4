"""Which working orders a halt leaves alone, told from what the venue shows, because nothing else may be there to ask.

Invariant: what guards a position stays. An order that waits for its price and can only reduce is such a guard: one the
venue marks as a reduction, or a sale on spot, where nothing can be sold that is not held.
"""

from algotrendy_common.enums import OrderType, Side
from algotrendy_core.instruments import InstrumentKind

from algotrendy_broker_gateway.domain.venue_report import VenueOrder


def guards(order: VenueOrder, kind: InstrumentKind) -> bool:
    """True for an exit that waits at the venue; of a pair the stop does, whatever its other leg is."""
    if not order.waiting and order.type is not OrderType.OCO:
        return False
    return order.reduce_only or (kind is InstrumentKind.SPOT and order.side is Side.SELL)
