"""Backtests: asked for here, run by whichever worker is free."""

from decimal import Decimal
from typing import Annotated, Any, Self

from algotrendy_common.clock import Instant
from algotrendy_common.enums import Timeframe
from algotrendy_common.events.backtest import BacktestSpec
from algotrendy_common.ids import RunId, Symbol, Venue
from algotrendy_common.money import Amount
from fastapi import APIRouter, Response
from pydantic import Field, StringConstraints, model_validator

from algotrendy_gateway.api.access import Owner
from algotrendy_gateway.api.parameters import Limit, say_missing
from algotrendy_gateway.desk import Desk
from algotrendy_gateway.domain.shape import DECIMAL_TEXT, GivenQuantity, Shape
from algotrendy_gateway.domain.strategies import Backtest, BacktestSummary
from algotrendy_gateway.library import Library


class NewBacktest(Shape):
    strategy: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    """The kind of strategy, by its key in the registry."""
    parameters: dict[str, Any] = Field(default_factory=dict, max_length=100)
    venue: Venue
    symbol: Symbol
    timeframe: Timeframe
    start: Instant | None = None
    end: Instant | None = None
    initial_cash: GivenQuantity
    slippage_bps: Annotated[Amount, Field(ge=0, le=1000, decimal_places=4), DECIMAL_TEXT] = Decimal(1)
    """Basis points lost on each fill."""
    seed: int = Field(0, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError("the end must be after the start")
        return self


class BacktestTaken(Shape):
    run_id: RunId


def backtest_routes(desk: Desk, library: Library) -> APIRouter:
    routes = APIRouter(tags=["backtests"])

    @routes.post("/backtests", status_code=202)
    async def request_backtest(new: NewBacktest, owner: Owner) -> BacktestTaken:
        fields = dict(new)
        spec = BacktestSpec(strategy_kind=fields.pop("strategy"), **fields)
        return BacktestTaken(run_id=await desk.request_backtest(spec, owner.username))

    @routes.get("/backtests")
    async def backtests(response: Response, limit: Limit = 50) -> list[BacktestSummary]:
        """Newest first."""
        found, missing = await library.backtests(limit)
        say_missing(response, missing)
        return found

    @routes.get("/backtests/{run_id}")
    async def backtest_run(run_id: RunId) -> Backtest:
        return await library.backtest(run_id)

    return routes
