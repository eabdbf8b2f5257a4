"""Questions about backtest runs. A run is asked for with the event ``BacktestRequested``."""

from typing import Any

from algotrendy_common.clock import Instant
from algotrendy_common.events.backtest import BacktestSpec
from algotrendy_common.events.event import Record
from algotrendy_common.ids import RunId
from algotrendy_common.money import Amount
from algotrendy_common.rpc.call import Call


class RunAsked(Record):
    run_id: RunId


class RunSummary(Record):
    run_id: RunId
    status: str
    """``queued``, ``running``, ``finished`` or ``failed``."""
    spec: BacktestSpec
    requested_by: str
    requested_at: Instant
    finished_at: Instant | None
    error: str | None
    statistics: dict[str, Any]
    result_hash: str | None


class RunTrade(Record):
    time: Instant
    side: str
    price: Amount
    quantity: Amount
    fee: Amount
    pnl: Amount


class RunEquity(Record):
    time: Instant
    equity: Amount


class Run(Record):
    summary: RunSummary
    trades: tuple[RunTrade, ...]
    equity: tuple[RunEquity, ...]
    """At most 500 points."""
    manifest: dict[str, Any]


class RunsAsked(Record):
    limit: int = 50


class Runs(Record):
    """Newest first."""

    runs: tuple[RunSummary, ...]


RUN = Call("backtest", "run", RunAsked, Run, ("gateway",))
RUNS = Call("backtest", "runs", RunsAsked, Runs, ("gateway",))
