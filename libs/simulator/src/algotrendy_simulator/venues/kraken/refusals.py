"""Kraken's errors, and how the exchange's refusals become them.

Source: Kraken documentation, "Spot REST error messages". Every answer is HTTP 200 with a list ``error`` of texts, the
first letter and word of which say what kind it is. Invariant: no refusal of the exchange reaches a client as a server
error.
"""

from aiohttp import web
from algotrendy_common.errors import Refused
from algotrendy_core.instruments import Rule, Violation

from algotrendy_simulator.faults import FaultKind


class KrakenError(Exception):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def response(self) -> web.Response:
        return web.json_response({"error": [self.text]})


def invalid(name: str) -> KrakenError:
    return KrakenError(f"EGeneral:Invalid arguments:{name}")


UNKNOWN_ORDER = "EOrder:Unknown order"
UNKNOWN_PAIR = "EQuery:Unknown asset pair"
DUPLICATE = "EOrder:Duplicate order"
"""Kraken does not document its words for a ``cl_ord_id`` that an open order has; these are reported by users."""
RATE_LIMIT = "EAPI:Rate limit exceeded"

_FILTERS = {
    Rule.PRICE_POSITIVE: "EOrder:Invalid price",
    Rule.PRICE_STEP: "EOrder:Invalid price:price can only be specified up to the pair's decimals",
    Rule.QUANTITY_STEP: "EGeneral:Invalid arguments:volume",
    Rule.MIN_QUANTITY: "EOrder:Order minimum not met",
    Rule.MAX_QUANTITY: "EGeneral:Invalid arguments:volume",
    Rule.MIN_NOTIONAL: "EOrder:Cost minimum not met",
}
_REFUSALS = {
    "unknown_symbol": UNKNOWN_PAIR,
    "duplicate_client_order_id": DUPLICATE,
    "insufficient_balance": "EOrder:Insufficient funds",
    "would_take": "EOrder:Post only order",
    "would_trigger": "EOrder:Invalid price:trigger price would trigger at once",
    "unknown_order": UNKNOWN_ORDER,
    "leverage": "EGeneral:Invalid arguments:leverage",
    "reduce_only": "EOrder:Reduce only:No position exists",
}


def from_refusal(refused: Refused) -> KrakenError:
    """Raises KeyError on a refusal this venue does not know, which is a defect here."""
    if refused.code == "filter":
        violations: tuple[Violation, ...] = refused.context["violations"]
        return KrakenError(_FILTERS[violations[0].rule])
    return KrakenError(_REFUSALS[refused.code])


_FAULTS = {
    FaultKind.THROTTLE: RATE_LIMIT,
    FaultKind.BAN: "EGeneral:Temporary lockout",
    FaultKind.MAINTENANCE: "EService:Unavailable",
    FaultKind.REJECT: "EOrder:Trading agreement required",
    FaultKind.CLOCK_SKEW: "EAPI:Invalid nonce",
}


class Answers:
    """What a fault is answered with."""

    def refusal(self, kind: FaultKind) -> web.Response:
        if kind in _FAULTS:
            return KrakenError(_FAULTS[kind]).response()
        return web.Response(status=520, text="<html>Web server is returning an unknown error</html>")
