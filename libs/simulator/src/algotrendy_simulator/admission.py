"""What an order asks for in figures, before it is let in: its quantity, the rules it must keep, what it reserves.

Invariant: pure; what is reserved covers whatever the order can come to cost.
"""

from decimal import Decimal

from algotrendy_common.enums import Side
from algotrendy_common.errors import Refused
from algotrendy_common.money import ZERO

from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import OrderRequest


def quantity_of(market: Market, request: OrderRequest) -> Decimal:
    """The quantity asked for, or what the amount to spend buys in the book as it stands."""
    if request.quantity is not None:
        return request.quantity
    assert request.quote_quantity is not None
    left, quantity = request.quote_quantity, ZERO
    for price, available in market.engine.walk(request.side):
        taken = min(available, market.instrument.round_quantity(left / price))
        quantity += taken
        left -= taken * price
        if taken < available:
            break
    return quantity


def check_rules(market: Market, request: OrderRequest, quantity: Decimal) -> None:
    """Raises Refused ``filter`` with the ``violations`` of the instrument's rules."""
    is_limit = request.limit_price is not None
    price = request.limit_price if request.limit_price is not None else market.last_price
    violations = market.instrument.check(quantity, price, price_is_limit=is_limit)
    if violations:
        raise Refused("filter", "the order breaks the instrument's rules", violations=violations)


def reservation(market: Market, request: OrderRequest, quantity: Decimal) -> tuple[str, Decimal]:
    """Asset and amount that the order holds: the base it sells, or the quote it can spend at most."""
    if request.side is Side.SELL:
        return market.instrument.base, quantity
    if request.limit_price is not None:
        return market.instrument.quote, request.limit_price * quantity
    cost, left = ZERO, quantity
    for price, available in market.engine.walk(request.side):
        taken = min(available, left)
        cost += taken * price
        left -= taken
        if not left:
            break
    return market.instrument.quote, cost
