"""Binance's error codes and how the exchange's refusals become them.

Source: Binance spot API documentation, "Error codes" and "Filters".
Invariant: every refusal of the exchange has a Binance code and text; none reaches a client as a server error.
"""

from collections.abc import Callable
from typing import Any

from algotrendy_common.errors import Refused
from algotrendy_core.instruments import Rule, Violation


class BinanceError(Exception):
    """An answer ``{"code", "msg"}`` with its HTTP status."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.data: Any = None
        """What is known of a call that failed in part."""

    def body(self) -> dict[str, Any]:
        return {"code": self.code, "msg": self.message} | ({} if self.data is None else {"data": self.data})


class TooManyRequests(BinanceError):
    """Called too often (429), or on after being told (418)."""

    def __init__(self, code: int, message: str, retry_after_s: int, status: int = 429) -> None:
        super().__init__(code, message, status)
        self.retry_after_s = retry_after_s


def missing(name: str) -> BinanceError:
    return BinanceError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def malformed(name: str) -> BinanceError:
    return BinanceError(-1100, f"Illegal characters found in parameter '{name}'.")


INVALID_SYMBOL = (-1121, "Invalid symbol.")
UNKNOWN_ORDER = (-2011, "Unknown order sent.")
UNKNOWN_LIST = (-2011, "Unknown order list sent.")
NO_SUCH_LIST = (-2013, "Order list does not exist.")
NO_SUCH_ORDER = (-2013, "Order does not exist.")

_FILTERS = {
    Rule.PRICE_POSITIVE: "PRICE_FILTER",
    Rule.PRICE_STEP: "PRICE_FILTER",
    Rule.QUANTITY_STEP: "LOT_SIZE",
    Rule.MIN_QUANTITY: "LOT_SIZE",
    Rule.MAX_QUANTITY: "LOT_SIZE",
    Rule.MIN_NOTIONAL: "NOTIONAL",
}

_REFUSALS = {
    "unknown_symbol": INVALID_SYMBOL,
    "duplicate_client_order_id": (-2010, "Duplicate order sent."),
    "insufficient_balance": (-2010, "Account has insufficient balance for requested action."),
    "would_trigger": (-2010, "Stop price would trigger immediately."),
    "would_take": (-2010, "Order would immediately match and take."),
    "unknown_order": UNKNOWN_ORDER,
}


def from_refusal(refused: Refused) -> BinanceError:
    """Raises KeyError on a refusal this venue does not know, which is a defect here."""
    if refused.code == "filter":
        violations: tuple[Violation, ...] = refused.context["violations"]
        return BinanceError(-1013, f"Filter failure: {_FILTERS[violations[0].rule]}")
    return BinanceError(*_REFUSALS[refused.code])


def or_refused[T](action: Callable[[], T]) -> T:
    """What the exchange does, with its refusals in Binance's words."""
    try:
        return action()
    except Refused as refused:
        raise from_refusal(refused) from refused
