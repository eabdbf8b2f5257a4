"""An order as Bybit's clients ask for it, turned into the exchange's own words.

Source: Bybit v5 documentation, "Place order". Invariant: pure; what Bybit would not understand is refused here, what
its rules forbid by the exchange.
"""

import re

from algotrendy_common.enums import OrderType, Side, TimeInForce

from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import OrderRequest
from algotrendy_simulator.venues.bybit.parameters import Parameters
from algotrendy_simulator.venues.bybit.products import LINEAR, category_of
from algotrendy_simulator.venues.bybit.refusals import BybitError, invalid

_CLIENT_ID = re.compile(r"^[a-zA-Z0-9-_]{1,36}$")
_SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}
_TIMES_IN_FORCE = {
    "GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK, "PostOnly": TimeInForce.POST_ONLY,
}  # fmt: skip
_TRIGGERED = {
    ("Market", True): OrderType.STOP,
    ("Limit", True): OrderType.STOP_LIMIT,
    ("Market", False): OrderType.TAKE_PROFIT,
    ("Limit", False): OrderType.TAKE_PROFIT_LIMIT,
}


def client_id(parameters: Parameters) -> str | None:
    value = parameters.optional("orderLinkId")
    if value is not None and not _CLIENT_ID.fullmatch(value):
        raise invalid("OrderLinkId")
    return value


def order_request(parameters: Parameters, market: Market, own_id: str) -> OrderRequest:
    """``own_id`` is what an order without an ``orderLinkId`` is kept under."""
    linear = category_of(market) == LINEAR
    side = _SIDES.get(parameters.text("side"))
    kind = parameters.text("orderType")
    if side is None or kind not in ("Market", "Limit"):
        raise invalid("Side or orderType invalid")
    quantity = parameters.decimal("qty")
    price = parameters.decimal("price") if kind == "Limit" else None
    if quantity is None:
        raise BybitError(10001, "Qty invalid") if linear else BybitError(170130, "Data sent for parameter 'qty'")
    if kind == "Limit" and price is None:
        raise invalid("Price invalid")
    in_force = _TIMES_IN_FORCE.get(parameters.optional("timeInForce") or "GTC")
    if in_force is None:
        raise invalid("TimeInForce")
    trigger = parameters.decimal("triggerPrice")
    # Spot market buys are worth an amount of quote unless they say otherwise: the unit is never guessed right by luck.
    unit = parameters.optional("marketUnit") or ("quoteCoin" if side is Side.BUY else "baseCoin")
    by_value = not linear and kind == "Market" and unit == "quoteCoin"
    type_ = OrderType.MARKET if kind == "Market" else OrderType.LIMIT
    if trigger is not None:
        if by_value:
            raise invalid("a conditional market order needs marketUnit baseCoin here")
        type_ = _TRIGGERED[kind, _is_stop(parameters, market, side)]
    elif parameters.optional("orderFilter") in ("StopOrder", "tpslOrder"):
        raise invalid("triggerPrice is required")
    return OrderRequest(
        own_id,
        market.wire_symbol,
        side,
        type_,
        TimeInForce.IOC if kind == "Market" else in_force,
        quantity=None if by_value else quantity,
        limit_price=price,
        quote_quantity=quantity if by_value else None,
        trigger_price=trigger,
        reduce_only=linear and parameters.flag("reduceOnly"),
    )


def _is_stop(parameters: Parameters, market: Market, side: Side) -> bool:
    """A contract's order says whether the price must rise (1) or fall (2); spot looks where the price stands."""
    trigger = parameters.decimal("triggerPrice")
    assert trigger is not None
    if category_of(market) == LINEAR:
        direction = parameters.integer("triggerDirection")
        if direction not in (1, 2):
            raise invalid("TriggerDirection invalid")
        rising = direction == 1
    else:
        if parameters.optional("orderFilter") not in ("StopOrder", "tpslOrder"):
            raise invalid("orderFilter: a spot order with a trigger price is a StopOrder")
        rising = trigger > market.last_price
    return rising is (side is Side.BUY)
