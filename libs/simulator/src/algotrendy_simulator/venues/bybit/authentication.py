"""Who signs a request, and whether the request is what was signed and is fresh.

Source: Bybit v5 documentation, "Integration guidance". Invariant: a signed operation runs for an account only after
key, timestamp and HMAC-SHA256 signature were all right.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.venues.bybit.refusals import BybitError

DEFAULT_WINDOW_MS = 5_000
AHEAD_MS = 1_000
"""How far a client's clock may run ahead of ours."""


def signature(secret: str, payload: str) -> str:
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def verified(exchange: Exchange, headers: Mapping[str, str], text: str, now_ms: int) -> Account:
    """The account of a request whose query (GET) or body (POST) is ``text``."""
    key, stamp = headers.get("X-BAPI-API-KEY", ""), headers.get("X-BAPI-TIMESTAMP", "")
    window = headers.get("X-BAPI-RECV-WINDOW") or str(DEFAULT_WINDOW_MS)
    account = account_of(exchange, key)
    if not re.fullmatch(r"\d{10,16}", stamp) or not re.fullmatch(r"\d{1,8}", window):
        raise BybitError(10001, "Request parameter error: timestamp or recv_window.")
    if not now_ms - int(window) <= int(stamp) < now_ms + AHEAD_MS:
        raise stale(int(stamp), int(window), now_ms)
    expected = signature(account.secret, f"{stamp}{key}{window}{text}")
    if not hmac.compare_digest(expected, headers.get("X-BAPI-SIGN", "")):
        raise BybitError(10004, f"error sign! origin_string[{stamp}{key}{window}{text}]")
    return account


def account_of(exchange: Exchange, key: str) -> Account:
    account = exchange.account_of_key(key) if key else None
    if account is None:
        raise BybitError(10003, "API key is invalid.", 401)
    return account


def verified_socket(exchange: Exchange, arguments: object, now_ms: int) -> Account:
    """``args`` of the ``auth`` operation: key, the time it expires, signature over ``GET/realtime`` and that time."""
    if not isinstance(arguments, list) or len(arguments) != 3:
        raise BybitError(10001, "Params Error")
    key, expires, signed = (str(argument) for argument in arguments)
    account = account_of(exchange, key)
    if not re.fullmatch(r"\d{10,16}", expires) or int(expires) <= now_ms:
        raise BybitError(10002, "Request expired")
    if not hmac.compare_digest(signature(account.secret, f"GET/realtime{expires}"), signed):
        raise BybitError(10004, "Invalid sign")
    return account


def stale(stamp: int, window: int, now_ms: int) -> BybitError:
    return BybitError(
        10002,
        "invalid request, please check your server timestamp or recv_window param. "
        f"req_timestamp[{stamp}],server_timestamp[{now_ms}],recv_window[{window}]",
    )
