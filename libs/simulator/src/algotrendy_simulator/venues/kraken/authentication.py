"""Who signs a request, and whether the request is what was signed and is newer than the last one.

Source: Kraken documentation, "Spot REST authentication": base64 of HMAC-SHA512 over path and SHA256 of nonce and body,
with the base64-decoded secret. Invariant: a private operation runs for an account only after key, signature and nonce
were all right, and never twice under one nonce.
"""

import base64
import binascii
import hashlib
import hmac
import secrets

from algotrendy_simulator.accounts import Account
from algotrendy_simulator.engine import Exchange
from algotrendy_simulator.venues.kraken.parameters import Parameters
from algotrendy_simulator.venues.kraken.refusals import KrakenError

TOKEN_S = 900
"""How long a WebSocket token can be used for a subscription."""


def signature(secret: str, path: str, nonce: str, body: str) -> str:
    """Raises ``binascii.Error`` where the secret is not base64."""
    digest = hashlib.sha256(f"{nonce}{body}".encode()).digest()
    signed = hmac.new(base64.b64decode(secret), path.encode() + digest, hashlib.sha512)
    return base64.b64encode(signed.digest()).decode()


class Gate:
    """Keys, their nonces and their WebSocket tokens."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._nonces: dict[str, int] = {}
        self._tokens: dict[str, tuple[str, float]] = {}
        """Account and end of each token."""

    def admit(self, key: str, sign: str, path: str, body: str, parameters: Parameters) -> Account:
        account = self._exchange.account_of_key(key) if key else None
        if account is None:
            raise KrakenError("EAPI:Invalid key")
        nonce = parameters.optional("nonce") or ""
        try:
            right = signature(account.secret, path, nonce, body)
        except binascii.Error:
            raise KrakenError("EAPI:Invalid key") from None
        if not hmac.compare_digest(right.encode(), sign.encode()):
            raise KrakenError("EAPI:Invalid signature")
        if not nonce.isdecimal() or int(nonce) <= self._nonces.get(key, -1):
            raise KrakenError("EAPI:Invalid nonce")
        self._nonces[key] = int(nonce)
        return account

    def token(self, account: Account, now_s: float) -> str:
        made = secrets.token_urlsafe(32)
        self._tokens[made] = account.name, now_s + TOKEN_S
        return made

    def account_of_token(self, token: object, now_s: float) -> str:
        name, until_s = self._tokens.get(str(token), ("", 0.0))
        if not name:
            raise KrakenError("EAuth:Invalid token")
        if until_s <= now_s:
            raise KrakenError("ESession:Invalid session")
        return name
