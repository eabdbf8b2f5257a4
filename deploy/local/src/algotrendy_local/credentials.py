"""Secrets of a stack, made once and kept in ``keys/``: NATS users, passwords, the demo login.

Invariant: a secret that exists is never replaced, for servers and clients already agree on it.
"""

import json
import secrets
from collections.abc import Callable
from pathlib import Path

import nkeys
from algotrendy_common.permissions import USERS

from algotrendy_local.home import Home, write_private

DEMO_USERS = {"ada": "admin", "tom": "trader", "uma": "trader", "vic": "viewer"}


class Credentials:
    """Reads secrets from a home, and makes those that are missing."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def password(self, name: str) -> str:
        """A password of 32 URL-safe characters."""
        return self._kept(f"{name}.password", lambda: secrets.token_urlsafe(24))

    def nats_seed_files(self) -> dict[str, Path]:
        """The file of each user's seed, made if missing."""
        return {user: self._kept_file(f"{user}.nkey", _new_nats_seed) for user in USERS}

    def nats_public_keys(self) -> dict[str, str]:
        """The public half of each user's key, for the server."""
        return {user: _public_key(file.read_text().strip()) for user, file in self.nats_seed_files().items()}

    def signing_key(self, name: str) -> str:
        """32 random bytes in hex: the seed of an Ed25519 key, or the key of an HMAC."""
        return self._kept(f"{name}.key", lambda: secrets.token_hex(32))

    def demo_password(self) -> str:
        """The one password of the demo users; kept in ``demo-login.json`` where people look for it."""
        path = self._home.demo_login
        if not path.exists():
            login = {"password": secrets.token_urlsafe(9), "users": DEMO_USERS}
            write_private(path, json.dumps(login, indent=2) + "\n")
        password: str = json.loads(path.read_text())["password"]
        return password

    def _kept(self, file_name: str, make: Callable[[], str]) -> str:
        return self._kept_file(file_name, make).read_text().strip()

    def _kept_file(self, file_name: str, make: Callable[[], str]) -> Path:
        path = self._home.keys / file_name
        if not path.exists():
            write_private(path, make() + "\n")
        return path


def _new_nats_seed() -> str:
    seed: bytes = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER)
    return seed.decode()


def _public_key(seed: str) -> str:
    key: bytes = nkeys.from_seed(seed.encode()).public_key
    return key.decode()
