"""Backtests: asked for here, run by whichever worker is free."""

from decimal import Decimal
from typing import Annotated, Any, Self

from algotrendy_common.clock import Instant
from algotrendy_common.enums import Timeframe
from algotrendy_common.events.backtest import BacktestKind, BacktestSpec, SearchSettings, WalkForwardSettings
from algotrendy_common.ids import RunId, Symbol, Venue
from algotrendy_common.money import Amount, Leverage
from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import Field, StringConstraints, model_validator

from algotrendy_gateway.api.access import Owner
from algotrendy_gateway.api.parameters import Limit, say_missing
from algotrendy_gateway.desk import Desk
from algotrendy_gateway.domain.shape import DECIMAL_TEXT, GivenQuantity, Shape
from algotrendy_gateway.domain.strategies import Backtest, BacktestArtefact, BacktestSummary, BacktestTrials
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
    kind: BacktestKind = BacktestKind.RUN
    fees: Annotated[str, StringConstraints(pattern=r"^[a-z]+(:[a-z0-9]+)?$", max_length=40)] | None = None
    """Of a venue's table: ``binance`` climbs by what is traded, ``binance:vip1`` stays there."""
    latency_ms: int = Field(0, ge=0, le=3_600_000)
    allow_short: bool = False
    leverage: Leverage | None = None
    search: SearchSettings | None = None
    """Of a sweep, a walk-forward and a robustness check."""
    walk_forward: WalkForwardSettings | None = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError("the end must be after the start")
        return self


FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Offset = Annotated[int, Query(ge=0)]
Page = Annotated[int, Query(ge=1, le=500, description="At most this many")]
_A_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file as it was written",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


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

    @routes.get("/backtests/{run_id}/trials")
    async def backtest_trials(
        run_id: RunId, offset: Offset = 0, limit: Page = 100, best_first: bool = True
    ) -> BacktestTrials:
        """What a search tried: the best first, or in the order in which they were tried."""
        return await library.trials(run_id, offset, limit, best_first=best_first)

    @routes.get("/backtests/{run_id}/artefacts")
    async def backtest_artefacts(run_id: RunId) -> list[BacktestArtefact]:
        """The files of a run that has ended: its page, its manifest, and all its trades."""
        return await library.artefacts(run_id)

    @routes.get("/backtests/{run_id}/artefacts/{name}", response_class=Response, responses=_A_FILE)
    async def backtest_artefact(run_id: RunId, name: FileName) -> Response:
        """One of the files, to be kept and not to be run here."""
        info, pieces = await library.artefact(run_id, name)
        headers = {"Content-Disposition": f'attachment; filename="{info.name}"', "Content-Length": str(info.size)}
        return StreamingResponse(pieces, media_type=info.media_type, headers=headers)

    @routes.post("/backtests/{run_id}/pause")
    async def pause_backtest(run_id: RunId, owner: Owner) -> BacktestSummary:
        """A search ends the trials under way and waits."""
        return await desk.pause_backtest(run_id, owner.username, paused=True)

    @routes.post("/backtests/{run_id}/resume")
    async def resume_backtest(run_id: RunId, owner: Owner) -> BacktestSummary:
        """It goes on where it was; no trial is computed twice."""
        return await desk.pause_backtest(run_id, owner.username, paused=False)

    return routes
