"""Halting and releasing, approvals, limits, the portfolio."""

from typing import Annotated, Any, Literal, Self

from algotrendy_common.ids import AccountId, OrderId, StrategyId
from algotrendy_common.rpc import risk
from algotrendy_common.rpc.call import Nothing
from fastapi import APIRouter, Query
from pydantic import StringConstraints, model_validator

from algotrendy_gateway.api.access import Owner
from algotrendy_gateway.api.parameters import AccountQuery
from algotrendy_gateway.domain.risk import Approval, Halt, HaltResult, Limits, Portfolio
from algotrendy_gateway.domain.shape import GivenPrice, Shape
from algotrendy_gateway.ports import Asking
from algotrendy_gateway.steering import Steering

Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]


class TradingCommand(Shape):
    scope: Literal["strategy", "account", "all"]
    account: AccountId | None = None
    strategy: StrategyId | None = None
    reason: Reason

    @model_validator(mode="after")
    def _names_fit_scope(self) -> Self:
        if (self.scope == "account") != (self.account is not None):
            raise ValueError("an account goes with the scope 'account', and only with it")
        if (self.scope == "strategy") != (self.strategy is not None):
            raise ValueError("a strategy goes with the scope 'strategy', and only with it")
        return self


class HaltCommand(TradingCommand):
    flatten: bool = False
    """Close the positions too, with reductions only."""


class Decision(Shape):
    approved: bool
    reason: Reason
    reference_price: GivenPrice
    """The price on the screen when it was decided: moved too far since, risk asks again."""


class NewLimits(Shape):
    account: AccountId
    version: int
    """The newest version known: somebody quicker makes this one refused."""
    document: dict[str, Any]
    reason: Reason


class Done(Shape):
    order_id: OrderId
    status: Literal["decided"]


def risk_routes(steering: Steering, peers: Asking) -> APIRouter:
    routes = APIRouter(tags=["risk"])

    @routes.get("/halts")
    async def halts() -> list[Halt]:
        """Every halt in force."""
        return [Halt.of(halt) for halt in (await peers.ask(risk.HALTS, Nothing())).halts]

    @routes.post("/halt")
    async def halt(command: HaltCommand, owner: Owner) -> HaltResult:
        """No new orders, and working ones are cancelled."""
        asked = risk.HaltAsked(
            account=command.account,
            strategy=command.strategy,
            by=owner.username,
            reason=command.reason,
            flatten=command.flatten,
        )
        return await steering.halt(asked)

    @routes.post("/resume")
    async def resume(command: TradingCommand, owner: Owner) -> HaltResult:
        """Release a halt: the first person asks, a second, different one carries it out."""
        asked = risk.ResumeAsked(
            account=command.account, strategy=command.strategy, by=owner.username, reason=command.reason
        )
        return await steering.resume(asked)

    @routes.get("/approvals")
    async def approvals() -> list[Approval]:
        """Orders that wait for a person, oldest first."""
        return [Approval.of(waiting) for waiting in await steering.pending()]

    @routes.post("/approvals/{order_id}", status_code=202)
    async def decide_approval(order_id: OrderId, decision: Decision, owner: Owner) -> Done:
        await steering.decide(order_id, decision.approved, owner.username, decision.reason, decision.reference_price)
        return Done(order_id=order_id, status="decided")

    @routes.get("/limits")
    async def limits(account: AccountQuery) -> list[Limits]:
        """Every version, newest first; the first is in force."""
        return await steering.limits(account)

    @routes.put("/limits")
    async def set_limits(new: NewLimits, owner: Owner) -> Limits:
        return await steering.set_limits(risk.SetLimitsAsked(**dict(new), by=owner.username))

    @routes.get("/portfolio")
    async def portfolio(
        account: Annotated[AccountId | None, Query(description="None: all accounts")] = None,
        strategy: Annotated[StrategyId | None, Query(description="None: all strategies")] = None,
    ) -> Portfolio:
        """From fills and marks only."""
        return Portfolio.of(await peers.ask(risk.PORTFOLIO, risk.PortfolioAsked(account=account, strategy=strategy)))

    return routes
