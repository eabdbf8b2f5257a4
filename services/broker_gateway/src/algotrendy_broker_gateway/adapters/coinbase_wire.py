"""The wire to Coinbase: ccxt's exchange with its doors opened, and what its error answers mean.

Invariant: only ``success: false`` and the 4xx answers that say no are refusals; whatever else is not a yes may have had
its effect. A hole in a socket's numbering is told, because what was in it will not come again.
"""

from collections.abc import Callable, Mapping
from typing import Any

from algotrendy_common.lean_ccxt import load_ccxt

from algotrendy_broker_gateway.adapters.answered import Answered, retry_after_s
from algotrendy_broker_gateway.errors import VenueRefused

ccxt = load_ccxt("coinbase")

GAP = "gap"
"""The channel of a message that we make: some of the venue's are missing before it."""
_EXPLICIT = frozenset({400, 401, 403, 404, 429})
_CODES = {
    "INSUFFICIENT_FUND": "insufficient_balance",
    "PREVIEW_INSUFFICIENT_FUND": "insufficient_balance",
    "INVALID_LIMIT_PRICE_POST_ONLY": "would_take",
    "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY": "would_take",
    "PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE": "would_trigger",
    "PREVIEW_STOP_PRICE_BELOW_LAST_TRADE_PRICE": "would_trigger",
    "INVALID_PRICE_PRECISION": "venue_filter",
    "INVALID_SIZE_PRECISION": "venue_filter",
    "INVALID_ORDER_CONFIG": "venue_filter",
    "PERMISSION_DENIED": "key_refused",
    "rate_limit_exceeded": "rate_limited",
}
_STATUSES = {401: "key_refused", 403: "key_refused", 429: "rate_limited"}


class Wire(ccxt.pro.coinbase):  # type: ignore[misc, name-defined]  # ccxt has no types
    def __init__(
        self, config: dict[str, Any], arrived: Callable[[Mapping[str, Any]], None], subscribed: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._arrived = arrived
        self._subscribed = subscribed
        self._last: dict[int, int] = {}
        """The last message's number, by socket."""
        self.ahead_s = 0.0
        """How far our clock runs ahead of the venue's: a token that begins in its future is refused."""
        # The lists of coins are calls of the old interface and tell nothing that is needed here.
        self.has["fetchCurrencies"] = False

    def seconds(self) -> int:
        return int(self.milliseconds() / 1000 - self.ahead_s)

    def handle_errors(self, code: Any, reason: Any, url: str, *rest: Any) -> Any:
        headers, body, response = rest[1], rest[2], rest[3]
        found = response if isinstance(response, dict) else {}
        if code == 200 and found.get("success") is not False:
            return None
        known, message = _said(found)
        silence_s = retry_after_s(headers) if code == 429 else 0.0
        raise Answered(int(code), known, str(message or body or reason)[:300], silence_s)

    def handle_message(self, client: Any, message: Any) -> None:
        if not isinstance(message, dict) or message.get("type") == "error":
            # Raised from here, an error would end the reading and not the waiting.
            client.on_error(ccxt.ExchangeError(str(message)))
            return
        number, last = message.get("sequence_num"), self._last.get(id(client))
        if isinstance(number, int):
            if last is not None and number > last + 1:
                self._arrived({"channel": GAP, "missing": number - last - 1})
            self._last[id(client)] = number
        super().handle_message(client, message)

    def handle_subscription_status(self, client: Any, message: Mapping[str, Any]) -> Any:
        if any("user" in event.get("subscriptions", {}) for event in message["events"]):
            self._subscribed()
        return message

    def handle_order(self, client: Any, message: Mapping[str, Any]) -> None:
        self._arrived(message)

    def forget_socket(self) -> None:
        """Before a new one: its numbers begin anew, and a token must outlive the moment it is used in."""
        self._last.clear()
        self.options.pop("wsToken", None)


def _said(found: Mapping[str, Any]) -> tuple[str | None, str]:
    """The error's name and its words, in whichever of the venue's three shapes."""
    response = found.get("error_response")
    if isinstance(response, dict):
        names = (response.get("error"), response.get("preview_failure_reason"))
        known = [name for name in names if name and not str(name).startswith("UNKNOWN_")]
        name = known[0] if known else response.get("error") or "UNKNOWN_FAILURE_REASON"
        return str(name), " ".join(str(part) for part in (response.get("message"), *names) if part)
    errors = found.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return str(errors[0].get("id")), str(errors[0].get("message"))
    name = found.get("error")
    return (str(name) if name else None), str(found.get("message") or found.get("error_details") or "")


def explicit(answer: Answered) -> bool:
    return answer.status in _EXPLICIT or answer.status == 200


def refused(answer: Answered) -> VenueRefused:
    code = _CODES.get(str(answer.code)) or _STATUSES.get(answer.status, "venue_refused")
    return VenueRefused(code, answer.message, venue_code=answer.code)
