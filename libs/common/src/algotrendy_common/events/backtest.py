"""Backtest jobs and what came of them."""

from typing import Any

from algotrendy_common.clock import Instant
from algotrendy_common.enums import Timeframe
from algotrendy_common.events.event import Event, Record
from algotrendy_common.ids import RunId, Symbol, Venue
from algotrendy_common.money import Amount


class BacktestSpec(Record):
    strategy_kind: str
    parameters: dict[str, Any]
    venue: Venue
    symbol: Symbol
    timeframe: Timeframe
    start: Instant | None = None
    end: Instant | None = None
    initial_cash: Amount
    slippage_bps: Amount
    seed: int = 0


class BacktestRequested(Event):
    """A job for the work queue; the same run id is done once."""

    run_id: RunId
    requested_by: str
    spec: BacktestSpec


class BacktestProgressed(Event):
    run_id: RunId
    stage: str
    done: int
    total: int


class BacktestFinished(Event):
    run_id: RunId
    ok: bool
    error: str | None
    result_hash: str | None
    statistics: dict[str, float | int | str | None]
    """Figures about the run; money in it is for reading, the trades in the store are exact."""
