"""Strategies, their signals, and backtests of them."""

from typing import Any, Literal, Self

from algotrendy_common.clock import Instant
from algotrendy_common.enums import StrategyStatus, Timeframe
from algotrendy_common.events.backtest import BacktestKind, BacktestSpec
from algotrendy_common.events.signal import SignalRaised, StrategyStateChanged
from algotrendy_common.ids import AccountId, RunId, StrategyId, Symbol, Venue
from algotrendy_common.money import Amount, Price
from algotrendy_common.rpc.backtest import Run, RunSummary, Trials

from algotrendy_gateway.domain.accounts import EquityPoint
from algotrendy_gateway.domain.shape import Shape


class LastSignal(Shape):
    time: Instant
    target: Amount
    reason: str


class HeldAbroad(Shape):
    """A part of a strategy's position, on an account that stood in for its own."""

    account: AccountId
    venue: Venue
    quantity: Amount


class Strategy(Shape):
    strategy: StrategyId
    name: str
    kind: str
    venue: Venue
    symbol: Symbol
    timeframe: Timeframe
    account: AccountId
    status: StrategyStatus
    status_detail: str
    parameters: dict[str, Any]
    position_quantity: Amount
    realised_pnl: Amount
    routed_account: AccountId | None
    """Where its new orders go while its own account's venue is away."""
    routed_venue: Venue | None
    held_abroad: tuple[HeldAbroad, ...]
    last_signal: LastSignal | None
    updated_at: Instant

    @classmethod
    def of(cls, event: StrategyStateChanged) -> Self:
        signal = None
        if event.last_signal_time is not None and event.last_signal_target is not None:
            signal = LastSignal(
                time=event.last_signal_time, target=event.last_signal_target, reason=event.last_signal_reason or ""
            )
        return cls(
            strategy=event.strategy,
            name=event.name,
            kind=event.strategy_kind,
            venue=event.venue,
            symbol=event.symbol,
            timeframe=event.timeframe,
            account=event.account,
            status=event.status,
            status_detail=event.status_detail,
            parameters=event.parameters,
            position_quantity=event.position_quantity,
            realised_pnl=event.realised_pnl,
            routed_account=event.routed_account,
            routed_venue=event.routed_venue,
            held_abroad=tuple(HeldAbroad(**dict(held)) for held in event.held_abroad),
            last_signal=signal,
            updated_at=event.received_time,
        )


class Signal(Shape):
    strategy: StrategyId
    venue: Venue
    symbol: Symbol
    event_time: Instant
    received_time: Instant
    target: Amount
    reason: str
    price: Price

    @classmethod
    def of(cls, event: SignalRaised) -> Self:
        return cls(**event.model_dump(include=set(cls.model_fields)))


RunStatus = Literal["queued", "running", "paused", "finished", "failed"]


class BacktestSummary(Shape):
    run_id: RunId
    status: RunStatus
    strategy: str
    parameters: dict[str, Any]
    venue: Venue
    symbol: Symbol
    timeframe: Timeframe
    start: Instant | None
    end: Instant | None
    initial_cash: Amount
    slippage_bps: Amount
    seed: int
    kind: BacktestKind
    fees: str | None
    """The venue's table that they came from, and the level where it was named."""
    requested_by: str
    requested_at: Instant
    finished_at: Instant | None
    error: str | None
    statistics: dict[str, float | int | str | None]
    result_hash: str | None

    @classmethod
    def of(cls, run: RunSummary) -> Self:
        return cls(**_asked(run.spec), **run.model_dump(exclude={"spec"}))

    @classmethod
    def queued(cls, run_id: str, spec: BacktestSpec, by: str, at: Instant) -> Self:
        """A run that was asked for and that nobody has taken yet."""
        return cls(
            **_asked(spec),
            run_id=run_id,
            status="queued",
            requested_by=by,
            requested_at=at,
            finished_at=None,
            error=None,
            statistics={},
            result_hash=None,
        )


def _asked(spec: BacktestSpec) -> dict[str, Any]:
    shown = spec.model_dump(include=BacktestSummary.model_fields.keys() & BacktestSpec.model_fields.keys())
    return shown | {"strategy": spec.strategy_kind}


class BacktestTrade(Shape):
    time: Instant
    side: str
    price: Amount
    quantity: Amount
    fee: Amount
    pnl: Amount


class Backtest(BacktestSummary):
    trades: tuple[BacktestTrade, ...]
    equity: tuple[EquityPoint, ...]
    manifest: dict[str, Any]

    @classmethod
    def of_run(cls, run: Run) -> Self:
        return cls(
            **dict(BacktestSummary.of(run.summary)),
            trades=tuple(BacktestTrade(**dict(trade)) for trade in run.trades),
            equity=tuple(EquityPoint(**dict(point)) for point in run.equity),
            manifest=run.manifest,
        )

    @classmethod
    def of_summary(cls, summary: BacktestSummary) -> Self:
        return cls(**dict(summary), trades=(), equity=(), manifest={})


class BacktestTrial(Shape):
    """One set of parameters that a search tried."""

    window: int
    """Of a walk-forward, from 0; of a sweep always 0."""
    number: int
    parameters: dict[str, Any]
    status: str
    """``finished``, ``pruned``, ``refused`` or ``failed``."""
    objective: str | None
    statistics: dict[str, float | int | str | None]
    result_hash: str | None
    error: str | None


class BacktestTrials(Shape):
    trials: tuple[BacktestTrial, ...]
    tried: int
    """So far, of which ``trials`` is a page."""

    @classmethod
    def of(cls, found: Trials) -> Self:
        return cls(trials=tuple(BacktestTrial(**dict(trial)) for trial in found.trials), tried=found.total)


class BacktestArtefact(Shape):
    name: str
    media_type: str
    size: int
    """In bytes."""
    sha256: str


class BacktestUpdate(Shape):
    """A run on its way; the stream's ``backtest``."""

    run_id: RunId
    status: RunStatus
    stage: str
    done: int
    total: int
    error: str | None
