"""Binance's error codes and how the exchange's refusals become them.

Source: Binance spot API documentation, "Error codes" and "Filters".
Invariant: every refusal of the exchange has a Binance code and text; none reaches a client as a server error.
"""

from algotrendy_common.errors import Refused
from algotrendy_core.instruments import Rule, Violation


class BinanceError(Exception):
    """An answer ``{"code", "msg"}`` with its HTTP status."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status

    def body(self) -> dict[str, int | str]:
        return {"code": self.code, "msg": self.message}


def missing(name: str) -> BinanceError:
    return BinanceError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def malformed(name: str) -> BinanceError:
    return BinanceError(-1100, f"Illegal characters found in parameter '{name}'.")


INVALID_SYMBOL = (-1121, "Invalid symbol.")
UNKNOWN_ORDER = (-2011, "Unknown order sent.")
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
    "would_take": (-2010, "Order would immediately match and take."),
    "unknown_order": UNKNOWN_ORDER,
}


def from_refusal(refused: Refused) -> BinanceError:
    """Raises KeyError on a refusal this venue does not know, which is a defect here."""
    if refused.code == "filter":
        violations: tuple[Violation, ...] = refused.context["violations"]
        return BinanceError(-1013, f"Filter failure: {_FILTERS[violations[0].rule]}")
    return BinanceError(*_REFUSALS[refused.code])
