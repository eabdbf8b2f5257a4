"""Our terms in Kraken's words: the parameters of ``AddOrder``.

``price`` is the limit of a limit order and the trigger of a triggered one, whose limit is ``price2``. Invariant: pure;
what Kraken has no word for is refused here, and nothing is left out of a request silently.
"""

from decimal import ROUND_CEILING, Decimal

from algotrendy_common.enums import MarginMode, OrderType, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import plain

from algotrendy_broker_gateway.errors import VenueRefused

TYPES = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP: "stop-loss",
    OrderType.STOP_LIMIT: "stop-loss-limit",
    OrderType.TAKE_PROFIT: "take-profit",
    OrderType.TAKE_PROFIT_LIMIT: "take-profit-limit",
    OrderType.TRAILING_STOP: "trailing-stop",
}
_LEAST_LEVERAGE = Decimal(2)


def order_request(client_order_id: str, terms: OrderTerms, pair: str, leverage: Decimal | None) -> dict[str, str]:
    """``leverage`` is what was set for the symbol, for terms on margin that name none."""
    kind = TYPES.get(terms.type)
    if kind is None:
        raise VenueRefused("order_type", f"Kraken holds no {terms.type} orders")
    request = {
        "pair": pair,
        "type": terms.side.value,
        "ordertype": kind,
        "volume": plain(terms.quantity),
        "cl_ord_id": client_order_id,
    }
    return request | _prices(terms) | _life(terms) | _margin(terms, leverage)


def _prices(terms: OrderTerms) -> dict[str, str]:
    if terms.type is OrderType.MARKET:
        return {}
    if terms.type is OrderType.LIMIT:
        return {"price": _limit(terms)}
    if terms.type is OrderType.TRAILING_STOP:
        if terms.trailing_ratio is None or terms.trigger_price is not None:
            raise VenueRefused("trailing_ratio", "a trailing stop begins at once here, at a distance in percent")
        return {"price": f"+{plain(terms.trailing_ratio * 100)}%", "trigger": "last"}
    if terms.trigger_price is None:
        raise VenueRefused("trigger_price_missing", f"a {terms.type} order needs a trigger price")
    trigger = {"price": plain(terms.trigger_price)}
    return trigger | {"price2": _limit(terms)} if terms.type.priced else trigger


def _limit(terms: OrderTerms) -> str:
    if terms.limit_price is None:
        raise VenueRefused("limit_price_missing", f"a {terms.type} order needs a limit price")
    return plain(terms.limit_price)


def _life(terms: OrderTerms) -> dict[str, str]:
    # The fee in the quote currency on both sides, whatever the account prefers: then every fill says what it cost.
    flags = ["fciq"]
    life: dict[str, str] = {}
    match terms.time_in_force:
        case TimeInForce.GTD:
            if terms.good_until is None:
                raise VenueRefused("good_until_missing", "a dated order needs a date")
            ends_s = Decimal(str(terms.good_until.timestamp())).to_integral_value(rounding=ROUND_CEILING)
            life = {"timeinforce": "GTD", "expiretm": str(ends_s)}
        case TimeInForce.POST_ONLY if terms.type is OrderType.LIMIT:
            flags.append("post")
        case TimeInForce.IOC | TimeInForce.FOK if terms.type is OrderType.LIMIT:
            life = {"timeinforce": terms.time_in_force.value.upper()}
        case TimeInForce.GTC:
            pass
        case in_force if terms.type is not OrderType.MARKET:
            raise VenueRefused("time_in_force", f"a {terms.type} order cannot be {in_force} here")
    return life | {"oflags": ",".join(flags)}


def _margin(terms: OrderTerms, leverage: Decimal | None) -> dict[str, str]:
    if terms.margin_mode is MarginMode.NONE and terms.leverage is None:
        # Without margin there is no position to turn: a sale is of what is there, and the venue sees to that.
        return {}
    if terms.margin_mode is MarginMode.ISOLATED:
        raise VenueRefused("margin_mode", "the account's margin is shared: isolated is not offered")
    asked = terms.leverage or leverage or (_LEAST_LEVERAGE if terms.reduce_only else None)
    if asked is None:
        raise VenueRefused("leverage", "an order on margin needs a leverage here")
    if asked < _LEAST_LEVERAGE or asked != asked.to_integral_value():
        raise VenueRefused("leverage", f"leverage is a whole number from {_LEAST_LEVERAGE} on here", asked=asked)
    return {"leverage": plain(asked)} | ({"reduce_only": "true"} if terms.reduce_only else {})
