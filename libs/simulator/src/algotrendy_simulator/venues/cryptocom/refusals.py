"""Crypto.com's error codes and how the exchange's refusals become them.

Source: Crypto.com Exchange API v1 documentation, "Response and reason codes", whose table gives each code its HTTP
status. Invariant: every refusal of the exchange has a code of that table. Many plain refusals travel with status 500.
"""

from algotrendy_common.errors import Refused
from algotrendy_core.instruments import Rule, Violation


class CryptocomError(Exception):
    """An answer ``{"id", "method", "code", "message"}`` with its HTTP status."""

    def __init__(self, code: int, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


DUPLICATE_ID = (204, "DUPLICATE_CLORDID", 400)
INVALID_INSTRUMENT = (209, "INVALID_INSTRUMENT", 400)
INVALID_ORDER_ID = (212, "INVALID_ORDERID", 500)
INVALID_QUANTITY = (213, "INVALID_ORDERQTY", 400)
INVALID_TYPE = (218, "INVALID_ORDTYPE", 400)
INVALID_SIDE = (220, "INVALID_SIDE", 400)
INVALID_TIME_IN_FORCE = (221, "INVALID_TIF", 400)
INVALID_REFERENCE_PRICE = (229, "INVALID_REF_PRICE", 400)
INVALID_PRICE = (308, "INVALID_PRICE", 400)
NO_ACTIVE_ORDER = (316, "NO_ACTIVE_ORDER", 500)
METHOD_NOT_FOUND = (40002, "METHOD_NOT_FOUND", 400)
INVALID_REQUEST = (40003, "INVALID_REQUEST", 400)
UNAUTHORIZED = (40101, "UNAUTHORIZED", 401)
INVALID_NONCE = (40102, "INVALID_NONCE", 400)
NOT_FOUND = (40401, "NOT_FOUND", 200)
TOO_MANY_REQUESTS = (42901, "TOO_MANY_REQUESTS", 429)


def malformed(name: str) -> CryptocomError:
    return CryptocomError(40004, f"MISSING_OR_INVALID_ARGUMENT: {name}", 400)


_RULES = {
    Rule.PRICE_POSITIVE: INVALID_PRICE,
    Rule.PRICE_STEP: INVALID_PRICE,
    Rule.QUANTITY_STEP: INVALID_QUANTITY,
    Rule.MIN_QUANTITY: (415, "BELOW_MIN_ORDER_SIZE", 500),
    Rule.MAX_QUANTITY: (314, "EXCEEDS_MAX_ORDER_SIZE", 400),
    Rule.MIN_NOTIONAL: (415, "BELOW_MIN_ORDER_SIZE", 500),
}
_REFUSALS = {
    "unknown_symbol": INVALID_INSTRUMENT,
    "duplicate_client_order_id": DUPLICATE_ID,
    "insufficient_balance": (306, "INSUFFICIENT_AVAILABLE_BALANCE", 500),
    "would_take": (43005, "POST_ONLY_REJ", 500),
    "would_trigger": INVALID_REFERENCE_PRICE,
    "unknown_order": NO_ACTIVE_ORDER,
}


def from_refusal(refused: Refused) -> CryptocomError:
    """Raises KeyError on a refusal this venue does not know, which is a defect here."""
    if refused.code == "filter":
        violations: tuple[Violation, ...] = refused.context["violations"]
        return CryptocomError(*_RULES[violations[0].rule])
    return CryptocomError(*_REFUSALS[refused.code])
