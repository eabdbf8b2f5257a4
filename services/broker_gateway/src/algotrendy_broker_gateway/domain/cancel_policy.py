"""Which working orders a halt leaves alone, told from what the venue shows (nothing else may be there to ask), or from
the books in the same way.

Invariant: what guards a position stays. An order that waits for its price and can only reduce is such a guard: one the
venue marks as a reduction, or a sale on spot without margin, where nothing can be sold that is not held.
"""

from algotrendy_common.enums import MarginMode, OrderType, Side
from algotrendy_common.events.order import OrderTerms
from algotrendy_core.instruments import InstrumentKind

from algotrendy_broker_gateway.domain.venue_report import VenueOrder

TRIGGERED = frozenset(kind for kind in OrderType if kind.triggered)


def guards(order: VenueOrder, kind: InstrumentKind) -> bool:
    """True for an exit that waits at the venue; of a pair the stop does, whatever its other leg is."""
    if not order.waiting and order.type is not OrderType.OCO:
        return False
    return _only_reduces(order.reduce_only, order.side, order.margin_mode, kind)


def guards_as_booked(terms: OrderTerms, kind: InstrumentKind) -> bool:
    """The same of an order at the venue that we know from the books alone."""
    waits = terms.type in TRIGGERED or terms.type is OrderType.OCO
    return waits and _only_reduces(terms.reduce_only, terms.side, terms.margin_mode, kind)


def _only_reduces(reduce_only: bool, side: Side, margin_mode: MarginMode, kind: InstrumentKind) -> bool:
    paid_in_full = kind is InstrumentKind.SPOT and margin_mode is MarginMode.NONE
    return reduce_only or (paid_in_full and side is Side.SELL)
