"""Binance's order parameters as requests to the exchange, with the refusals Binance gives.

Source: Binance spot API documentation, "Trading endpoints", and its pages on trailing stops.
Invariant: a parameter that its order type does not take is refused, never ignored.
"""

import re
from decimal import Decimal
from enum import StrEnum

from algotrendy_common.enums import OrderType, Side, TimeInForce
from algotrendy_common.ids import new_id

from algotrendy_simulator.orders import OrderRequest
from algotrendy_simulator.venues.binance.parameters import Parameters
from algotrendy_simulator.venues.binance.refusals import BinanceError, malformed, missing

_CLIENT_ID = re.compile(r"^[a-zA-Z0-9-_]{1,36}$")
BASIS_POINTS = Decimal(10_000)
TRAILING_DELTAS = (10, 2_000)
"""Least and greatest distance of a trailing stop, in basis points."""


class WireType(StrEnum):
    LIMIT = "LIMIT"
    LIMIT_MAKER = "LIMIT_MAKER"
    MARKET = "MARKET"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"


class WireSide(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class WireTimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


_TRIGGERED = {
    WireType.STOP_LOSS: OrderType.STOP,
    WireType.STOP_LOSS_LIMIT: OrderType.STOP_LIMIT,
    WireType.TAKE_PROFIT: OrderType.TAKE_PROFIT,
    WireType.TAKE_PROFIT_LIMIT: OrderType.TAKE_PROFIT_LIMIT,
}


def client_id(parameters: Parameters, name: str) -> str:
    """The id that was sent, or one of ours."""
    found = parameters.optional(name) or new_id()
    if not _CLIENT_ID.match(found):
        raise malformed(name)
    return found


def order_request(parameters: Parameters, symbol: str) -> OrderRequest:
    """The parameters of ``POST /api/v3/order``."""
    side = Side(parameters.choice("side", WireSide, -1117, "side").lower())
    wire_type = parameters.choice("type", WireType, -1116, "orderType")
    name = client_id(parameters, "newClientOrderId")
    quantity, spend = parameters.decimal("quantity"), parameters.decimal("quoteOrderQty")
    if wire_type in _TRIGGERED:
        return _triggered(parameters, symbol, side, wire_type, name)
    _refuse_sent(parameters, "stopPrice", "trailingDelta")
    if wire_type is WireType.MARKET:
        _refuse_sent(parameters, "price", "timeInForce")
        if (quantity is None) == (spend is None):
            raise missing("quantity")
        return OrderRequest(name, symbol, side, OrderType.MARKET, TimeInForce.GTC, quantity, quote_quantity=spend)
    _refuse_sent(parameters, "quoteOrderQty")
    in_force = TimeInForce.POST_ONLY
    if wire_type is WireType.LIMIT_MAKER:
        _refuse_sent(parameters, "timeInForce")
    else:
        in_force = _time_in_force(parameters, "timeInForce")
    price = _needed(parameters, "price")
    return OrderRequest(name, symbol, side, OrderType.LIMIT, in_force, _needed(parameters, "quantity"), price)


def pair_request(parameters: Parameters, symbol: str) -> OrderRequest:
    """The parameters of ``POST /api/v3/orderList/oco``: a maker's limit on one side, a stop on the other."""
    side = Side(parameters.choice("side", WireSide, -1117, "side").lower())
    above = parameters.choice("aboveType", WireType, -1116, "orderType")
    below = parameters.choice("belowType", WireType, -1116, "orderType")
    limit, stop = ("above", "below") if side is Side.SELL else ("below", "above")
    types = {"above": above, "below": below}
    if types[limit] is not WireType.LIMIT_MAKER or types[stop] not in (WireType.STOP_LOSS, WireType.STOP_LOSS_LIMIT):
        raise BinanceError(-1116, "Invalid orderType.")
    _refuse_sent(parameters, f"{limit}StopPrice", f"{limit}TrailingDelta", f"{limit}TimeInForce")
    _refuse_sent(parameters, f"{stop}TrailingDelta")
    stop_limit = None
    if types[stop] is WireType.STOP_LOSS_LIMIT:
        stop_limit = _needed(parameters, f"{stop}Price")
        _time_in_force(parameters, f"{stop}TimeInForce")
    else:
        _refuse_sent(parameters, f"{stop}Price", f"{stop}TimeInForce")
    return OrderRequest(
        client_id(parameters, f"{limit}ClientOrderId"),
        symbol,
        side,
        OrderType.OCO,
        TimeInForce.POST_ONLY,
        _needed(parameters, "quantity"),
        _needed(parameters, f"{limit}Price"),
        trigger_price=_needed(parameters, f"{stop}StopPrice"),
        stop_limit_price=stop_limit,
        stop_client_order_id=client_id(parameters, f"{stop}ClientOrderId"),
        list_client_order_id=client_id(parameters, "listClientOrderId"),
    )


def _triggered(parameters: Parameters, symbol: str, side: Side, wire_type: WireType, name: str) -> OrderRequest:
    _refuse_sent(parameters, "quoteOrderQty")
    stop_price, delta = parameters.decimal("stopPrice"), parameters.integer("trailingDelta", 1)
    if stop_price is None and delta is None:
        raise BinanceError(-1102, "Param 'stopPrice' or 'trailingDelta' must be sent, but both were empty/null!")
    type_ = _TRIGGERED[wire_type]
    price, in_force = None, TimeInForce.GTC
    if type_.priced:
        price, in_force = _needed(parameters, "price"), _time_in_force(parameters, "timeInForce")
    else:
        _refuse_sent(parameters, "price", "timeInForce")
    ratio = None
    if delta is not None:
        least, most = TRAILING_DELTAS
        if not least <= delta <= most:
            raise BinanceError(-1013, "Filter failure: TRAILING_DELTA")
        if stop_price is not None and wire_type in (WireType.STOP_LOSS, WireType.STOP_LOSS_LIMIT):
            # Trailing that begins once the price is worse: Binance has it, this simulation does not.
            raise BinanceError(-1106, "Parameter 'stopPrice' sent when not required.")
        type_, ratio = OrderType.TRAILING_STOP, delta / BASIS_POINTS
    return OrderRequest(
        name,
        symbol,
        side,
        type_,
        in_force,
        _needed(parameters, "quantity"),
        price,
        trigger_price=stop_price,
        trailing_ratio=ratio,
    )


def _needed(parameters: Parameters, name: str) -> Decimal:
    value = parameters.decimal(name)
    if value is None:
        raise missing(name)
    return value


def _time_in_force(parameters: Parameters, name: str) -> TimeInForce:
    return TimeInForce(parameters.choice(name, WireTimeInForce, -1115, "timeInForce").lower())


def _refuse_sent(parameters: Parameters, *names: str) -> None:
    for name in names:
        if parameters.optional(name):
            raise BinanceError(-1106, f"Parameter '{name}' sent when not required.")
