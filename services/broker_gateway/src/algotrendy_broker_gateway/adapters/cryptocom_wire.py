"""The wire to Crypto.com: ccxt's exchange with its messages opened, and what its error codes mean.

Invariant: the code in the body decides and never the HTTP status: many plain refusals come with 500, and "not found"
with 200. A code is a refusal only where it is known to be one, everything else may have had its effect.
"""

from collections.abc import Callable, Mapping
from typing import Any

from algotrendy_common.lean_ccxt import load_ccxt

from algotrendy_broker_gateway.adapters.answered import Answered
from algotrendy_broker_gateway.errors import VenueRefused

ccxt = load_ccxt("cryptocom")

TOO_MANY_REQUESTS = 42901
_SILENCE_S = 1.0
"""Nothing says when to come back; its longest window is a second."""
NO_SUCH_ORDER = frozenset({212, 316, 40401})
DUPLICATE_ID = frozenset({204})
"""Not a refusal: proof that an order with this client id is there."""
_CODES = {
    202: "account_suspended",
    208: "venue_filter",
    209: "symbol_unknown",
    212: "order_unknown",
    213: "venue_filter",
    218: "venue_filter",
    219: "venue_filter",
    220: "venue_filter",
    221: "venue_filter",
    224: "venue_refused",
    229: "would_trigger",
    306: "insufficient_balance",
    308: "venue_filter",
    309: "venue_closed",
    312: "venue_filter",
    313: "venue_filter",
    314: "venue_filter",
    315: "venue_filter",
    316: "order_unknown",
    318: "too_many_orders",
    321: "insufficient_balance",
    325: "venue_refused",
    415: "venue_filter",
    40001: "venue_filter",
    40002: "not_offered",
    40003: "venue_filter",
    40004: "venue_filter",
    40005: "venue_filter",
    40101: "key_refused",
    40102: "clock_skew",
    40103: "key_refused",
    40104: "key_refused",
    40401: "not_found",
    TOO_MANY_REQUESTS: "rate_limited",
    43003: "not_filled",
    43004: "not_filled",
    43005: "would_take",
    43012: "self_trade",
}
"""The codes that say no. Not among them: timeouts (40801, 620), internal errors (10001, 50001), maintenance (9010001),
a request that was seen before (40006, 205) and whatever is new."""


class Wire(ccxt.pro.cryptocom):  # type: ignore[misc, name-defined]  # ccxt has no types
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
        body, response = rest[2], rest[3]
        found = response if isinstance(response, dict) else {}
        number = found.get("code")
        if code == 200 and number in (0, "0", None):
            return None
        known = int(number) if isinstance(number, int | str) and str(number).isdigit() else None
        throttled = known == TOO_MANY_REQUESTS or code == 429
        message = str(found.get("message") or body or reason)[:300]
        raise Answered(int(code), known, message, _SILENCE_S if throttled else 0.0)

    def handle_subscribe(self, client: Any, message: Mapping[str, Any]) -> None:
        result = message.get("result")
        if isinstance(result, dict) and "channel" in result:
            self._arrived(result)
        else:
            self._subscribed()


def explicit(answer: Answered) -> bool:
    return answer.code in _CODES


def refused(answer: Answered) -> VenueRefused:
    code = _CODES.get(answer.code, "venue_refused") if isinstance(answer.code, int) else "venue_refused"
    return VenueRefused(code, answer.message, venue_code=answer.code)
