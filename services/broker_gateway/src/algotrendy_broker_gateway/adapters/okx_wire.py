"""The wire to OKX: ccxt's exchange with a few places opened, and what its error answers mean.

Invariant: ``explicit`` is true only for an answer with the venue's own error code, not from a broken server, that
leaves no doubt; whatever is not explicit may have had its effect.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from algotrendy_common.lean_ccxt import load_ccxt

from algotrendy_broker_gateway.adapters.answered import TOO_MANY, Answered, retry_after_s
from algotrendy_broker_gateway.errors import VenueRefused

ccxt = load_ccxt("okx")

_OUTCOME_UNKNOWN_CODES = frozenset({"50000", "50001", "50004", "50013", "50026", "51054"})
"""These say that the venue itself does not know whether it acted, or is not whole."""
NO_SUCH_ORDER = frozenset({"51400", "51401", "51402", "51410", "51603"})
"""Gone, filled, cancelled, or never there."""
_DUPLICATE = "51016"
"""Not a refusal: proof that an order with this client id is working."""
_THROTTLED = frozenset({"50011", "50061"})
_SHUT_OUT = 403
_SILENCE_S = {_SHUT_OUT: 60.0}
_WINDOW_S = 2.0
"""OKX counts calls by two seconds and names no time to wait."""
_CODES: dict[int | str | None, str] = {
    "50011": "rate_limited",
    "50061": "rate_limited",
    "50102": "clock_skew",
    "50103": "key_refused",
    "50105": "key_refused",
    "50111": "key_refused",
    "50113": "signature_refused",
    "51001": "symbol_unknown",
    "51006": "venue_filter",
    "51008": "insufficient_balance",
    "51020": "venue_filter",
    "51119": "insufficient_balance",
    "51121": "venue_filter",
    "51131": "insufficient_balance",
    "51169": "reduce_only",
    "51202": "venue_filter",
    "51280": "would_trigger",
    "59102": "leverage",
}


class Wire(ccxt.pro.okx):  # type: ignore[misc, name-defined]  # ccxt has no types
    """ccxt's exchange, opened where it would lose what we need; it loads no markets, which we read raw."""

    def __init__(self, config: dict[str, Any], arrived: Callable[[Mapping[str, Any]], None]) -> None:
        super().__init__(config)
        self._arrived = arrived
        self._subscribed: dict[str, asyncio.Event] = {}
        # Its watch methods would load them, through floats, if there were none at all.
        self.markets: dict[str, Any] = {}

    def handle_errors(self, code: Any, reason: Any, url: str, *rest: Any) -> Any:
        headers, response = rest[1], rest[3]
        if not url.startswith("http") or not isinstance(code, int):
            return super().handle_errors(code, reason, url, *rest)
        found = response if isinstance(response, dict) else {}
        number, message = _error_of(found)
        if code >= 400 or number is not None:
            throttled = code in TOO_MANY or number in _THROTTLED
            silence_s = _SILENCE_S.get(code, retry_after_s(headers, _WINDOW_S) if throttled else 0.0)
            raise Answered(code, number, message or str(reason), silence_s)
        return None

    def handle_orders(self, client: Any, message: Mapping[str, Any]) -> None:
        """Both kinds of orders come this way."""
        self._arrived(message)

    def handle_balance(self, client: Any, message: Mapping[str, Any]) -> None:
        self._arrived(message)

    def handle_subscription_status(self, client: Any, message: Mapping[str, Any]) -> None:
        self._subscribed.setdefault(str(message["arg"]["channel"]), asyncio.Event()).set()

    def forget_subscriptions(self) -> None:
        self._subscribed.clear()

    async def until_subscribed(self, channel: str) -> None:
        await self._subscribed.setdefault(channel, asyncio.Event()).wait()


def _error_of(answer: Mapping[str, Any]) -> tuple[str | None, str]:
    """The code and words of an error; (None, "") where the answer is none.

    ``1`` and ``2`` say that some of the call's orders failed: the first of theirs is the reason.
    """
    code = answer.get("code")
    if not isinstance(code, str) or code == "0":
        return None, ""
    for outcome in answer.get("data") or ():
        if isinstance(outcome, Mapping) and outcome.get("sCode") not in (None, "", "0"):
            return str(outcome["sCode"]), str(outcome.get("sMsg", ""))
    return code, str(answer.get("msg", ""))


def explicit(answer: Answered) -> bool:
    return (
        answer.status < 500
        and answer.code is not None
        and answer.code not in _OUTCOME_UNKNOWN_CODES
        and answer.code != _DUPLICATE
    )


def asks_for_silence(answer: Answered) -> bool:
    return (answer.status in (*TOO_MANY, _SHUT_OUT) and answer.retry_after_s > 0) or answer.code in _THROTTLED


def refused(answer: Answered) -> VenueRefused:
    return VenueRefused(_CODES.get(answer.code, "venue_refused"), answer.message, venue_code=answer.code)
