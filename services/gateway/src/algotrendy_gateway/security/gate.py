"""The way in and out: login, refresh, logout, and whether a token still counts.

Invariant: a token counts only while its session lives in PostgreSQL; where neither Redis nor PostgreSQL can say so,
it does not count.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from algotrendy_common.clock import Clock
from algotrendy_common.database import UNREACHABLE, Database
from algotrendy_common.errors import Retryable
from algotrendy_common.ids import new_id
from algotrendy_common.telemetry import log

from algotrendy_gateway.adapters.session_cache import Ended, SessionCache
from algotrendy_gateway.audit import Auditor
from algotrendy_gateway.errors import NotAuthenticated, ServiceMissing
from algotrendy_gateway.security.passwords import Passwords
from algotrendy_gateway.security.throttle import Throttle
from algotrendy_gateway.security.tokens import AccessTokens, new_secret
from algotrendy_gateway.store.sessions import EndReason, Reused, Rotated, SessionOwner, Sessions
from algotrendy_gateway.store.users import Users

TICKET_LIFE = timedelta(seconds=30)
_WRONG = "Wrong user name or password."
_OVER = "The session has ended. Log in again."


@dataclass(frozen=True, slots=True)
class Admission:
    """What somebody who was let in is given."""

    owner: SessionOwner
    access_token: str
    refresh_token: str
    refresh_expires_at: datetime


class Gate:
    def __init__(
        self,
        database: Database,
        users: Users,
        sessions: Sessions,
        cache: SessionCache,
        passwords: Passwords,
        tokens: AccessTokens,
        throttle: Throttle,
        auditor: Auditor,
        clock: Clock,
        *,
        idle: timedelta,
        session_life: timedelta,
    ) -> None:
        self._database = database
        self._users = users
        self._sessions = sessions
        self._cache = cache
        self._passwords = passwords
        self._tokens = tokens
        self._throttle = throttle
        self._auditor = auditor
        self._clock = clock
        self._idle = idle
        self._session_life = session_life
        self._log = log("gate")

    async def login(self, username: str, password: str, address: str) -> Admission:
        """Raises ``NotAuthenticated``, the same for a wrong name and a wrong password, or ``TooMany``."""
        await self._throttle.before_login(username, address)
        user = await self._users.find(username)
        good = await self._passwords.matches(None if user is None else user.password_hash, password)
        if user is None or not good or not user.enabled:
            await self._throttle.login_failed(username, address)
            self._log.warning("login refused", username=username if user else "(unknown)", address=address)
            raise NotAuthenticated(_WRONG)
        await self._throttle.login_succeeded(username, address)
        if self._passwords.outdated(user.password_hash):
            await self._users.upgrade_hash(username, user.password_hash, await self._passwords.hash(password))
        now = self._clock.now()
        owner = SessionOwner(new_id(), user.username, user.display_name, user.role)
        ends = now + self._session_life
        async with self._database.transaction() as transaction:
            await self._sessions.begin(transaction, owner, user.session_epoch, now, ends)
            token, expires = new_secret(), min(now + self._idle, ends)
            await self._sessions.add_refresh_token(transaction, token, owner.session_id, now, expires)
            await self._auditor.record(transaction, username, "login", owner.session_id, after=f"from {address}")
        return Admission(owner, self._tokens.issue(username, owner.session_id), token, expires)

    async def refresh(self, token: str) -> Admission:
        """Exchange a refresh token, once; a second use ends the session. Raises ``NotAuthenticated``."""
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            use = await self._sessions.use_refresh_token(transaction, token, now)
            if isinstance(use, Rotated):
                fresh, expires = new_secret(), min(now + self._idle, use.expires_at)
                await self._sessions.add_refresh_token(transaction, fresh, use.owner.session_id, now, expires)
            elif isinstance(use, Reused):
                await self._auditor.record(
                    transaction, use.username, "refresh_token_reused", use.session_id, outcome="session ended"
                )
        if isinstance(use, Reused):
            self._log.warning("refresh token used twice", username=use.username, session=use.session_id)
            await self._cache.ended(use.session_id)
        if not isinstance(use, Rotated):
            raise NotAuthenticated(_OVER)
        access = self._tokens.issue(use.owner.username, use.owner.session_id)
        return Admission(use.owner, access, fresh, expires)

    async def logout(self, refresh_token: str | None, access_token: str | None) -> None:
        """End the session that either token belongs to; tokens of no session are left without a word."""
        now = self._clock.now()
        ended: list[str] = []
        async with self._database.transaction() as transaction:
            found = [await self._sessions.owner_of_token(transaction, refresh_token)] if refresh_token else []
            found.append(self._named_by(access_token))
            for session_id, username in {pair for pair in found if pair is not None}:
                await self._sessions.end(transaction, session_id, EndReason.LOGOUT, now)
                await self._auditor.record(transaction, username, "logout", session_id)
                ended.append(session_id)
        for session_id in ended:
            await self._cache.ended(session_id)

    async def owner_of(self, access_token: str) -> SessionOwner:
        """Who holds it, with today's role. Raises ``NotAuthenticated``, or ``ServiceMissing``: nobody can say."""
        claims = self._tokens.check(access_token)
        known = await self._cache.find(claims.session_id)
        if known is Ended:
            raise NotAuthenticated(_OVER)
        if isinstance(known, SessionOwner) and known.username == claims.username:
            return known
        try:
            owner = await self._sessions.live(claims.session_id, self._clock.now())
        except (*UNREACHABLE, Retryable, TimeoutError) as error:
            raise ServiceMissing("the session store") from error
        if owner is None or owner.username != claims.username:
            raise NotAuthenticated(_OVER)
        await self._cache.alive(owner)
        return owner

    # -- the stream's tickets ----------------------------------------------------------------------------------

    async def ticket(self, owner: SessionOwner, account: str) -> str:
        """A secret that opens one stream, once, within 30 s."""
        secret = new_secret()
        await self._sessions.add_ticket(secret, owner.session_id, account, self._clock.now() + TICKET_LIFE)
        return secret

    async def use_ticket(self, ticket: str) -> tuple[SessionOwner, str] | None:
        return await self._sessions.use_ticket(ticket, self._clock.now())

    def _named_by(self, access_token: str | None) -> tuple[str, str] | None:
        if access_token is None:
            return None
        try:
            claims = self._tokens.check(access_token)
        except NotAuthenticated:
            return None
        return claims.session_id, claims.username
