"""Passwords under Argon2id.

Invariant: checking the password of a user who does not exist takes as long as checking one who does.
"""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from algotrendy_gateway.errors import TooMany

MIN_LENGTH = 12
MAX_LENGTH = 256
# Each check takes 64 MiB and a core for a tenth of a second: a flood of logins must not take the machine.
_AT_ONCE = 2
_WAITING = 24


class Passwords:
    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._nobody = self._hasher.hash("the password of nobody")
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def hash(self, password: str) -> str:
        async with self._room:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """``password_hash`` None: there is no such user; the answer is False, after the same work.

        Raises ``TooMany`` where too many checks wait already.
        """
        if self._waiting >= _WAITING:
            raise TooMany(2)
        self._waiting += 1
        try:
            async with self._room:
                return await asyncio.to_thread(self._verify, password_hash or self._nobody, password) and (
                    password_hash is not None
                )
        finally:
            self._waiting -= 1

    def outdated(self, password_hash: str) -> bool:
        """True where the hash was made with lower cost than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
