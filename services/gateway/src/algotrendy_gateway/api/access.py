"""Who may call what, in one table.

Invariant: deny by default. A route under ``/api`` that is in neither list is refused to everybody, and ``check`` runs
before anything else of the route does.
"""

from typing import Annotated

from fastapi import Depends, Request

from algotrendy_gateway.domain.roles import Role
from algotrendy_gateway.errors import NotAllowed, NotAuthenticated
from algotrendy_gateway.security.gate import Gate
from algotrendy_gateway.security.throttle import Throttle
from algotrendy_gateway.store.sessions import SessionOwner

PUBLIC = frozenset({"public_status", "login", "refresh", "logout"})

NEEDS: dict[str, Role] = {
    "me": Role.VIEWER,
    "accounts": Role.VIEWER,
    "account_overview": Role.VIEWER,
    "positions": Role.VIEWER,
    "balances": Role.VIEWER,
    "instruments": Role.VIEWER,
    "quotes": Role.VIEWER,
    "candles": Role.VIEWER,
    "orders": Role.VIEWER,
    "order": Role.VIEWER,
    "fills": Role.VIEWER,
    "strategies": Role.VIEWER,
    "signals": Role.VIEWER,
    "backtests": Role.VIEWER,
    "backtest_run": Role.VIEWER,
    "backtest_trials": Role.VIEWER,
    "backtest_artefacts": Role.VIEWER,
    "backtest_artefact": Role.VIEWER,
    "alerts": Role.VIEWER,
    "halts": Role.VIEWER,
    "approvals": Role.VIEWER,
    "limits": Role.VIEWER,
    "portfolio": Role.VIEWER,
    "earn": Role.VIEWER,
    "stream_ticket": Role.VIEWER,
    "propose_order": Role.TRADER,
    "cancel_order": Role.TRADER,
    "start_strategy": Role.TRADER,
    "pause_strategy": Role.TRADER,
    "stop_strategy": Role.TRADER,
    "request_backtest": Role.TRADER,
    "pause_backtest": Role.TRADER,
    "resume_backtest": Role.TRADER,
    "halt": Role.TRADER,
    "resume": Role.TRADER,
    "decide_approval": Role.TRADER,
    "cancel_all": Role.TRADER,
    "enable_strategy": Role.TRADER,
    "change_earn": Role.TRADER,
    "set_limits": Role.ADMIN,
    "credentials": Role.ADMIN,
    "audit": Role.ADMIN,
}


def bearer(request: Request) -> str | None:
    """The access token that came with a request."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


class Access:
    def __init__(self, gate: Gate, throttle: Throttle) -> None:
        self._gate = gate
        self._throttle = throttle

    async def check(self, request: Request) -> None:
        """Raises ``NotAuthenticated``, ``NotAllowed`` or ``TooMany``; leaves the user with the request."""
        name = request.scope["route"].name
        if name in PUBLIC:
            return
        token = bearer(request)
        if token is None:
            raise NotAuthenticated
        owner = await self._gate.owner_of(token)
        request.state.owner = owner
        await self._throttle.request(owner.username)
        needed = NEEDS.get(name)
        if needed is None or not owner.role.covers(needed):
            raise NotAllowed(f"The role {owner.role.value} may not do this.")


def _owner(request: Request) -> SessionOwner:
    owner: SessionOwner = request.state.owner
    return owner


Owner = Annotated[SessionOwner, Depends(_owner)]
"""The user whom ``Access.check`` let in."""
