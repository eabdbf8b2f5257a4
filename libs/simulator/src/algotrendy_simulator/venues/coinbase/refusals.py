"""Coinbase's errors, and how the exchange's refusals become them.

Source: Coinbase Advanced Trade documentation, REST API. A call that is wrong is answered with an HTTP error; an order
that is refused with 200, ``success: false`` and an ``error_response``. Invariant: no refusal of the exchange reaches a
client as a server error.
"""

from dataclasses import dataclass
from typing import Any

from aiohttp import web
from algotrendy_common.errors import Refused
from algotrendy_core.instruments import Rule, Violation

from algotrendy_simulator.faults import FaultKind


class CoinbaseError(Exception):
    """An answer ``{"error", "error_details", "message"}`` with its HTTP status."""

    def __init__(self, status: int, error: str, details: str) -> None:
        super().__init__(details)
        self.status = status
        self.error = error
        self.details = details

    def response(self) -> web.Response:
        body = {"error": self.error, "error_details": self.details, "message": self.details}
        return web.json_response(body, status=self.status)


class Unauthorized(CoinbaseError):
    """What is wrong with a token is never said, and not in JSON."""

    def __init__(self) -> None:
        super().__init__(401, "unauthorized", "Unauthorized")

    def response(self) -> web.Response:
        return web.Response(status=401, text="Unauthorized\n", content_type="text/plain")


class TooManyRequests(CoinbaseError):
    def __init__(self, limit: int) -> None:
        super().__init__(429, "rate_limit_exceeded", "Too many requests")
        self.limit = limit

    def response(self) -> web.Response:
        body = {"errors": [{"id": self.error, "message": self.details}]}
        headers = {"X-RateLimit-Limit": str(self.limit), "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}
        return web.json_response(body, status=429, headers=headers)


@dataclass(frozen=True, slots=True)
class OrderFailure(Exception):
    """An order that was not made."""

    error: str
    message: str
    preview: str

    def body(self, configuration: Any) -> dict[str, Any]:
        return {
            "success": False,
            "failure_reason": "UNKNOWN_FAILURE_REASON",
            "order_id": "",
            "error_response": {
                "error": self.error,
                "message": self.message,
                "error_details": "",
                "preview_failure_reason": self.preview,
                "new_order_failure_reason": self.error,
            },
            "order_configuration": configuration,
        }


def invalid(details: str) -> CoinbaseError:
    return CoinbaseError(400, "INVALID_ARGUMENT", details)


def no_product(product: str) -> CoinbaseError:
    return CoinbaseError(404, "NOT_FOUND", f"valid product_id is required: {product}")


NO_ORDER = (404, "unknown", "order with this orderID was not found")

_FILTERS = {
    Rule.PRICE_POSITIVE: ("INVALID_LIMIT_PRICE", "Invalid limit price", "PREVIEW_INVALID_LIMIT_PRICE"),
    Rule.PRICE_STEP: ("INVALID_PRICE_PRECISION", "Too many decimals in order price", "PREVIEW_INVALID_PRICE_PRECISION"),
    Rule.QUANTITY_STEP: ("INVALID_SIZE_PRECISION", "Too many decimals in order amount", "PREVIEW_INVALID_BASE_SIZE"),
    Rule.MIN_QUANTITY: ("INVALID_ORDER_CONFIG", "Order size is too small", "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL"),
    Rule.MAX_QUANTITY: ("INVALID_ORDER_CONFIG", "Order size is too large", "PREVIEW_INVALID_BASE_SIZE_TOO_LARGE"),
    Rule.MIN_NOTIONAL: ("INVALID_ORDER_CONFIG", "Order value is too small", "PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL"),
}
_REFUSALS = {
    "insufficient_balance": (
        "INSUFFICIENT_FUND",
        "Insufficient balance in source account",
        "PREVIEW_INSUFFICIENT_FUND",
    ),
    "would_take": (
        "INVALID_LIMIT_PRICE_POST_ONLY",
        "Invalid limit price for a post-only order",
        "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY",
    ),
    "leverage": ("UNSUPPORTED_ORDER_CONFIGURATION", "Leverage is not offered", "PREVIEW_INVALID_LEVERAGE"),
    "reduce_only": ("INVALID_ORDER_CONFIG", "There is nothing to reduce", "PREVIEW_INVALID_ORDER_CONFIG"),
}
REJECTED = OrderFailure("UNKNOWN_FAILURE_REASON", "The order was not accepted", "UNKNOWN_PREVIEW_FAILURE_REASON")


def from_refusal(refused: Refused, stop_down: bool = False) -> OrderFailure:
    """Raises KeyError on a refusal this venue does not know, which is a defect here."""
    if refused.code == "filter":
        violations: tuple[Violation, ...] = refused.context["violations"]
        return OrderFailure(*_FILTERS[violations[0].rule])
    if refused.code == "would_trigger":
        side = "ABOVE" if stop_down else "BELOW"
        preview = f"PREVIEW_STOP_PRICE_{side}_LAST_TRADE_PRICE"
        return OrderFailure("UNKNOWN_FAILURE_REASON", "", preview)
    return OrderFailure(*_REFUSALS[refused.code])


class Answers:
    """What a fault is answered with."""

    def refusal(self, kind: FaultKind) -> web.Response:
        match kind:
            case FaultKind.THROTTLE:
                return TooManyRequests(30).response()
            case FaultKind.BAN:
                # What stands before the venue shuts an address out in its own words.
                return web.Response(status=429, text="error code: 1015", headers={"Retry-After": "2"})
            case FaultKind.MAINTENANCE:
                return web.Response(status=503, text="<html>Coinbase is under maintenance</html>")
            case FaultKind.REJECT:
                return web.json_response(REJECTED.body({}))
            case FaultKind.CLOCK_SKEW:
                # A token that is not valid yet or no more looks like any other wrong token.
                return Unauthorized().response()
            case _:
                return CoinbaseError(503, "UNAVAILABLE", "upstream connect error").response()
