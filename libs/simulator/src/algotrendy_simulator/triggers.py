"""When an order that waits outside the book is set off, and where a trailing one stands.

Invariant: pure; the last trade's price decides, as on the real venues' default, and a trailing trigger only ever moves
in the direction that protects more.
"""

from decimal import Decimal

from algotrendy_common.enums import OrderType, Side

from algotrendy_simulator.orders import Order

_STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})


def crossed(type_: OrderType, side: Side, trigger_price: Decimal, price: Decimal) -> bool:
    """Whether a trade at ``price`` sets the order off: it went against a stop, or in a take-profit's favour."""
    falling = (side is Side.SELL) == (type_ in _STOPS)
    return price <= trigger_price if falling else price >= trigger_price


def trailing_trigger(side: Side, ratio: Decimal, price: Decimal) -> Decimal:
    """The trigger ``ratio`` away from ``price``, not yet on the grid."""
    return price * (1 - ratio) if side is Side.SELL else price * (1 + ratio)


def begins_to_trail(side: Side, activation_price: Decimal | None, price: Decimal) -> bool:
    """Whether a trailing stop follows the price from here on: once the price was good enough."""
    if activation_price is None:
        return True
    return price >= activation_price if side is Side.SELL else price <= activation_price


def due(order: Order, price: Decimal) -> bool:
    """Whether a trade at ``price`` sets the waiting order off."""
    return order.trigger_price is not None and crossed(order.type, order.side, order.trigger_price, price)


def trailed(order: Order, price: Decimal, step: Decimal) -> Decimal | None:
    """A trailing stop's new trigger after a trade at ``price``; None where it stays, or does not trail yet."""
    if order.trailing_ratio is None:
        return None
    moved = trailing_trigger(order.side, order.trailing_ratio, price)
    moved = (moved / step).to_integral_value() * step
    if order.trigger_price is None:
        return moved if begins_to_trail(order.side, order.activation_price, price) else None
    better = moved > order.trigger_price if order.side is Side.SELL else moved < order.trigger_price
    return moved if better else None
