"""Who signs a request, and whether the request is what was signed and is fresh.

Source: OKX API v5 documentation, "REST authentication" and "WebSocket, login". Invariant: a private operation runs for
an account only after key, passphrase, timestamp and HMAC-SHA256 signature were all right.
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime

from algotrendy_common.clock import to_ms

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.venues.okx.refusals import OkxError

WINDOW_MS = 30_000
"""How far a caller's clock may be from ours, either way."""
SOCKET_PATH = "/users/self/verify"


def signature(secret: str, timestamp: str, method: str, path: str, body: str = "") -> str:
    text = f"{timestamp}{method}{path}{body}"
    return b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


def verified(exchange: Exchange, headers: Mapping[str, str], method: str, path: str, body: str, now_ms: int) -> Account:
    """The account of a request; ``path`` with its query as it was sent."""
    names = ("OK-ACCESS-KEY", "OK-ACCESS-SIGN", "OK-ACCESS-TIMESTAMP", "OK-ACCESS-PASSPHRASE")
    for code, name in zip((50103, 50104, 50107, 50104), names, strict=True):
        if not headers.get(name):
            raise OkxError(code, f"Request header {name} can not be empty.", 401)
    key, signed, stamp, passphrase = (headers[name] for name in names)
    account = exchange.account_of_key(key)
    if account is None:
        raise OkxError(50111, "Invalid OK-ACCESS-KEY", 401)
    try:
        stamp_ms = to_ms(datetime.fromisoformat(stamp))
    except ValueError:
        raise OkxError(50112, "Invalid OK-ACCESS-TIMESTAMP", 401) from None
    if abs(now_ms - stamp_ms) > WINDOW_MS:
        raise stale()
    if not hmac.compare_digest(account.passphrase, passphrase):
        raise OkxError(50105, "Request header OK-ACCESS-PASSPHRASE incorrect.", 401)
    if not hmac.compare_digest(signature(account.secret, stamp, method, path, body), signed):
        raise OkxError(50113, "Invalid Sign", 401)
    return account


def verified_socket(exchange: Exchange, arguments: object, now_ms: int) -> Account:
    """``args`` of the ``login`` operation; its timestamp is in seconds."""
    if not isinstance(arguments, list) or len(arguments) != 1 or not isinstance(arguments[0], dict):
        raise OkxError(60012, "Illegal request")
    values = {name: str(value) for name, value in arguments[0].items()}
    account = exchange.account_of_key(values.get("apiKey", ""))
    stamp = values.get("timestamp", "")
    if account is None:
        raise OkxError(60005, "Invalid apiKey")
    if not stamp.isdecimal():
        raise OkxError(60004, "Invalid timestamp")
    if abs(now_ms - int(stamp) * 1000) > WINDOW_MS:
        raise OkxError(60006, "Timestamp request expired")
    expected = signature(account.secret, stamp, "GET", SOCKET_PATH)
    if not hmac.compare_digest(account.passphrase, values.get("passphrase", "")):
        raise OkxError(60024, "Wrong passphrase")
    if not hmac.compare_digest(expected, values.get("sign", "")):
        raise OkxError(60007, "Invalid sign")
    return account


def stale() -> OkxError:
    return OkxError(50102, "Timestamp request expired", 401)
