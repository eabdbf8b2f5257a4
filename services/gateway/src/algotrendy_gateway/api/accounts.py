"""Accounts, their overview, positions and balances; and what anybody may know: the version and the mode."""

from algotrendy_common.enums import Mode
from algotrendy_common.health import Health
from algotrendy_common.rpc import broker_gateway
from fastapi import APIRouter

from algotrendy_gateway.api.parameters import AccountQuery
from algotrendy_gateway.desk import Desk
from algotrendy_gateway.domain.accounts import Account, Balance, Overview, Position
from algotrendy_gateway.domain.board import Board, balances_of
from algotrendy_gateway.domain.overview import platform_mode
from algotrendy_gateway.domain.shape import Shape
from algotrendy_gateway.library import Library
from algotrendy_gateway.ports import Asking


class PublicStatus(Shape):
    version: str
    mode: Mode | None
    """None until the accounts are known: take it for live."""
    replay: bool
    ready: bool


def account_routes(board: Board, desk: Desk, library: Library, peers: Asking, health: Health) -> APIRouter:
    routes = APIRouter(tags=["accounts"])

    @routes.get("/public/status")
    async def public_status() -> PublicStatus:
        ready = not await health.problems() and bool(board.accounts)
        return PublicStatus(version=health.version, mode=platform_mode(board), replay=board.replay, ready=ready)

    @routes.get("/accounts")
    async def accounts() -> list[Account]:
        return await desk.accounts()

    @routes.get("/overview")
    async def account_overview(account: AccountQuery) -> Overview:
        await desk.account(account)
        return await library.overview(account)

    @routes.get("/positions")
    async def positions(account: AccountQuery) -> list[Position]:
        await desk.account(account)
        answer = await peers.ask(broker_gateway.POSITIONS, broker_gateway.AccountAsked(account=account))
        return [
            Position.of(
                event,
                board.quotes.get((event.venue, event.symbol)),
                board.guard(event.account, event.venue, event.symbol),
            )
            for event in answer.positions
        ]

    @routes.get("/balances")
    async def balances(account: AccountQuery) -> list[Balance]:
        await desk.account(account)
        answer = await peers.ask(broker_gateway.BALANCES, broker_gateway.AccountAsked(account=account))
        return [] if answer.balance is None else list(balances_of(answer.balance))

    return routes
