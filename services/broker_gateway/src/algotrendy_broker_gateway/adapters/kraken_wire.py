"""The wire to Kraken: ccxt's exchange with its doors opened, and what its error texts mean.

Invariant: the text of an error decides and never the HTTP status, which is 200 for all of them; a text is a refusal
only where its kind is known to be one. Numbers of the private stream are read as they are written, not as floats.
"""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from algotrendy_common.lean_ccxt import load_ccxt

from algotrendy_broker_gateway.adapters.answered import Answered
from algotrendy_broker_gateway.errors import VenueRefused

ccxt = load_ccxt("kraken")

GAP = "gap"
"""The channel of a message that we make: some of the venue's are missing before it."""
PRIVATE = ("executions", "balances")
NO_SUCH_ORDER = "EOrder:Unknown order"
_LOCKED_OUT = "EGeneral:Temporary lockout"
_LOCKED_OUT_S, _LIMITED_S = 60.0, 3.0
_KINDS = ("EAPI:", "EOrder:", "EQuery:", "ETrade:", "EFunding:", "EEarnings:", "EAuth:", "ESession:")
"""Kinds that say no: nothing was done."""
_GENERAL = ("EGeneral:Invalid arguments", "EGeneral:Permission denied", "EGeneral:Unknown method", _LOCKED_OUT)
_MARKET_CLOSED = "EService:Market in"
_TWICE = ("duplicate", "already", "not unique", "in use")
"""Kraken does not say which words it has for an id that an open order has; all of these are proof of that order."""
_CODES = {
    "EAPI:Rate limit exceeded": "rate_limited",
    "EOrder:Rate limit exceeded": "rate_limited",
    "EGeneral:Too many requests": "rate_limited",
    _LOCKED_OUT: "rate_limited",
    "EAPI:Invalid nonce": "clock_skew",
    "EAPI:Invalid key": "key_refused",
    "EAPI:Invalid signature": "signature_refused",
    "EGeneral:Permission denied": "key_refused",
    "EQuery:Unknown asset pair": "symbol_unknown",
    "EOrder:Insufficient funds": "insufficient_balance",
    "EOrder:Insufficient margin": "insufficient_balance",
    "EOrder:Post only order": "would_take",
    "EOrder:Reduce only": "reduce_only",
    "EOrder:Order minimum not met": "venue_filter",
    "EOrder:Cost minimum not met": "venue_filter",
    "EOrder:Invalid price": "venue_filter",
    "EGeneral:Invalid arguments:volume": "venue_filter",
    "EGeneral:Invalid arguments:leverage": "leverage",
    "EEarnings:Busy": "earn_busy",
    "EEarnings:Below min": "earn_below_minimum",
    "EEarnings:Insufficient funds": "insufficient_balance",
    "EEarnings:Permission denied": "earn_not_allowed",
}


class Wire(ccxt.pro.kraken):  # type: ignore[misc, name-defined]  # ccxt has no types
    def __init__(
        self, config: dict[str, Any], arrived: Callable[[Mapping[str, Any]], None], subscribed: Callable[[str], None]
    ) -> None:
        super().__init__(config)
        self._arrived = arrived
        self._subscribed = subscribed
        self._last: dict[int, int] = {}
        """The last private message's number, by socket."""
        # What it would ask once more at every start.
        self.has["fetchCurrencies"] = False

    def handle_errors(self, code: Any, reason: Any, url: str, *rest: Any) -> Any:
        body, response = rest[2], rest[3]
        found = response if isinstance(response, dict) else {}
        errors = found.get("error")
        if code == 200 and not errors:
            return None
        text = str(errors[0]) if isinstance(errors, list) and errors else None
        raise Answered(int(code), text, str(text or body or reason)[:300], _silence_s(int(code), text))

    def client(self, url: str) -> Any:
        made = super().client(url)
        made.handle_text_or_binary_message = lambda data: self._read(made, data)
        return made

    def _read(self, client: Any, data: str | bytes) -> None:
        try:
            self.handle_message(client, json.loads(data, parse_float=Decimal))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            # Raised from here, it would end the reading and not the waiting.
            client.on_error(ccxt.ExchangeError(f"a message that makes no sense: {error!r}"))

    def handle_message(self, client: Any, message: Mapping[str, Any]) -> None:
        if message.get("channel") in PRIVATE:
            number, last = int(message["sequence"]), self._last.get(id(client))
            if last is not None and number > last + 1:
                self._arrived({"channel": GAP, "missing": number - last - 1})
            self._last[id(client)] = number
            self._arrived(message)
        elif message.get("method") == "subscribe":
            if message["success"] is not True:
                client.on_error(ccxt.ExchangeError(str(message.get("error"))))
                return
            self._subscribed(str(message["result"]["channel"]))
        else:
            super().handle_message(client, message)

    def forget_socket(self) -> None:
        """Before a new one: its numbers begin anew."""
        self._last.clear()


def explicit(answer: Answered) -> bool:
    text = str(answer.code or "")
    if answer.status != 200 or any(word in text.lower() for word in _TWICE):
        return False
    return text.startswith((*_KINDS, *_GENERAL, _MARKET_CLOSED))


def refused(answer: Answered) -> VenueRefused:
    text = str(answer.code or "")
    code = next((code for beginning, code in _CODES.items() if text.startswith(beginning)), "venue_refused")
    return VenueRefused(code, answer.message, venue_code=answer.code)


def asks_for_silence(answer: Answered) -> bool:
    return _silence_s(answer.status, str(answer.code or "")) > 0


def _silence_s(status: int, text: str | None) -> float:
    if text == _LOCKED_OUT:
        return _LOCKED_OUT_S
    return _LIMITED_S if status == 429 or text in ("EAPI:Rate limit exceeded", "EGeneral:Too many requests") else 0.0
