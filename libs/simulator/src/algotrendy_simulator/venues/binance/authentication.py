"""Who signs a request, and whether the request is what was signed and is fresh.

Source: Binance spot API documentation, "Endpoint security type". Invariant: a signed operation runs for an account
only after key, timestamp and HMAC-SHA256 signature were all right.
"""

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.venues.binance.parameters import Parameters
from algotrendy_simulator.venues.binance.refusals import BinanceError, missing

DEFAULT_WINDOW_MS = 5_000
WIDEST_WINDOW_MS = 60_000
AHEAD_MS = 1_000
"""How far a client's clock may run ahead of ours."""


def account_of_key(exchange: Exchange, key: str | None) -> Account:
    if not key:
        raise BinanceError(-2014, "API-key format invalid.", 401)
    account = exchange.account_of_key(key)
    if account is None:
        raise BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    return account


def verify_signature(account: Account, payload: str, signature: str | None) -> None:
    if not signature:
        raise missing("signature")
    expected = hmac.new(account.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise BinanceError(-1022, "Signature for this request is not valid.")


def verify_time(parameters: Parameters, now_ms: int) -> None:
    timestamp = parameters.integer("timestamp")
    if timestamp is None:
        raise missing("timestamp")
    window = parameters.integer("recvWindow") or DEFAULT_WINDOW_MS
    if window > WIDEST_WINDOW_MS:
        raise BinanceError(-1131, "recvWindow must be less than 60000")
    if timestamp >= now_ms + AHEAD_MS:
        raise BinanceError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - timestamp > window:
        raise BinanceError(-1021, "Timestamp for this request is outside of the recvWindow.")


def parameters_of_text(query: str, body: str) -> tuple[Parameters, str, str | None]:
    """Parameters of a REST request, the text that was signed (query and body, less the signature), the signature."""
    signature = None
    signed = []
    for text in (query, body):
        kept = []
        for part in text.split("&") if text else ():
            if part.startswith("signature="):
                signature = part.removeprefix("signature=")
            else:
                kept.append(part)
        signed.append("&".join(kept))
    payload = "".join(signed)
    values = dict(parse_qsl(signed[0], keep_blank_values=True)) | dict(parse_qsl(signed[1], keep_blank_values=True))
    return Parameters(values), payload, signature


def parameters_of_message(values: Mapping[str, object]) -> tuple[Parameters, str, str | None]:
    """The same of a WebSocket API request, which signs its parameters sorted by name."""
    texts = {name: _text(value) for name, value in values.items() if value is not None}
    signature = texts.pop("signature", None)
    payload = "&".join(f"{name}={texts[name]}" for name in sorted(texts))
    return Parameters(texts), payload, signature


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
