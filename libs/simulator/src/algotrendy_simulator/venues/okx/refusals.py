"""OKX's error codes and how the exchange's refusals become them.

Source: OKX API v5 documentation, "Error code". Invariant: every refusal of the exchange has an OKX code and text. What
is wrong with an order travels with HTTP status 200 and code ``1``: the order's own code is inside, in ``sCode``.
"""

from algotrendy_common.errors import Refused
from algotrendy_core.instruments import Rule, Violation


class OkxError(Exception):
    """An answer ``{"code", "msg", "data": []}`` with its HTTP status."""

    def __init__(self, code: int, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.code = str(code)
        self.message = message
        self.status = status


class OrderError(Exception):
    """What is wrong with one order of a call: its ``sCode`` and ``sMsg``."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = str(code)
        self.message = message


def parameter(name: str) -> OkxError:
    return OkxError(51000, f"Parameter {name} error", 400)


def no_such_instrument() -> OkxError:
    return OkxError(51001, "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")


def no_such_order() -> OkxError:
    return OkxError(51603, "Order does not exist")


def not_cancellable() -> OrderError:
    return OrderError(51400, "Order cancellation failed as the order has been filled, canceled or does not exist.")


def no_such_algo() -> OkxError:
    return OkxError(51603, "Order does not exist")


_RULES = {
    Rule.PRICE_POSITIVE: (51000, "Parameter px error"),
    Rule.PRICE_STEP: (51006, "Order price is not within the price limit or off the tick size."),
    Rule.QUANTITY_STEP: (51121, "Order quantity must be a multiple of the lot size."),
    Rule.MIN_QUANTITY: (51020, "Your order should meet or exceed the minimum order amount."),
    Rule.MAX_QUANTITY: (51202, "Market order amount exceeds the maximum amount."),
    Rule.MIN_NOTIONAL: (51020, "Your order should meet or exceed the minimum order amount."),
}
_REFUSALS = {
    "unknown_symbol": (51001, "Instrument ID doesn't exist."),
    "duplicate_client_order_id": (51016, "Client order ID already exists."),
    "insufficient_balance": (51008, "Order failed. Insufficient balance or margin in account."),
    "would_trigger": (51280, "SL trigger price should be on the other side of the last price."),
    "unknown_order": (51400, "Cancellation failed as the order has been filled, canceled or does not exist."),
    "reduce_only": (51169, "You don't have any positions in this contract that can be closed."),
    "leverage": (59102, "Leverage exceeds the maximum limit. Please lower the leverage."),
    "position_open": (59000, "Setting failed. Cancel any open orders, close positions, and stop trading bots first."),
}


def from_refusal(refused: Refused) -> OrderError:
    """Raises KeyError on a refusal this venue does not know, which is a defect here."""
    if refused.code == "filter":
        violations: tuple[Violation, ...] = refused.context["violations"]
        return OrderError(*_RULES[violations[0].rule])
    return OrderError(*_REFUSALS[refused.code])
