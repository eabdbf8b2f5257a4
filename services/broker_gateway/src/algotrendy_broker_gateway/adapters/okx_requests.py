"""Our terms in OKX's words: the bodies of its order calls.

Invariant: pure; what OKX has no word for is refused here, and nothing is left out of a request silently. Numbers leave
as strings, sizes of a swap as contracts.
"""

from decimal import Decimal
from typing import Any

from algotrendy_common.enums import MarginMode, OrderType, TimeInForce
from algotrendy_common.events.order import OrderTerms
from algotrendy_common.money import plain
from algotrendy_core.instruments import Instrument, InstrumentKind

from algotrendy_broker_gateway.errors import VenueRefused

_TYPES = {
    TimeInForce.GTC: "limit",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
    TimeInForce.POST_ONLY: "post_only",
    # OKX knows no date: the gateway cancels the order when its time has come.
    TimeInForce.GTD: "limit",
}
_AT_MARKET = "-1"
_LEAST_CALLBACK, _MOST_CALLBACK = Decimal("0.001"), Decimal(1)


def order_request(client_order_id: str, terms: OrderTerms, market_id: str, instrument: Instrument) -> dict[str, Any]:
    """The body of ``POST /api/v5/trade/order``."""
    request = _common(terms, market_id, instrument) | {"clOrdId": client_order_id}
    if terms.type is OrderType.MARKET:
        return request | {"ordType": "market"} | _in_base(instrument)
    if terms.time_in_force not in _TYPES:
        raise VenueRefused("time_in_force", f"an order cannot be {terms.time_in_force} here")
    return request | {"ordType": _TYPES[terms.time_in_force], "px": _limit_price(terms)}


def algo_request(client_order_id: str, terms: OrderTerms, market_id: str, instrument: Instrument) -> dict[str, Any]:
    """The body of ``POST /api/v5/trade/order-algo``."""
    # The library adds a ``clOrdId`` and a broker's tag of its own where there is none: OKX looks at neither here.
    request = _common(terms, market_id, instrument) | {"algoClOrdId": client_order_id, "clOrdId": client_order_id}
    match terms.type:
        case OrderType.STOP | OrderType.STOP_LIMIT:
            return (
                request | {"ordType": "conditional"} | _exit("sl", _trigger_price(terms), terms) | _in_base(instrument)
            )
        case OrderType.TAKE_PROFIT | OrderType.TAKE_PROFIT_LIMIT:
            return (
                request | {"ordType": "conditional"} | _exit("tp", _trigger_price(terms), terms) | _in_base(instrument)
            )
        case OrderType.OCO:
            price = _limit_price(terms)
            take = {"tpTriggerPx": price, "tpTriggerPxType": "last", "tpOrdPx": price}
            stop = {"slTriggerPx": _trigger_price(terms), "slTriggerPxType": "last", "slOrdPx": _AT_MARKET}
            return request | {"ordType": "oco"} | take | stop
        case OrderType.TRAILING_STOP:
            ratio = terms.trailing_ratio or Decimal(0)
            if not _LEAST_CALLBACK <= ratio <= _MOST_CALLBACK or ratio % Decimal("0.0001"):
                raise VenueRefused("trailing_ratio", "the distance of a trailing stop is 0.1 % to 100 % here")
            begins = {} if terms.trigger_price is None else {"activePx": plain(terms.trigger_price)}
            return request | {"ordType": "move_order_stop", "callbackRatio": plain(ratio)} | begins
    raise VenueRefused("order_type", f"a {terms.type} order is none that waits for a price")


def _common(terms: OrderTerms, market_id: str, instrument: Instrument) -> dict[str, Any]:
    request: dict[str, Any] = {
        "instId": market_id,
        "side": terms.side.value,
        "sz": plain(terms.quantity / instrument.contract_size),
    }
    if instrument.kind is not InstrumentKind.PERPETUAL:
        if terms.margin_mode is not MarginMode.NONE:
            raise VenueRefused("margin_mode", "spot is traded without margin here")
        return request | {"tdMode": "cash"}
    mode = "isolated" if terms.margin_mode is MarginMode.ISOLATED else "cross"
    return request | {"tdMode": mode} | ({"reduceOnly": True} if terms.reduce_only else {})


def _in_base(instrument: Instrument) -> dict[str, Any]:
    """A spot market order's size is an amount to spend unless it says that it is not."""
    return {} if instrument.kind is InstrumentKind.PERPETUAL else {"tgtCcy": "base_ccy"}


def _exit(prefix: str, trigger: str, terms: OrderTerms) -> dict[str, Any]:
    price = _limit_price(terms) if terms.type.priced else _AT_MARKET
    return {f"{prefix}TriggerPx": trigger, f"{prefix}TriggerPxType": "last", f"{prefix}OrdPx": price}


def _trigger_price(terms: OrderTerms) -> str:
    if terms.trigger_price is None:
        raise VenueRefused("trigger_price_missing", f"a {terms.type} order needs a trigger price")
    return plain(terms.trigger_price)


def _limit_price(terms: OrderTerms) -> str:
    if terms.limit_price is None:
        raise VenueRefused("limit_price_missing", f"a {terms.type} order needs a limit price")
    return plain(terms.limit_price)
