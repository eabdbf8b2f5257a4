"""Login, refresh and logout.

Invariant: the refresh token travels in an HttpOnly cookie alone, and the routes that live on the cookie take requests
of our own page only (a header no form can set, and the browser's word on the origin).
"""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from algotrendy_gateway.api.access import Owner, bearer
from algotrendy_gateway.api.border import same_origin
from algotrendy_gateway.domain.roles import Role
from algotrendy_gateway.domain.shape import Shape
from algotrendy_gateway.errors import NotAllowed, NotAuthenticated
from algotrendy_gateway.security.gate import Admission, Gate
from algotrendy_gateway.security.passwords import MAX_LENGTH
from algotrendy_gateway.settings import GatewaySettings
from algotrendy_gateway.store.sessions import SessionOwner

REQUESTED_WITH = "algotrendy"


class Credentials(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    username: Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True, to_lower=True)]
    password: str = Field(min_length=1, max_length=MAX_LENGTH)


class UserInfo(Shape):
    username: str
    display_name: str
    role: Role

    @classmethod
    def of(cls, owner: SessionOwner) -> "UserInfo":
        return cls(username=owner.username, display_name=owner.display_name, role=owner.role)


class LoggedIn(Shape):
    access_token: str
    expires_in: int
    """Seconds."""
    user: UserInfo


class LoggedOut(Shape):
    logged_out: bool = True


class RefreshCookie:
    """``__Host-`` and Secure over HTTPS. A browser keeps no Secure cookie of a plain-HTTP page, so on this machine's
    own address it is neither, and is narrowed to the routes that need it instead."""

    def __init__(self, *, https: bool) -> None:
        self._https = https
        self.name = "__Host-algotrendy-refresh" if https else "algotrendy-refresh"
        self._path = "/" if https else "/api/auth"

    def give(self, response: Response, admission: Admission) -> None:
        response.set_cookie(
            self.name,
            admission.refresh_token,
            expires=admission.refresh_expires_at,
            path=self._path,
            secure=self._https,
            httponly=True,
            samesite="strict",
        )

    def take_back(self, response: Response) -> None:
        response.delete_cookie(self.name, path=self._path, secure=self._https, httponly=True, samesite="strict")

    def read(self, request: Request) -> str | None:
        return request.cookies.get(self.name)


def from_our_page(request: Request, requested_with: str | None) -> None:
    """Raises ``NotAllowed`` for what another site could have made a browser send."""
    foreign = "origin" in request.headers and not same_origin(request.headers)
    if requested_with != REQUESTED_WITH or foreign:
        raise NotAllowed("This must be asked for by the page itself.", code="foreign_request")


def auth_routes(gate: Gate, settings: GatewaySettings) -> APIRouter:
    routes = APIRouter(prefix="/auth", tags=["auth"])
    cookie = RefreshCookie(https=settings.https)

    def admitted(response: Response, admission: Admission) -> LoggedIn:
        cookie.give(response, admission)
        return LoggedIn(
            access_token=admission.access_token,
            expires_in=int(settings.access_life.total_seconds()),
            user=UserInfo.of(admission.owner),
        )

    @routes.post("/login")
    async def login(credentials: Credentials, request: Request, response: Response) -> LoggedIn:
        address = request.client.host if request.client else "unknown"
        return admitted(response, await gate.login(credentials.username, credentials.password, address))

    @routes.post("/refresh")
    async def refresh(
        request: Request, response: Response, x_requested_with: Annotated[str | None, Header()] = None
    ) -> LoggedIn:
        from_our_page(request, x_requested_with)
        token = cookie.read(request)
        if token is None:
            raise NotAuthenticated
        return admitted(response, await gate.refresh(token))

    @routes.post("/logout")
    async def logout(
        request: Request, response: Response, x_requested_with: Annotated[str | None, Header()] = None
    ) -> LoggedOut:
        from_our_page(request, x_requested_with)
        await gate.logout(cookie.read(request), bearer(request))
        cookie.take_back(response)
        return LoggedOut()

    @routes.get("/me")
    async def me(owner: Owner) -> UserInfo:
        return UserInfo.of(owner)

    return routes
