"""Whether an order ticket can be sent on: what the instrument itself forbids, said field by field.

Risk decides about limits and halts; this only keeps a slip of the pen from going on a journey.
"""

from decimal import Decimal

from algotrendy_common.enums import OrderType, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import plain

from algotrendy_gateway.domain.market import Instrument


def faults(terms: OrderTerms, instrument: Instrument, reference: Decimal | None) -> dict[str, str]:
    """Field → what is wrong with it; empty where nothing is."""
    found: dict[str, str] = {}
    if terms.quantity % instrument.quantity_step:
        found["quantity"] = f"Must be a multiple of {plain(instrument.quantity_step)}."
    elif terms.quantity < instrument.min_quantity:
        found["quantity"] = f"Must be at least {plain(instrument.min_quantity)}."
    if terms.type is OrderType.LIMIT:
        if terms.limit_price is None:
            found["limit_price"] = "A limit order needs a price."
        elif terms.limit_price % instrument.price_step:
            found["limit_price"] = f"Must be a multiple of {plain(instrument.price_step)}."
    else:
        if terms.limit_price is not None:
            found["limit_price"] = "A market order has no price."
        if terms.time_in_force is TimeInForce.POST_ONLY:
            found["time_in_force"] = "A market order cannot be post-only."
    price = terms.limit_price or reference
    if "quantity" not in found and price is not None and terms.quantity * price < instrument.min_notional:
        found["quantity"] = f"Worth less than the venue's minimum of {plain(instrument.min_notional)}."
    return found
