"""An ``order_configuration`` as the exchange's own request.

Source: Coinbase Advanced Trade documentation, "Create order". Invariant: a configuration that is not understood whole
is refused; nothing of it is ignored.
"""

from decimal import Decimal
from typing import Any

from algotrendy_common.enums import OrderType, Side, TimeInForce

from algotrendy_simulator.market import Market
from algotrendy_simulator.orders import OrderRequest
from algotrendy_simulator.venues.coinbase.parameters import Parameters
from algotrendy_simulator.venues.coinbase.refusals import OrderFailure, invalid

UP, DOWN = "STOP_DIRECTION_STOP_UP", "STOP_DIRECTION_STOP_DOWN"
_LIMITS = {
    "limit_limit_gtc": TimeInForce.GTC,
    "limit_limit_gtd": TimeInForce.GTD,
    "limit_limit_fok": TimeInForce.FOK,
    "sor_limit_ioc": TimeInForce.IOC,
}
_STOPS = {"stop_limit_stop_limit_gtc": TimeInForce.GTC, "stop_limit_stop_limit_gtd": TimeInForce.GTD}
_FIELDS = {
    "base_size", "quote_size", "limit_price", "post_only", "end_time", "stop_price", "stop_direction",
    "reduce_only", "rfq_disabled", "rfq_enabled",
}  # fmt: skip


def order_request(parameters: Parameters, market: Market) -> OrderRequest:
    """Raises CoinbaseError on what is no order, OrderFailure on one that is not offered."""
    side = _side(parameters.text("side"))
    name, configuration = _configuration(parameters.values.get("order_configuration"))
    client_id = parameters.text("client_order_id")
    if name == "market_market_ioc":
        return _market(client_id, market, side, configuration)
    in_force = _LIMITS.get(name) or _STOPS[name]
    until = configuration.instant_us("end_time")
    if (in_force is TimeInForce.GTD) != (until is not None):
        raise invalid("end_time")
    if configuration.flag("post_only"):
        if name not in ("limit_limit_gtc", "limit_limit_gtd"):
            raise invalid("post_only")
        in_force = TimeInForce.POST_ONLY
    return OrderRequest(
        client_id,
        market.wire_symbol,
        side,
        _stop_type(side, configuration) if name in _STOPS else OrderType.LIMIT,
        in_force,
        configuration.decimal("base_size"),
        configuration.decimal("limit_price"),
        trigger_price=configuration.decimal("stop_price") if name in _STOPS else None,
        good_until_ms=None if until is None else until // 1000,
    )


def _side(text: str) -> Side:
    if text not in ("BUY", "SELL"):
        raise invalid("side")
    return Side(text.lower())


def _configuration(found: Any) -> tuple[str, Parameters]:
    if not isinstance(found, dict) or len(found) != 1:
        raise invalid("order_configuration")
    name, values = next(iter(found.items()))
    if name not in (*_LIMITS, *_STOPS, "market_market_ioc"):
        raise OrderFailure(
            "UNSUPPORTED_ORDER_CONFIGURATION",
            f"{name} is not offered",
            "PREVIEW_UNSUPPORTED_ORDER_CONFIGURATION",
        )
    if not isinstance(values, dict) or values.keys() - _FIELDS:
        raise invalid(f"order_configuration.{name}")
    return name, Parameters(values)


def _market(client_id: str, market: Market, side: Side, configuration: Parameters) -> OrderRequest:
    sizes = [name for name in ("base_size", "quote_size") if configuration.optional(name)]
    if len(sizes) != 1 or (side is Side.SELL and sizes == ["quote_size"]):
        raise invalid("market_market_ioc")
    size = configuration.decimal(sizes[0])
    if sizes == ["base_size"]:
        return OrderRequest(client_id, market.wire_symbol, side, OrderType.MARKET, TimeInForce.GTC, size)
    # What is to be spent is spent with the fee.
    spend = (size / (1 + market.instrument.taker_fee)).quantize(Decimal("0.00000001"))
    return OrderRequest(client_id, market.wire_symbol, side, OrderType.MARKET, TimeInForce.GTC, quote_quantity=spend)


def _stop_type(side: Side, configuration: Parameters) -> OrderType:
    """A stop goes with the market against its side's interest, a take-profit the other way."""
    direction = configuration.text("stop_direction")
    if direction not in (UP, DOWN):
        raise invalid("stop_direction")
    return OrderType.STOP_LIMIT if (direction == UP) == (side is Side.BUY) else OrderType.TAKE_PROFIT_LIMIT
