"""Our terms in Binance's words: the bodies of its order calls.

Invariant: pure; what Binance has no word for is refused here, and nothing is left out of a request silently.
"""

from decimal import Decimal

from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import plain

from algotrendy_broker_gateway.errors import VenueRefused

_TIMES_IN_FORCE = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
    # Binance spot knows no date: the gateway cancels the order when its time has come.
    TimeInForce.GTD: "GTC",
}
_TRIGGERED = {
    OrderType.STOP: "STOP_LOSS",
    OrderType.STOP_LIMIT: "STOP_LOSS_LIMIT",
    OrderType.TAKE_PROFIT: "TAKE_PROFIT",
    OrderType.TAKE_PROFIT_LIMIT: "TAKE_PROFIT_LIMIT",
}
_BASIS_POINTS = Decimal(10_000)
STOP_LEG = "s"
"""What the stop leg's client id has after the order's: the legs are orders of their own there."""


def order_request(client_order_id: str, terms: OrderTerms, market_id: str) -> dict[str, str]:
    """The body of ``POST /api/v3/order``."""
    request = {
        "symbol": market_id,
        "side": terms.side.value.upper(),
        "quantity": plain(terms.quantity),
        "newClientOrderId": client_order_id,
        "newOrderRespType": "FULL",
    }
    if terms.type is OrderType.MARKET:
        return request | {"type": "MARKET"}
    if terms.type is OrderType.TRAILING_STOP:
        return request | _trailing(terms)
    if terms.type in _TRIGGERED:
        trigger = {"type": _TRIGGERED[terms.type], "stopPrice": _trigger_price(terms)}
        return request | trigger | _limit(terms)
    if terms.time_in_force is TimeInForce.POST_ONLY:
        return request | {"type": "LIMIT_MAKER", "price": _limit_price(terms)}
    return request | {"type": "LIMIT"} | _limit(terms)


def pair_request(client_order_id: str, terms: OrderTerms, market_id: str) -> dict[str, str]:
    """The body of ``POST /api/v3/orderList/oco``: the take-profit rests as a maker, the stop waits beyond the price."""
    limit = {"Type": "LIMIT_MAKER", "Price": _limit_price(terms), "ClientOrderId": client_order_id}
    stop = {
        "Type": "STOP_LOSS",
        "StopPrice": _trigger_price(terms),
        "ClientOrderId": f"{client_order_id}{STOP_LEG}",
    }
    above, below = (limit, stop) if terms.side is Side.SELL else (stop, limit)
    return {
        "symbol": market_id,
        "side": terms.side.value.upper(),
        "quantity": plain(terms.quantity),
        "listClientOrderId": client_order_id,
        "newOrderRespType": "FULL",
        **{f"above{name}": value for name, value in above.items()},
        **{f"below{name}": value for name, value in below.items()},
    }


def _trailing(terms: OrderTerms) -> dict[str, str]:
    distance = (terms.trailing_ratio or Decimal(0)) * _BASIS_POINTS
    if distance <= 0 or distance != distance.to_integral_value():
        raise VenueRefused("trailing_ratio", "the distance of a trailing stop is in whole basis points here")
    delta = {"trailingDelta": str(int(distance))}
    if terms.trigger_price is None:
        return {"type": "STOP_LOSS"} | delta
    # A stop with a price of its own would begin to trail once the price is worse; a take-profit, once it is better.
    return {"type": "TAKE_PROFIT", "stopPrice": plain(terms.trigger_price)} | delta


def _trigger_price(terms: OrderTerms) -> str:
    if terms.trigger_price is None:
        raise VenueRefused("trigger_price_missing", f"a {terms.type} order needs a trigger price")
    return plain(terms.trigger_price)


def _limit(terms: OrderTerms) -> dict[str, str]:
    if not terms.type.priced:
        return {}
    if terms.time_in_force not in _TIMES_IN_FORCE:
        raise VenueRefused("time_in_force", f"a {terms.type} order cannot be {terms.time_in_force} here")
    return {"price": _limit_price(terms), "timeInForce": _TIMES_IN_FORCE[terms.time_in_force]}


def _limit_price(terms: OrderTerms) -> str:
    if terms.limit_price is None:
        raise VenueRefused("limit_price_missing", f"a {terms.type} order needs a limit price")
    return plain(terms.limit_price)
