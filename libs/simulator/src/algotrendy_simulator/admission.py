"""What an order asks for in figures, before it is let in: its quantity, the rules it must keep, what it reserves.

Invariant: pure; what is reserved covers whatever the order can come to cost.
"""

from decimal import Decimal

from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.errors import Refused
from algotrendy_common.money import ZERO, round_nearest
from algotrendy_core.fees import FEE_STEP, ChargedIn
from algotrendy_core.instruments import InstrumentKind, Rule, Violation

from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import Order, OrderRequest
from algotrendy_simulator.positions import initial_margin
from algotrendy_simulator.triggers import begins_to_trail, crossed, trailing_trigger

_ROUNDING = 100 * FEE_STEP


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


def on_margin(market: Market, leverage: Decimal | None) -> bool:
    """Whether an order moves a position, and not the assets themselves."""
    return market.instrument.kind is InstrumentKind.PERPETUAL or leverage is not None


def check_rules(
    market: Market, quantity: Decimal, limit_price: Decimal | None, trigger_price: Decimal | None = None
) -> None:
    """Raises Refused ``filter`` with the ``violations`` of the instrument's rules."""
    price = limit_price or trigger_price or market.last_price
    violations = market.instrument.check(quantity, price, price_is_limit=limit_price is not None)
    if trigger_price is not None and trigger_price % market.instrument.price_step:
        violations = (*violations, Violation(Rule.PRICE_STEP, market.instrument.price_step, trigger_price))
    if violations:
        raise Refused("filter", "the order breaks the instrument's rules", violations=violations)


def check_leverage(market: Market, leverage: Decimal | None) -> None:
    """Raises Refused ``leverage`` outside what the instrument allows."""
    if leverage is not None and not 1 <= leverage <= market.instrument.max_leverage:
        raise Refused("leverage", "there is no such leverage here", asked=leverage, most=market.instrument.max_leverage)


def first_trigger(market: Market, request: OrderRequest) -> Decimal | None:
    """Where a triggered order waits from the start; None where it does not, or does not trail yet.

    Raises Refused ``would_trigger`` where the price is there.
    """
    if not request.type.triggered:
        return None
    if request.type is OrderType.TRAILING_STOP:
        assert request.trailing_ratio is not None
        if not begins_to_trail(request.side, request.trigger_price, market.last_price):
            return None
        trigger = trailing_trigger(request.side, request.trailing_ratio, market.last_price)
        return market.instrument.round_price(trigger)
    assert request.trigger_price is not None
    type_ = OrderType.STOP if request.type is OrderType.OCO else request.type
    if crossed(type_, request.side, request.trigger_price, market.last_price):
        raise Refused("would_trigger", "the order would trigger at once", last=market.last_price)
    return request.trigger_price


def check_takes(market: Market, order: Order) -> None:
    """Raises Refused ``would_take`` for a post-only order that would."""
    if order.time_in_force is not TimeInForce.POST_ONLY or order.waiting:
        return
    best = next(market.engine.walk(order.side, order.limit_price), None)
    if best is not None:
        raise Refused("would_take", "the order would take liquidity", best=best[0])


def value_at_most(market: Market, side: Side, quantity: Decimal, price: Decimal | None) -> Decimal:
    """What ``quantity`` can come to in quote: at its price, or through the book as it stands."""
    if price is not None:
        return price * quantity
    cost, left = ZERO, quantity
    for level, available in market.engine.walk(side):
        taken = min(available, left)
        cost += taken * level
        left -= taken
        if not left:
            break
    return cost


def spot_reservation(
    market: Market, order: Order, quantity: Decimal, charged_in: ChargedIn = ChargedIn.RECEIVED
) -> tuple[str, Decimal]:
    """Asset and amount that the order holds: the base it sells, or the quote it can spend at most, fees included."""
    if order.side is Side.SELL:
        return market.instrument.base, quantity
    value = value_at_most(market, order.side, quantity, _price(order))
    return market.instrument.quote, value if charged_in is ChargedIn.RECEIVED else with_fee(market, value)


def with_fee(market: Market, value: Decimal) -> Decimal:
    """A value to be paid and its fee, with room for the rounding of each fill's."""
    return value + round_nearest(value * market.instrument.taker_fee, FEE_STEP) + _ROUNDING if value else ZERO


def margin_reservation(market: Market, order: Order, opening: Decimal, leverage: Decimal) -> tuple[str, Decimal]:
    """The quote that the order's opening part needs as margin, and the fee of that part."""
    value = value_at_most(market, order.side, opening, _price(order))
    fee = round_nearest(value * market.instrument.taker_fee, FEE_STEP)
    return market.instrument.quote, initial_margin(value, leverage) + fee if opening else ZERO


def _price(order: Order) -> Decimal | None:
    """A market order that still waits is reckoned at its trigger, or at where that would begin."""
    if order.limit_price is not None or not order.waiting:
        return order.limit_price
    if order.trigger_price is not None:
        return order.trigger_price
    assert order.trailing_ratio is not None
    assert order.activation_price is not None
    return trailing_trigger(order.side, order.trailing_ratio, order.activation_price)
