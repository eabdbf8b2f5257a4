"""Making and changing users: the demo's four, and those that an administrator adds by command.

Invariant: nobody exists by default. The demo's users are made only where a password for them was given.
"""

from algotrendy_common.clock import Clock
from algotrendy_common.database import Database
from algotrendy_common.telemetry import log

from algotrendy_gateway.audit import Auditor
from algotrendy_gateway.domain.roles import Role
from algotrendy_gateway.errors import Conflict, Invalid, NotFound
from algotrendy_gateway.security.passwords import MAX_LENGTH, MIN_LENGTH, Passwords
from algotrendy_gateway.store.users import User, Users

DEMO_USERS = (
    ("ada", "Ada", Role.ADMIN),
    ("tom", "Tom", Role.TRADER),
    ("uma", "Uma", Role.TRADER),
    ("vic", "Vic", Role.VIEWER),
)
SYSTEM = "system"
"""The actor where nobody was logged in."""


class People:
    def __init__(self, database: Database, users: Users, passwords: Passwords, auditor: Auditor, clock: Clock) -> None:
        self._database = database
        self._users = users
        self._passwords = passwords
        self._auditor = auditor
        self._clock = clock
        self._log = log("people")

    async def seed_demo(self, password: str) -> None:
        """The four demo users, with this password; those that exist and have it are left as they are."""
        shared: str | None = None
        for username, display_name, role in DEMO_USERS:
            user = await self._users.find(username)
            if user is not None and await self._passwords.matches(user.password_hash, password):
                continue
            # One password, so one hash does for all: at a tenth of a second each it is felt at start.
            shared = shared or await self._passwords.hash(password)
            async with self._database.transaction() as transaction:
                if await self._users.add(transaction, username, display_name, role, shared, self._clock.now()):
                    action = "add_user"
                else:
                    await self._users.set_password(transaction, username, shared)
                    action = "set_password"
                await self._auditor.record(transaction, SYSTEM, action, username, after=f"{role.value}, demo")
            self._log.info("demo user ready", username=username, role=role.value)

    async def add(self, username: str, display_name: str, role: Role, password: str) -> None:
        """Raises ``Invalid`` for a password that is too short, ``Conflict`` where the name is taken."""
        password_hash = await self._hashed(password)
        async with self._database.transaction() as transaction:
            if not await self._users.add(transaction, username, display_name, role, password_hash, self._clock.now()):
                raise Conflict("username_taken", f"There is a user {username} already.")
            await self._auditor.record(transaction, SYSTEM, "add_user", username, after=role.value)

    async def set_password(self, username: str, password: str) -> None:
        """Also ends the user's sessions. Raises ``Invalid`` or ``NotFound``."""
        password_hash = await self._hashed(password)
        async with self._database.transaction() as transaction:
            if not await self._users.set_password(transaction, username, password_hash):
                raise NotFound("user")
            await self._auditor.record(transaction, SYSTEM, "set_password", username)

    async def set_enabled(self, username: str, enabled: bool) -> None:
        """Disabling ends the user's sessions at once. Raises ``NotFound``."""
        async with self._database.transaction() as transaction:
            if not await self._users.set_enabled(transaction, username, enabled):
                raise NotFound("user")
            await self._auditor.record(transaction, SYSTEM, "enable_user" if enabled else "disable_user", username)

    async def all(self) -> list[User]:
        return await self._users.all()

    async def _hashed(self, password: str) -> str:
        if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
            raise Invalid({"password": f"Must have {MIN_LENGTH} to {MAX_LENGTH} characters."})
        return await self._passwords.hash(password)
