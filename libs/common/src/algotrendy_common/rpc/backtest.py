"""Questions about backtest runs. A run is asked for with the event ``BacktestRequested``.

Invariant: no answer grows with a run; what can be long is asked for page by page.
"""

from typing import Annotated, Any

from pydantic import Field

from algotrendy_common.clock import Instant
from algotrendy_common.enums import Timeframe
from algotrendy_common.events.backtest import BacktestSpec
from algotrendy_common.events.event import Record
from algotrendy_common.ids import RunId, Symbol
from algotrendy_common.money import Amount
from algotrendy_common.rpc.call import Call


class RunAsked(Record):
    run_id: RunId


class RunSummary(Record):
    run_id: RunId
    status: str
    """``queued``, ``running``, ``paused``, ``finished`` or ``failed``."""
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
    offset: Annotated[int, Field(ge=0)] = 0


class Runs(Record):
    """Newest first."""

    runs: tuple[RunSummary, ...]


class TradesAsked(Record):
    """All trades of a run, where ``Run`` carries the newest alone."""

    run_id: RunId
    offset: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=2000)] = 1000


class Trades(Record):
    """Oldest first."""

    trades: tuple[RunTrade, ...]
    total: int


class TrialsAsked(Record):
    run_id: RunId
    offset: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    best_first: bool = True
    """False: in the order in which they were tried."""


class Trial(Record):
    """One set of parameters tried in a search."""

    window: int
    """Of a walk-forward, from 0; of a sweep always 0."""
    number: int
    parameters: dict[str, Any]
    status: str
    """``finished``, ``pruned``, ``refused`` (no such parameters) or ``failed``."""
    objective: str | None
    """What was to be maximised, as text with all its digits; None where it is not defined."""
    statistics: dict[str, Any]
    result_hash: str | None
    """None where many sets were tried together, and what the objective does not need was not worked out."""
    error: str | None


class Trials(Record):
    trials: tuple[Trial, ...]
    total: int


class ArtefactsAsked(Record):
    run_id: RunId


class ArtefactInfo(Record):
    name: str
    media_type: str
    size: int
    """In bytes."""
    sha256: str


class Artefacts(Record):
    artefacts: tuple[ArtefactInfo, ...]


class ArtefactAsked(Record):
    run_id: RunId
    name: str
    offset: Annotated[int, Field(ge=0)] = 0


class ArtefactPart(Record):
    info: ArtefactInfo
    offset: int
    data: str
    """Base64 of at most 256 KiB."""
    more: bool


class PauseAsked(Record):
    run_id: RunId
    paused: bool
    """False: go on."""


class VerdictAsked(Record):
    """About a strategy as it is to trade: its kind, all its parameters, and what it trades."""

    strategy_kind: str
    parameters: dict[str, Any]
    symbol: Symbol
    timeframe: Timeframe


class Verdict(Record):
    """Of the newest robustness check of exactly that; ``passed`` is None where there was none."""

    passed: bool | None = None
    run_id: RunId | None = None
    finished_at: Instant | None = None


RUN = Call("backtest", "run", RunAsked, Run, ("gateway",))
RUNS = Call("backtest", "runs", RunsAsked, Runs, ("gateway",))
TRADES = Call("backtest", "trades", TradesAsked, Trades, ("gateway",))
TRIALS = Call("backtest", "trials", TrialsAsked, Trials, ("gateway",))
ARTEFACTS = Call("backtest", "artefacts", ArtefactsAsked, Artefacts, ("gateway",))
ARTEFACT = Call("backtest", "artefact", ArtefactAsked, ArtefactPart, ("gateway",))
PAUSE = Call("backtest", "pause", PauseAsked, RunSummary, ("gateway",))
VERDICT = Call("backtest", "verdict", VerdictAsked, Verdict, ("agent", "gateway"))
