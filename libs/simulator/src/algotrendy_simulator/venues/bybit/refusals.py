"""Bybit's error codes and how the exchange's refusals become them.

Source: Bybit v5 documentation, "Error codes". Invariant: every refusal of the exchange has a Bybit code and text. Most
travel with HTTP status 200: the code in the body is the answer, never the status.
"""

from algotrendy_common.errors import Refused
from algotrendy_core.instruments import Rule, Violation

SPOT = "spot"


class BybitError(Exception):
    """An answer ``{"retCode", "retMsg"}`` with its HTTP status."""

    def __init__(self, code: int, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def invalid(what: str) -> BybitError:
    return BybitError(10001, f"Request parameter error: {what}.")


def duplicate_id(category: str) -> BybitError:
    if category == SPOT:
        return BybitError(170141, "Duplicate clientOrderId.")
    return BybitError(110072, "OrderLinkedID is duplicate")


def no_such_order(category: str) -> BybitError:
    if category == SPOT:
        return BybitError(170213, "Order does not exist.")
    return BybitError(110001, "order not exists or too late to cancel")


_SPOT_RULES = {
    Rule.PRICE_POSITIVE: (170132, "Order price too low."),
    Rule.PRICE_STEP: (170134, "Order price has too many decimals."),
    Rule.QUANTITY_STEP: (170137, "Order quantity has too many decimals."),
    Rule.MIN_QUANTITY: (170136, "Order quantity too low."),
    Rule.MAX_QUANTITY: (170135, "Order quantity too large."),
    Rule.MIN_NOTIONAL: (170140, "Order value exceeded lower limit."),
}
_LINEAR_RULES = {
    Rule.PRICE_POSITIVE: (110003, "Order price exceeds the allowable range."),
    Rule.PRICE_STEP: (10001, "params error: The price is not a multiple of the tick size"),
    Rule.QUANTITY_STEP: (10001, "Qty invalid"),
    Rule.MIN_QUANTITY: (10001, "The number of contracts is under the minimum limit"),
    Rule.MAX_QUANTITY: (10001, "The number of contracts exceeds maximum limit allowed"),
    Rule.MIN_NOTIONAL: (110094, "Order does not meet minimum order value 5USDT"),
}
_SPOT_REFUSALS = {
    "insufficient_balance": (170131, "Balance insufficient."),
    "would_take": (170218, "The LIMIT-MAKER order is rejected due to invalid price."),
    "would_trigger": (170198, "Your trigger price has already been reached."),
    "leverage": (170344, "Symbol is not supported on Margin Trading."),
}
_LINEAR_REFUSALS = {
    "insufficient_balance": (110007, "ab not enough for new order"),
    "would_take": (170218, "The LIMIT-MAKER order is rejected due to invalid price."),
    "would_trigger": (110092, "expect Rising, but trigger_price[X] <= current[X]??LastPrice"),
    "reduce_only": (110017, "current position is zero, cannot fix reduce-only order qty"),
    "leverage": (110013, "cannot set leverage gt maxLeverage by risk limit"),
    "position_open": (110024, "Existing position, cannot switch margin mode"),
}


def from_refusal(refused: Refused, category: str) -> BybitError:
    """Raises KeyError on a refusal this venue does not know, which is a defect here."""
    spot = category == SPOT
    match refused.code:
        case "unknown_symbol":
            return BybitError(170121, "Invalid symbol.") if spot else invalid("symbol invalid")
        case "duplicate_client_order_id":
            return duplicate_id(category)
        case "unknown_order":
            return no_such_order(category)
        case "filter":
            violations: tuple[Violation, ...] = refused.context["violations"]
            return BybitError(*(_SPOT_RULES if spot else _LINEAR_RULES)[violations[0].rule])
    return BybitError(*(_SPOT_REFUSALS if spot else _LINEAR_REFUSALS)[refused.code])
