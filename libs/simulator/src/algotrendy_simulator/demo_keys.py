"""The demonstration key of each venue, of no worth anywhere, in the form that the venue's clients insist on.

Invariant: what is here is only ever accepted by a simulated venue.
"""

from base64 import b64encode
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_COINBASE_SCALAR = 0xA190_7EAD


@dataclass(frozen=True, slots=True)
class DemoKey:
    key: str = "demo-key"
    secret: str = "demo-secret"  # noqa: S105 - of no worth anywhere, as all of this
    passphrase: str = "demo-passphrase"  # noqa: S105


def demo_key(venue: str) -> DemoKey:
    match venue:
        case "kraken":
            # Kraken's secrets are base64, and clients decode them before they sign.
            return DemoKey(secret=b64encode(b"demo-secret-of-the-simulated-kraken").decode())
        case "coinbase":
            return DemoKey("organizations/demo/apiKeys/demo-key", _coinbase_secret())
        case _:
            return DemoKey()


def _coinbase_secret() -> str:
    """Coinbase's clients sign with an elliptic-curve key in PEM; this one is made from a number anybody can read."""
    key = ec.derive_private_key(_COINBASE_SCALAR, ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
