"""The web application: the API behind its one access check, the health pages, and the page for everything else.

Invariant: every route under ``/api`` passes ``Access.check``, and everything passes the border.
"""

from dataclasses import dataclass

from algotrendy_common.clock import Clock
from algotrendy_common.health import Health
from fastapi import APIRouter, Depends, FastAPI
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from algotrendy_gateway.api import problems
from algotrendy_gateway.api.access import Access
from algotrendy_gateway.api.accounts import account_routes
from algotrendy_gateway.api.alerts import alert_routes
from algotrendy_gateway.api.auth import auth_routes
from algotrendy_gateway.api.backtests import backtest_routes
from algotrendy_gateway.api.border import LOOPBACK, Border, host_name
from algotrendy_gateway.api.keys import key_routes
from algotrendy_gateway.api.market import market_routes
from algotrendy_gateway.api.orders import order_routes
from algotrendy_gateway.api.risk import risk_routes
from algotrendy_gateway.api.strategies import strategy_routes
from algotrendy_gateway.api.stream import socket_routes, ticket_routes
from algotrendy_gateway.desk import Desk
from algotrendy_gateway.domain.board import Board
from algotrendy_gateway.library import Library
from algotrendy_gateway.ports import Asking
from algotrendy_gateway.security.gate import Gate
from algotrendy_gateway.security.throttle import Throttle
from algotrendy_gateway.settings import GatewaySettings
from algotrendy_gateway.steering import Steering
from algotrendy_gateway.store.alerts import Alerts
from algotrendy_gateway.store.audit import AuditTrail
from algotrendy_gateway.stream.hub import Hub


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes are made of."""

    settings: GatewaySettings
    health: Health
    clock: Clock
    gate: Gate
    throttle: Throttle
    board: Board
    hub: Hub
    desk: Desk
    steering: Steering
    library: Library
    peers: Asking
    alerts: Alerts
    trail: AuditTrail


def build_web(parts: Parts, page: ASGIApp) -> Border:
    web = build_api(parts)
    web.router.routes.extend(_for_this_machine(route) for route in parts.health.routes())
    web.router.routes.append(Mount("/", page))
    return Border(web, parts.settings.public_origin)


def build_api(parts: Parts) -> FastAPI:
    """The API alone; its document is ``openapi()``, never served: it is kept with the sources."""
    web = FastAPI(
        title="AlgoTrendy gateway",
        version="1",
        openapi_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False},
        generate_unique_id_function=lambda route: route.name,
    )
    problems.add_handlers(web)
    access = Access(parts.gate, parts.throttle)
    api = APIRouter(prefix="/api", dependencies=[Depends(access.check)], responses=problems.DOCUMENTED)
    for routes in (
        auth_routes(parts.gate, parts.settings),
        account_routes(parts.board, parts.desk, parts.library, parts.peers, parts.health),
        market_routes(parts.board, parts.peers),
        order_routes(parts.desk, parts.steering, parts.library, parts.peers, parts.throttle),
        strategy_routes(parts.desk, parts.steering, parts.peers),
        risk_routes(parts.steering, parts.peers),
        key_routes(parts.steering, parts.peers),
        backtest_routes(parts.desk, parts.library),
        alert_routes(parts.alerts, parts.trail),
        ticket_routes(parts.gate, parts.desk),
    ):
        api.include_router(routes)
    web.include_router(api)
    web.include_router(
        socket_routes(parts.board, parts.hub, parts.gate, parts.health.version, parts.clock), prefix="/api"
    )
    return web


def _for_this_machine(route: Route) -> Route:
    """The health pages are open to probes; the metrics, which tell more, to this machine alone."""
    if route.path != "/metrics":
        return route
    inside = route.app

    async def local_only(scope: Scope, receive: Receive, send: Send) -> None:
        client = (scope.get("client") or ("",))[0]
        # The name is looked at too: behind a proxy on this machine everybody seems to come from here.
        if client not in LOOPBACK or host_name(Headers(scope=scope).get("host", "")) not in LOOPBACK:
            raise HTTPException(404)
        await inside(scope, receive, send)

    route.app = local_only
    return route
