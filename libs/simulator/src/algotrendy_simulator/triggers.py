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


def trailed(order: Order, price: Decimal, step: Decimal) -> Decimal | None:
    """A trailing stop's new trigger after a trade at ``price``; None where it stays."""
    if order.type is not OrderType.TRAILING_STOP:
        return None
    assert order.trailing_ratio is not None
    assert order.trigger_price is not None
    moved = trailing_trigger(order.side, order.trailing_ratio, price)
    moved = (moved / step).to_integral_value() * step
    better = moved > order.trigger_price if order.side is Side.SELL else moved < order.trigger_price
    return moved if better else None
