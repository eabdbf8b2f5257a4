"""A call at Crypto.com: ``{"id", "method", "params", "nonce", "api_key", "sig"}``, who signed it and its parameters.

Source: Crypto.com Exchange API v1 documentation, "Digital signature". Invariant: a signed operation runs for an
account only after key, nonce and HMAC-SHA256 signature were all right.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.venues.cryptocom.refusals import (
    INVALID_NONCE,
    INVALID_REQUEST,
    UNAUTHORIZED,
    CryptocomError,
    malformed,
)

NONCE_WINDOW_MS = 60_000
_DEEPEST = 3
_NUMBER = re.compile(r"^\d{1,20}(\.\d{1,20})?$")


@dataclass(frozen=True, slots=True)
class Parameters:
    """A value that is returned is of the type it claims; everything else is a CryptocomError that names it."""

    values: Mapping[str, Any]

    def optional(self, name: str) -> str | None:
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str | int):
            raise malformed(name)
        return str(value)

    def text(self, name: str) -> str:
        value = self.optional(name)
        if value is None:
            raise malformed(name)
        return value

    def integer(self, name: str) -> int | None:
        value = self.optional(name)
        if value is None:
            return None
        if not re.fullmatch(r"\d{1,19}", value):
            raise malformed(name)
        return int(value)

    def limit(self, name: str, most: int) -> int:
        return min(self.integer(name) or most, most)

    def decimal(self, name: str) -> Decimal | None:
        """A number above zero, in quotation marks as every number must be."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or not _NUMBER.fullmatch(value) or not Decimal(value):
            raise malformed(name)
        return Decimal(value)

    def words(self, name: str) -> list[str]:
        value = self.values.get(name) or []
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise malformed(name)
        return value


@dataclass(frozen=True, slots=True)
class Call:
    id: Any
    method: str
    parameters: Parameters
    values: Mapping[str, Any]


def read_call(text: str) -> Call:
    # A number is signed as it is written, so it stays text.
    try:
        values = json.loads(text or "{}", parse_float=str)
        return Call(values.get("id"), values["method"], Parameters(values.get("params") or {}), values)
    except (ValueError, KeyError, AttributeError, TypeError):
        raise CryptocomError(*INVALID_REQUEST) from None


def verified(exchange: Exchange, call: Call, now_ms: int) -> Account:
    key, signed, nonce = (str(call.values.get(name, "")) for name in ("api_key", "sig", "nonce"))
    account = exchange.account_of_key(key) if key else None
    if account is None:
        raise CryptocomError(*UNAUTHORIZED)
    if not re.fullmatch(r"\d{10,19}", nonce) or abs(int(nonce) - now_ms) > NONCE_WINDOW_MS:
        raise CryptocomError(*INVALID_NONCE)
    signed_id = "" if call.id is None else str(call.id)
    payload = f"{call.method}{signed_id}{key}{parameter_text(call.parameters.values)}{nonce}"
    if not hmac.compare_digest(signature(account.secret, payload), signed):
        raise CryptocomError(*UNAUTHORIZED)
    return account


def signature(secret: str, payload: str) -> str:
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def parameter_text(value: Any, level: int = 0) -> str:
    """Names in order, each followed by its value; a null is the word ``null``, a list its elements."""
    if level >= _DEEPEST or not isinstance(value, dict):
        return _plain(value)
    parts = []
    for name in sorted(value):
        held = value[name]
        parts.append(name)
        elements = held if isinstance(held, list) else [held]
        parts += [parameter_text(element, level + 1) for element in elements]
    return "".join(parts)


def _plain(value: Any) -> str:
    # Its examples write a truth value as their language does; this is the Python one.
    return "null" if value is None else str(value)
