"""Envelope encryption of a venue's keys: AES-256-GCM under a data key of the row's own, wrapped by another key.

Invariant: what is sealed for one account, venue and row opens for no other, and neither a row nor a wrapping key alone
tells anything. Randomness is given, so that nothing here draws it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from algotrendy_common.errors import InvariantBroken
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12
Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Bound:
    """What a secret belongs to; authenticated, not secret."""

    account: str
    venue: str
    credential_id: str

    def encoded(self) -> bytes:
        return "\x1f".join(("venue-credentials-v1", self.account, self.venue, self.credential_id)).encode()


class WrappingKeys(Protocol):
    """Key-encryption keys, in a file or behind a key service; they never leave it."""

    @property
    def newest(self) -> int:
        """The version that wraps from now on."""
        ...

    def wrap(self, data_key: bytes, bound: Bound) -> tuple[int, bytes]: ...

    def unwrap(self, version: int, wrapped: bytes, bound: Bound) -> bytes:
        """Raises InvariantBroken where it cannot be: another key, another row, or changed bytes."""
        ...


class HeldKeys:
    """Wrapping keys held in memory, by version."""

    def __init__(self, keys: dict[int, bytes], random: Random) -> None:
        if not keys or any(len(key) != KEY_BYTES or version < 1 for version, key in keys.items()):
            raise InvariantBroken(f"a wrapping key has a version from 1 on and {KEY_BYTES} bytes")
        self._keys = keys
        self._random = random

    @property
    def newest(self) -> int:
        return max(self._keys)

    def wrap(self, data_key: bytes, bound: Bound) -> tuple[int, bytes]:
        return self.newest, seal(self._keys[self.newest], data_key, bound, self._random)

    def unwrap(self, version: int, wrapped: bytes, bound: Bound) -> bytes:
        key = self._keys.get(version)
        if key is None:
            raise InvariantBroken("the key that wraps these credentials is not there", version=version)
        return unseal(key, wrapped, bound)


def keys_of(text: str) -> dict[int, bytes]:
    """The wrapping keys in a file's text: a line each, ``<version> <32 bytes, hex>``; ``#`` begins a comment.

    Raises InvariantBroken, never with the line's content.
    """
    keys: dict[int, bytes] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            version, key = int(words[0]), bytes.fromhex(words[1])
        except (ValueError, IndexError) as error:
            raise InvariantBroken("a line of the key file is not a version and a key", line=number) from error
        if version in keys or len(words) != 2:
            raise InvariantBroken("a line of the key file repeats a version or holds more than a key", line=number)
        keys[version] = key
    return keys


def seal(key: bytes, secret: bytes, bound: Bound, random: Random) -> bytes:
    """Nonce and ciphertext."""
    nonce = random(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, secret, bound.encoded())


def unseal(key: bytes, sealed: bytes, bound: Bound) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound.encoded())
    except (InvalidTag, ValueError) as error:
        raise InvariantBroken(
            "credentials do not open: wrong key, wrong row or changed", account=bound.account
        ) from error
