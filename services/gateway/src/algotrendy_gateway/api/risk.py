"""Halting and resuming."""

from typing import Annotated, Literal, Self

from algotrendy_common.events.risk import RiskStateChanged
from algotrendy_common.ids import AccountId
from fastapi import APIRouter
from pydantic import StringConstraints, model_validator

from algotrendy_gateway.api.access import Owner
from algotrendy_gateway.desk import Desk
from algotrendy_gateway.domain.accounts import HaltResult, most_restrictive
from algotrendy_gateway.domain.shape import Shape


class TradingCommand(Shape):
    scope: Literal["account", "all"]
    account: AccountId | None = None
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]

    @model_validator(mode="after")
    def _account_fits_scope(self) -> Self:
        if (self.scope == "account") != (self.account is not None):
            raise ValueError("an account goes with the scope 'account', and only with it")
        return self


def risk_routes(desk: Desk) -> APIRouter:
    routes = APIRouter(tags=["risk"])

    @routes.post("/halt")
    async def halt(command: TradingCommand, owner: Owner) -> HaltResult:
        """No new orders, and working ones are cancelled."""
        return _result(await desk.halt(command.account, owner.username, command.reason))

    @routes.post("/resume")
    async def resume(command: TradingCommand, owner: Owner) -> HaltResult:
        return _result(await desk.resume(command.account, owner.username, command.reason))

    return routes


def _result(states: tuple[RiskStateChanged, ...]) -> HaltResult:
    by_account = {state.account: state.trading_state for state in states}
    return HaltResult(trading_state=most_restrictive(by_account), accounts=by_account)
