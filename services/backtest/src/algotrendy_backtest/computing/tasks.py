"""What a computing process is told and what it answers.

Invariant: everything here crosses a pipe, or a network to another machine, as it is; none of it holds a file that is
open or a function.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from algotrendy_common.events.backtest import BacktestSpec
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.instruments import Instrument

from algotrendy_backtest.domain import Outcome
from algotrendy_backtest.walkforward import Window

Values = Mapping[str, Any]
"""A strategy's parameters by name."""


@dataclass(frozen=True, slots=True)
class UserFile:
    """A user's strategy: its text travels, so that it runs where the file is not."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class CandleFile:
    """Plain candles, read by the computing process itself."""

    path: str
    timeframe: str | None
    repair: str
    start_ms: int | None = None
    end_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """What all runs of a job share. ``user_file`` stands for ``spec.strategy_kind`` where it is given."""

    spec: BacktestSpec
    instrument: Instrument
    data: CandleFile | BarSeries
    user_file: UserFile | None = None
    compiled: bool | None = None
    """None: compiled where it is worth it."""


@dataclass(frozen=True, slots=True)
class Described:
    """The ground as the computing process found it."""

    strategy: str
    parameters: Mapping[str, Mapping[str, Any]]
    """JSON schema of each parameter, by name."""
    bars: int
    first_ms: int
    last_ms: int
    timeframe: str
    data_hash: str
    repaired: tuple[str, ...] = ()
    """What was wrong with the data and mended as was asked."""


@dataclass(frozen=True, slots=True)
class Describe:
    """Answered by ``Described``."""


@dataclass(frozen=True, slots=True)
class RunAll:
    """The whole run; answered by ``Outcome``."""

    parameters: Values
    folder: str | None = None
    """Where the files of the result are written; None: nowhere."""


@dataclass(frozen=True, slots=True)
class Candidate:
    number: int
    parameters: Values


@dataclass(frozen=True, slots=True)
class TryAll:
    """Candidates over bars ``start`` to ``stop``; answered by a list of ``Tried``, one each, in order."""

    candidates: tuple[Candidate, ...]
    start: int
    stop: int
    objective: str
    minimum_trades: int
    prune_below: float | None = None
    """A candidate whose objective over the first third is below it is given up."""
    tell_partial: bool = False
    compiled: bool = True


@dataclass(frozen=True, slots=True)
class Tried:
    number: int
    parameters: Values
    status: str
    """``finished``, ``pruned``, ``refused`` (no such parameters) or ``failed``."""
    objective: float | None = None
    partial: float | None = None
    """The objective over the first third of the bars, where it was asked for."""
    statistics: Mapping[str, Any] = field(default_factory=dict)
    result_hash: str | None = None
    error: str | None = None
    seconds: float = 0.0
    """CPU time."""


@dataclass(frozen=True, slots=True)
class WalkOut:
    """Out of sample: each window's parameters over the bars after it; answered by ``Outcome``."""

    windows: tuple[Window, ...]
    parameters: tuple[Values | None, ...]
    """By window; None where the search found nothing that traded, and the window is sat out."""
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Examine:
    """Everything that could speak against a run; answered by ``Examined``."""

    parameters: Values
    tried: tuple[Values, ...] = ()
    """The sets that were looked at before these were chosen."""
    walk_forward: Mapping[str, Any] | None = None
    """What a walk-forward came to: its statistics and, under ``windows``, its windows."""
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    outcome: Outcome
    document: Mapping[str, Any]
    """As JSON has it."""


type Task = Describe | RunAll | TryAll | WalkOut | Examine
type Answer = Described | Outcome | list[Tried] | Examined


@dataclass(frozen=True, slots=True)
class Progressed:
    done: int
    total: int
    stage: str = ""
    """Of a task that has several; else the caller knows."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The answer to a ground."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The task's own fault; the process goes on."""

    code: str
    message: str


type Reply = Answer | Standing | Failed
