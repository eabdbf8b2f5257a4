"""Our terms in Bybit's words: the body of its order call.

Invariant: pure; what Bybit has no word for is refused here, and nothing is left out of a request silently.
"""

from decimal import Decimal
from typing import Any

from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import plain

from algotrendy_broker_gateway.adapters.bybit_messages import LINEAR, SPOT
from algotrendy_broker_gateway.errors import VenueRefused

_TIMES_IN_FORCE = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    TimeInForce.POST_ONLY: "PostOnly",
    # Bybit knows no date: the gateway cancels the order when its time has come.
    TimeInForce.GTD: "GTC",
}
_STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_TAKEN = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT}) | _STOPS
RISING, FALLING = 1, 2


def order_request(client_order_id: str, terms: OrderTerms, category: str, wire_symbol: str) -> dict[str, Any]:
    """The body of ``POST /v5/order/create``."""
    if terms.type not in _TAKEN:
        raise VenueRefused("order_type", f"Bybit holds no {terms.type} order")
    request: dict[str, Any] = {
        "category": category,
        "symbol": wire_symbol,
        "side": terms.side.value.capitalize(),
        "orderType": "Limit" if terms.type.priced else "Market",
        "qty": plain(terms.quantity),
        "orderLinkId": client_order_id,
    }
    if terms.type.priced:
        if terms.limit_price is None:
            raise VenueRefused("limit_price_missing", f"a {terms.type} order needs a limit price")
        request |= {"price": plain(terms.limit_price), "timeInForce": _TIMES_IN_FORCE[terms.time_in_force]}
    elif category == SPOT:
        # Without it a market buy's quantity is an amount of quote.
        request["marketUnit"] = "baseCoin"
    if category == LINEAR:
        # One position a symbol, long or short; 0 says so where an account could keep both.
        request |= {"reduceOnly": terms.reduce_only, "positionIdx": 0}
    return request | _trigger(terms, category)


def _trigger(terms: OrderTerms, category: str) -> dict[str, Any]:
    if not terms.type.triggered:
        return {}
    if terms.trigger_price is None:
        raise VenueRefused("trigger_price_missing", f"a {terms.type} order needs a trigger price")
    trigger = {"triggerPrice": plain(terms.trigger_price)}
    if category == SPOT:
        return trigger | {"orderFilter": "StopOrder"}
    return trigger | {"triggerDirection": RISING if _rising(terms) else FALLING, "triggerBy": "LastPrice"}


def already_there(terms: OrderTerms, last_price: Decimal) -> bool:
    """Whether the price is past the trigger, from the side it was to come from."""
    if terms.trigger_price is None:
        return False
    return last_price >= terms.trigger_price if _rising(terms) else last_price <= terms.trigger_price


def _rising(terms: OrderTerms) -> bool:
    return (terms.side is Side.BUY) is (terms.type in _STOPS)
