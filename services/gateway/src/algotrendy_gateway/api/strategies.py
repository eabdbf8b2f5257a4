"""Strategies and their signals."""

from typing import Annotated

from algotrendy_common.ids import StrategyId
from algotrendy_common.rpc import agent
from algotrendy_common.rpc.call import Nothing
from fastapi import APIRouter
from pydantic import StringConstraints

from algotrendy_gateway.api.access import Owner
from algotrendy_gateway.api.parameters import Limit
from algotrendy_gateway.desk import Desk
from algotrendy_gateway.domain.shape import Shape
from algotrendy_gateway.domain.strategies import Signal, Strategy
from algotrendy_gateway.ports import Asking
from algotrendy_gateway.steering import Steering


class Enabling(Shape):
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]


class Starting(Shape):
    override: Annotated[str, StringConstraints(min_length=10, max_length=500, strip_whitespace=True)] | None = None
    """Only with real money: why it may begin although no robustness check of it has passed. It is written down."""


class Enabled(Shape):
    strategy: StrategyId
    enabled: bool


def strategy_routes(desk: Desk, steering: Steering, peers: Asking) -> APIRouter:
    routes = APIRouter(tags=["strategies"])

    @routes.get("/strategies")
    async def strategies() -> list[Strategy]:
        answer = await peers.ask(agent.STRATEGIES, Nothing())
        return [Strategy.of(strategy) for strategy in answer.strategies]

    @routes.post("/strategies/{strategy}/start")
    async def start_strategy(strategy: StrategyId, owner: Owner, starting: Starting | None = None) -> Strategy:
        """With real money only what was found robust, or with a reason to do without."""
        override = starting.override if starting else None
        return await desk.command_strategy(agent.START, strategy, owner.username, override)

    @routes.post("/strategies/{strategy}/pause")
    async def pause_strategy(strategy: StrategyId, owner: Owner) -> Strategy:
        """Exits go on, entries do not."""
        return await desk.command_strategy(agent.PAUSE, strategy, owner.username)

    @routes.post("/strategies/{strategy}/stop")
    async def stop_strategy(strategy: StrategyId, owner: Owner) -> Strategy:
        """Its positions stay."""
        return await desk.command_strategy(agent.STOP, strategy, owner.username)

    @routes.post("/strategies/{strategy}/enable", status_code=202)
    async def enable_strategy(strategy: StrategyId, enabling: Enabling, owner: Owner) -> Enabled:
        """Risk switched it off because it kept firing; a person lets it trade again."""
        await steering.enable(strategy, owner.username, enabling.reason)
        return Enabled(strategy=strategy, enabled=True)

    @routes.get("/signals")
    async def signals(limit: Limit = 100) -> list[Signal]:
        """Newest first."""
        answer = await peers.ask(agent.SIGNALS, agent.SignalsAsked(limit=limit))
        return [Signal.of(signal) for signal in answer.signals]

    return routes
