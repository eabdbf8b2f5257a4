"""Whose token a request carries, and whether it is genuine and fresh.

Source: Coinbase developer documentation, "JWT authentication": ES256 over header and claims, at most two minutes old,
for one method and path. Invariant: a private operation runs for an account only after signature, times and key were
all right.
"""

import base64
import json
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.venues.coinbase.refusals import Unauthorized

LONGEST_S = 120
AHEAD_S = 5
"""How far a client's clock may run ahead of ours."""


def account_of_token(exchange: Exchange, token: str, now_s: float, call: tuple[str, str] | None) -> Account:
    """Raises Unauthorized; ``call`` is the method and path of a REST request."""
    try:
        head, claims, signature = token.split(".")
        header, said = _part(head), _part(claims)
        account = exchange.account_of_key(str(header["kid"]))
        if account is None or header["alg"] != "ES256" or said["sub"] != header["kid"]:
            raise Unauthorized
        _verify(account, f"{head}.{claims}".encode(), _bytes(signature))
        begins, ends = float(said["nbf"]), float(said["exp"])
    except (ValueError, KeyError, TypeError, InvalidSignature):
        raise Unauthorized from None
    if not begins - AHEAD_S <= now_s < ends or ends - begins > LONGEST_S:
        raise Unauthorized
    if call is not None and not _is_for(str(said.get("uri", "")), *call):
        raise Unauthorized
    return account


def bearer(header: str) -> str:
    kind, _, token = header.partition(" ")
    if kind != "Bearer":
        raise Unauthorized
    return token


def _is_for(uri: str, method: str, path: str) -> bool:
    # ``METHOD host/path``; over plain http ccxt leaves the scheme in, so the host is not compared.
    named, _, address = uri.partition(" ")
    return named == method and address.endswith(path)


def _verify(account: Account, signed: bytes, signature: bytes) -> None:
    if len(signature) != 64:
        raise Unauthorized
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    _public_key(account.secret).verify(encode_dss_signature(r, s), signed, ECDSA(SHA256()))


@lru_cache(maxsize=64)
def _public_key(pem: str) -> EllipticCurvePublicKey:
    """Raises ValueError where the account's secret is no private key."""
    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise ValueError("not an elliptic-curve key")
    return key.public_key()


def _part(text: str) -> dict[str, Any]:
    found = json.loads(_bytes(text))
    if not isinstance(found, dict):
        raise TypeError
    return found


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
