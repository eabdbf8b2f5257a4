"""The wire to Binance: ccxt's exchange with two places opened, and what its error answers mean.

Invariant: ``explicit`` is true only for a 4xx answer with the venue's own error code that leaves no doubt; whatever is
not explicit may have had its effect.
"""

from collections.abc import Callable, Mapping
from typing import Any

from algotrendy_broker_gateway.adapters.answered import TOO_MANY, Answered, ccxt, retry_after_s
from algotrendy_broker_gateway.errors import VenueRefused

_OUTCOME_UNKNOWN_CODES = {-1000, -1001, -1006, -1007}
"""4xx or 5xx, these say that the venue itself does not know whether it acted."""
NO_SUCH_ORDER = {-2011, -2013}
_DUPLICATE = "duplicate order sent"
"""Not a refusal: proof that an order with this client id is working."""
_CODES: dict[int | str | None, str] = {
    -1003: "rate_limited",
    -1013: "venue_filter",
    -1015: "rate_limited",
    -1016: "venue_maintenance",
    -1021: "clock_skew",
    -1022: "signature_refused",
    -1111: "venue_filter",
    -1121: "symbol_unknown",
    -2014: "key_refused",
    -2015: "key_refused",
}


class Wire(ccxt.pro.binance):  # type: ignore[misc]  # ccxt has no types
    """ccxt's exchange, with the two places opened where it would lose what we need."""

    def __init__(self, config: dict[str, Any], arrived: Callable[[Mapping[str, Any]], None]) -> None:
        super().__init__(config)
        self._arrived = arrived

    def handle_errors(self, code: Any, reason: Any, url: str, *rest: Any) -> Any:
        headers, response = rest[1], rest[3]
        if url.startswith("http") and isinstance(code, int) and code >= 400:
            found = response if isinstance(response, dict) else {}
            number = found.get("code")
            raise Answered(
                code,
                number if isinstance(number, int) else None,
                str(found.get("msg") or reason),
                retry_after_s(headers) if code in TOO_MANY else 0.0,
            )
        return super().handle_errors(code, reason, url, *rest)

    def handle_order_update(self, client: Any, message: Mapping[str, Any]) -> None:
        self._arrived(message)

    def handle_balance(self, client: Any, message: Mapping[str, Any]) -> None:
        self._arrived(message)


def explicit(answer: Answered) -> bool:
    return (
        400 <= answer.status < 500
        and answer.code is not None
        and answer.code not in _OUTCOME_UNKNOWN_CODES
        and _DUPLICATE not in answer.message.lower()
    )


def refused(answer: Answered) -> VenueRefused:
    return VenueRefused(_CODES.get(answer.code, "venue_refused"), answer.message, venue_code=answer.code)
