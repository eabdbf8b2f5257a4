"""Access tokens: short-lived JWTs signed with Ed25519.

Invariant: only a token with our algorithm, type, key id, issuer, audience and a time that fits is a token; the header
of a token never says how it is to be checked.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from algotrendy_common.clock import Clock
from algotrendy_common.ids import new_id
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from algotrendy_gateway.errors import NotAuthenticated

ALGORITHM = "EdDSA"
TYPE = "at+jwt"
ISSUER = "algotrendy-gateway"
AUDIENCE = "algotrendy-api"
_HEADER = {"alg", "typ", "kid"}
_CLAIMS = ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"]


@dataclass(frozen=True, slots=True)
class Claims:
    username: str
    session_id: str


def key_id(public_key: bytes) -> str:
    return hashlib.sha256(public_key).hexdigest()[:16]


def new_secret() -> str:
    """256 random bits for a refresh token or a ticket."""
    return secrets.token_urlsafe(32)


class AccessTokens:
    """``seed``: 32 bytes, hex. ``retired``: public keys, hex, that still verify."""

    def __init__(self, seed: str, retired: tuple[str, ...], life: timedelta, clock: Clock) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
        public = self._key.public_key()
        self._kid = key_id(public.public_bytes(Encoding.Raw, PublicFormat.Raw))
        self._trusted = {self._kid: public}
        for text in retired:
            raw = bytes.fromhex(text)
            self._trusted[key_id(raw)] = Ed25519PublicKey.from_public_bytes(raw)
        self.life = life
        self._clock = clock

    def issue(self, username: str, session_id: str) -> str:
        now = self._clock.now()
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": username,
            "sid": session_id,
            "jti": new_id(),
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": int((now + self.life).timestamp()),
        }
        return jwt.encode(claims, self._key, ALGORITHM, headers={"kid": self._kid, "typ": TYPE})

    def check(self, token: str) -> Claims:
        """Raises ``NotAuthenticated``, always with the same words, for anything but a token of ours that is in time."""
        try:
            header = jwt.get_unverified_header(token)
            if set(header) != _HEADER or header["typ"] != TYPE or header["alg"] != ALGORITHM:
                raise NotAuthenticated
            claims = jwt.decode(
                token,
                self._trusted[header["kid"]],
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                # Times are checked below, by the platform's clock.
                options={"require": _CLAIMS, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, KeyError, TypeError) as error:
            raise NotAuthenticated from error
        if not _in_time(claims, self._clock.now()):
            raise NotAuthenticated("The access token has expired.")
        return Claims(str(claims["sub"]), str(claims["sid"]))


def _in_time(claims: dict[str, Any], now: datetime) -> bool:
    begins, ends = claims["nbf"], claims["exp"]
    return (
        isinstance(begins, int) and isinstance(ends, int) and begins <= now.timestamp() + 1 and now.timestamp() < ends
    )
