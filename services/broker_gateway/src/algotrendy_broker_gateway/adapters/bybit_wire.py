"""The wire to Bybit: ccxt's exchange with four places opened, and what its error codes mean.

Invariant: the code in the body decides and never the HTTP status, which is 200 for most refusals; a code is a refusal
only where it is known to be one, everything else may have had its effect.
"""

from collections.abc import Callable, Mapping
from typing import Any

from algotrendy_common.clock import wall_ns
from algotrendy_common.lean_ccxt import load_ccxt

from algotrendy_broker_gateway.adapters.answered import Answered
from algotrendy_broker_gateway.errors import VenueRefused

ccxt = load_ccxt("bybit")

TOO_MANY_VISITS = 10006
TOO_FREQUENT = "access too frequent"
"""HTTP 403 without JSON: the whole address is shut out."""
SHUT_OUT_S = 600.0
NO_SUCH_ORDER = frozenset({110001, 110008, 110010, 110019, 170213, 170142, 170143})
"""It does not exist, or is finished or cancelled already."""
DUPLICATE_ID = frozenset({12141, 110030, 110072, 170141})
"""Not refusals: proof that an order with this client id is there."""
LEVERAGE_AS_IT_WAS = 110043
_OUTCOME_UNKNOWN = frozenset({10000, 10016, 10019, 110071, 170001, 170007, 170032, 170146, 170147, 170234})
"""Timeouts and internal errors, some within the ranges of plain refusals: the venue itself does not know."""
_REFUSALS = ((10001, 10029), (33004, 33004), (110001, 110200), (170001, 170999), (181001, 182999))
"""Ranges of codes that say no: parameters and keys, contracts, spot, questions."""
_CODES = {
    10001: "venue_filter",
    10002: "clock_skew",
    10003: "key_refused",
    10004: "signature_refused",
    10005: "key_refused",
    TOO_MANY_VISITS: "rate_limited",
    10010: "key_refused",
    10018: "rate_limited",
    110004: "insufficient_balance",
    110007: "insufficient_balance",
    110012: "insufficient_balance",
    110017: "reduce_only",
    110094: "venue_filter",
    170005: "rate_limited",
    170121: "symbol_unknown",
    170131: "insufficient_balance",
    170134: "venue_filter",
    170135: "venue_filter",
    170136: "venue_filter",
    170137: "venue_filter",
    170140: "venue_filter",
    170218: "would_take",
}


class Wire(ccxt.pro.bybit):  # type: ignore[misc, name-defined]  # ccxt has no types
    """ccxt's exchange, with the places opened where it would lose what we need."""

    def __init__(
        self, config: dict[str, Any], arrived: Callable[[Mapping[str, Any]], None], subscribed: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._arrived = arrived
        self._subscribed = subscribed
        # The list of coins is a private call of its own and tells nothing that is needed here.
        self.has["fetchCurrencies"] = False

    def handle_errors(self, code: Any, reason: Any, url: str, *rest: Any) -> Any:
        headers, body, response = rest[1], rest[2], rest[3]
        found = response if isinstance(response, dict) else {}
        number = found.get("retCode")
        if code == 200 and number in (0, None):
            return None
        known = number if isinstance(number, int) else None
        message = str(found.get("retMsg") or body or reason)[:300]
        raise Answered(int(code), known, message, _silence_s(int(code), known, message, headers))

    def handle_order(self, client: Any, message: Mapping[str, Any]) -> None:
        self._arrived(message)

    def handle_my_trades(self, client: Any, message: Mapping[str, Any]) -> None:
        self._arrived(message)

    def handle_balance(self, client: Any, message: Mapping[str, Any]) -> None:
        self._arrived(message)

    def handle_subscription_status(self, client: Any, message: Mapping[str, Any]) -> Any:
        self._subscribed()
        return message


def explicit(answer: Answered) -> bool:
    if answer.status == 403 and TOO_FREQUENT in answer.message:
        return True
    code = answer.code
    return (
        isinstance(code, int)
        and code not in _OUTCOME_UNKNOWN | DUPLICATE_ID
        and any(first <= code <= last for first, last in _REFUSALS)
    )


def refused(answer: Answered) -> VenueRefused:
    if answer.status == 403 and answer.code is None:
        return VenueRefused("rate_limited", answer.message, venue_code=403)
    code = _CODES.get(answer.code, "venue_refused") if isinstance(answer.code, int) else "venue_refused"
    return VenueRefused(code, answer.message, venue_code=answer.code)


def asks_for_silence(answer: Answered) -> bool:
    return answer.code in (TOO_MANY_VISITS, 10018) or answer.status in (403, 429)


def _silence_s(status: int, code: int | None, message: str, headers: Any) -> float:
    if status == 403 and TOO_FREQUENT in message:
        return SHUT_OUT_S
    if code not in (TOO_MANY_VISITS, 10018) and status != 429:
        return 0.0
    found = {str(name).lower(): value for name, value in dict(headers or {}).items()}
    reset = str(found.get("x-bapi-limit-reset-timestamp", ""))
    left_s = int(reset) / 1000 - wall_ns() / 1e9 if reset.isdigit() else 1.0
    return min(max(left_s, 0.1), 5.0)
