"""Backtest jobs and what came of them."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from algotrendy_common.clock import Instant
from algotrendy_common.enums import Timeframe
from algotrendy_common.events.event import Event, Record
from algotrendy_common.ids import RunId, Symbol, Venue
from algotrendy_common.money import ZERO, Amount, Leverage, Ratio


class BacktestKind(StrEnum):
    RUN = "run"
    SWEEP = "sweep"
    """Many runs over the same bars, each with other parameters."""
    WALKFORWARD = "walkforward"
    """Sweeps over windows, each result tried on the bars that follow its window."""
    ROBUSTNESS = "robustness"
    """A run, a sweep and a walk-forward, and the checks that try to prove them wrong."""


class SearchMethod(StrEnum):
    GRID = "grid"
    RANDOM = "random"
    TPE = "tpe"
    """Optuna's tree-structured Parzen estimator: it looks where trials so far were good."""


class SearchSettings(Record):
    """How a sweep looks for parameters."""

    method: SearchMethod = SearchMethod.GRID
    space: dict[str, str] = Field(default_factory=dict, max_length=20)
    """Of each parameter that varies: ``low:high:step``, ``low:high`` or ``a,b,c``. Empty: every parameter within its
    own bounds."""
    trials: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """At most so many; a grid that is larger is refused, unless it is what random or TPE draw from."""
    objective: str = "sharpe"
    """The statistic to maximise; with a minus before it, to minimise."""
    minimum_trades: Annotated[int, Field(ge=0)] = 1
    """A trial with fewer closed trades counts as the worst."""
    patience: Annotated[int, Field(ge=1)] | None = None
    """Stop after so many trials without a better one."""
    prune: bool = False
    """Give a trial up whose objective over the first parts of the bars is below the median of the others there."""


class WalkForwardSettings(Record):
    windows: Annotated[int, Field(ge=1, le=200)] = 5
    train_share: Ratio = Decimal("0.75")
    """Of a window's bars, for the search; the rest follows it and is what counts."""
    anchored: bool = False
    """True: every search begins at the first bar. False: its bars move on with the window."""


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
    kind: BacktestKind = BacktestKind.RUN
    maker_fee: Amount | None = None
    """As a fraction; None: the instrument's own."""
    taker_fee: Amount | None = None
    fees: Annotated[str, Field(pattern=r"^[a-z]+(:[a-z0-9]+)?$", max_length=40)] | None = None
    """Of a venue's table, in place of both: ``binance`` climbs by what is traded, ``binance:vip1`` stays there."""
    latency_ms: Annotated[int, Field(ge=0)] = 0
    """From a bar's close to the venue; a fill waits for the first price after it."""
    allow_short: bool = False
    leverage: Leverage | None = None
    """None: an account without margin."""
    borrow_rate: Annotated[Amount, Field(ge=0)] = ZERO
    """A year, of a short position's value, as a fraction."""
    volume_share: Ratio | None = None
    """Of a bar's volume that may be filled; the rest waits for the next. None: no limit."""
    impact: Annotated[Amount, Field(ge=0)] = ZERO
    """Slippage, as a fraction of the price, of trading a whole bar's volume; grows with the square of the share."""
    search: SearchSettings | None = None
    """Of a sweep, a walk-forward and a robustness check; their defaults where it is None."""
    walk_forward: WalkForwardSettings | None = None


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
