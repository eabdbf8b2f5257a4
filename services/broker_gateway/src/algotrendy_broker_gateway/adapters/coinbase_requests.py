"""Our terms in Coinbase's words: the bodies of its order calls.

Invariant: pure; what Coinbase has no word for is refused here, and nothing is left out of a request silently.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import plain

from algotrendy_broker_gateway.errors import VenueRefused

UP, DOWN = "STOP_DIRECTION_STOP_UP", "STOP_DIRECTION_STOP_DOWN"
_STOPS = (OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT)


def order_request(client_order_id: str, terms: OrderTerms, product_id: str) -> dict[str, Any]:
    """The body of ``POST /orders``; under ccxt's name for the client id it would be dropped."""
    return {
        "client_order_id": client_order_id,
        "product_id": product_id,
        "side": terms.side.value.upper(),
        "order_configuration": _configuration(terms),
    }


def stop_direction(type_: OrderType, side: Side) -> str:
    """Where the price must come from; ccxt's default for a plain trigger is a take-profit's."""
    return UP if (type_ is OrderType.STOP_LIMIT) == (side is Side.BUY) else DOWN


def instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _configuration(terms: OrderTerms) -> Mapping[str, Any]:
    size = {"base_size": plain(terms.quantity)}
    if terms.reduce_only or terms.leverage is not None:
        raise VenueRefused("not_offered", "Coinbase spot has neither leverage nor reduce-only orders")
    if terms.type is OrderType.MARKET:
        return {"market_market_ioc": size}
    if terms.limit_price is None:
        raise VenueRefused("limit_price_missing", f"a {terms.type} order needs a limit price")
    size |= {"limit_price": plain(terms.limit_price)}
    if terms.type in _STOPS:
        return _stop(terms, size)
    if terms.type is not OrderType.LIMIT:
        raise VenueRefused("order_type", f"Coinbase holds no {terms.type} orders")
    match terms.time_in_force:
        case TimeInForce.IOC:
            return {"sor_limit_ioc": size}
        case TimeInForce.FOK:
            return {"limit_limit_fok": size}
        case TimeInForce.GTD:
            return {"limit_limit_gtd": size | _end(terms) | {"post_only": False}}
        case in_force:
            return {"limit_limit_gtc": size | {"post_only": in_force is TimeInForce.POST_ONLY}}


def _stop(terms: OrderTerms, size: dict[str, str]) -> Mapping[str, Any]:
    if terms.trigger_price is None:
        raise VenueRefused("trigger_price_missing", f"a {terms.type} order needs a trigger price")
    stop = size | {
        "stop_price": plain(terms.trigger_price),
        "stop_direction": stop_direction(terms.type, terms.side),
    }
    match terms.time_in_force:
        case TimeInForce.GTC:
            return {"stop_limit_stop_limit_gtc": stop}
        case TimeInForce.GTD:
            return {"stop_limit_stop_limit_gtd": stop | _end(terms)}
        case in_force:
            raise VenueRefused("time_in_force", f"a {terms.type} order cannot be {in_force} here")


def _end(terms: OrderTerms) -> dict[str, str]:
    if terms.good_until is None:
        raise VenueRefused("good_until_missing", "a dated order needs a date")
    return {"end_time": instant(terms.good_until)}
