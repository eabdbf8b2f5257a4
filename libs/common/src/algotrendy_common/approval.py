"""A signature binds risk's approval to the exact order, amount and expiry, so that nobody else can allow one.

Invariant: changing any field of the terms, the notional or the expiry makes ``verify`` fail.
"""

import base64
from datetime import datetime
from decimal import Decimal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from algotrendy_common.events.order import OrderApproved, OrderTerms
from algotrendy_common.money import plain


def signed_text(approval_id: str, terms: OrderTerms, notional: Decimal, expires_at: datetime) -> bytes:
    """What is signed: one canonical line."""
    return "\n".join(
        ("approval-v1", approval_id, terms.model_dump_json(), plain(notional), expires_at.isoformat())
    ).encode()


class Signer:
    """Risk's half. ``seed`` is 32 bytes, hex."""

    def __init__(self, seed: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))

    @property
    def public_key(self) -> str:
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def sign(self, approval_id: str, terms: OrderTerms, notional: Decimal, expires_at: datetime) -> str:
        text = signed_text(approval_id, terms, notional, expires_at)
        return base64.b64encode(self._key.sign(text)).decode()


class Verifier:
    """The broker gateway's half. ``public_key`` is 32 bytes, hex."""

    def __init__(self, public_key: str) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))

    def genuine(self, approved: OrderApproved) -> bool:
        """True where risk signed exactly this; expiry is the caller's to check against its clock."""
        text = signed_text(approved.approval_id, approved.terms, approved.notional, approved.expires_at)
        try:
            self._key.verify(base64.b64decode(approved.signature, validate=True), text)
        except (InvalidSignature, ValueError):
            return False
        return True
