"""A strategy, its bars and its account, ready for one task after another.

Invariant: what a task does depends on the ground and the task alone, never on the tasks before it; so trials can be
spread over any number of processes and machines, and give the same results.
"""

import linecache
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from algotrendy_common.clock import to_ms
from algotrendy_common.enums import Timeframe
from algotrendy_common.errors import Refused
from algotrendy_core.backtest.candles_csv import load_candles
from algotrendy_core.backtest.engine import BacktestResult, run_backtest
from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.backtest.sweep import ROW, sweep
from algotrendy_core.strategies.interface import AnyStrategy
from algotrendy_core.strategies.registry import parameters_of, strategy_named

from algotrendy_backtest.computing import confinement
from algotrendy_backtest.computing.tasks import (
    Answer,
    Candidate,
    Describe,
    Described,
    Examine,
    Examined,
    Ground,
    RunAll,
    Task,
    Tried,
    TryAll,
    Values,
    WalkOut,
)
from algotrendy_backtest.computing.walk_out import walk_out
from algotrendy_backtest.domain import (
    COMPILED_FROM_BARS,
    Outcome,
    at_the_fees_of,
    config_of,
    outcome_of,
    statistics_of,
)
from algotrendy_backtest.results import write_pages, write_result

Progress = Callable[..., None]
"""Called with what is done, what there is in all and, where a task has several, the stage."""


class Bench:
    def __init__(self, ground: Ground) -> None:
        """Reads the data and the strategy; raises Refused for what is wrong with them."""
        self._ground = ground
        self._spec = ground.spec
        self._config = config_of(ground.spec)
        self._instrument = at_the_fees_of(ground.spec, ground.instrument)
        self._bars, self._repaired = bars_of(ground)
        self._strategy = strategy_of(ground)

    def answer(self, task: Task, progress: Progress) -> Answer:
        match task:
            case Describe():
                return self._described()
            case RunAll(parameters, folder):
                result = self._run(parameters, self._bars, self._compiled(len(self._bars)), progress)
                outcome = outcome_of(result, self._spec)
                self._write(folder, outcome, result)
                return outcome
            case Examine():
                return self._examine(task, progress)
            case TryAll():
                return self._try_all(task)
            case WalkOut():
                outcome, whole = walk_out(task, self._spec, self._bars, self._out_of_sample, progress)
                self._write(task.folder, outcome, whole)
                return outcome

    def _write(
        self, folder: str | None, outcome: Outcome, result: BacktestResult, examination: dict[str, Any] | None = None
    ) -> None:
        if folder is not None:
            closes = result.bars.time + result.bars.timeframe.seconds * 1000
            write_result(Path(folder), self._spec, outcome, result.equity.tolist(), closes.tolist())
            write_pages(Path(folder), result, self._spec, examination)

    def _described(self) -> Described:
        bars = self._bars
        schema = self._strategy.parameters.model_json_schema()
        return Described(
            strategy=self._strategy.name,
            parameters=schema["properties"],
            bars=len(bars),
            first_ms=int(bars.time[0]),
            last_ms=int(bars.time[-1]),
            timeframe=bars.timeframe.value,
            data_hash=bars.hash,
            repaired=self._repaired,
        )

    def _compiled(self, bars_in_all: int) -> bool:
        wanted = self._ground.compiled
        return bars_in_all >= COMPILED_FROM_BARS if wanted is None else wanted

    def _run(self, values: Values, bars: BarSeries, compiled: bool, progress: Progress | None) -> BacktestResult:
        parameters = parameters_of(self._strategy, values)
        return run_backtest(
            self._strategy, parameters, bars, self._instrument, self._config, compiled=compiled, progress=progress
        )

    # -- trials ------------------------------------------------------------------------------------------------

    def _try_all(self, task: TryAll) -> list[Tried]:
        bars = self._bars.slice(task.start, task.stop)
        compiled = task.compiled if self._ground.compiled is None else self._ground.compiled
        together = compiled and not task.tell_partial and task.objective.removeprefix("-") in (ROW.names or ())
        if together:
            try:
                return self._try_together(task, bars)
            except Exception:  # noqa: S110 - some set among them failed: which and why is found out one by one
                pass
        return [self._try(candidate, task, bars, compiled) for candidate in task.candidates]

    def _try_together(self, task: TryAll, bars: BarSeries) -> list[Tried]:
        """Many sets share buffers, and only what a search needs is worked out: several times faster."""
        tried = {each.number: each for each in map(self._checked, task.candidates)}
        sound = [each for each in tried.values() if each.status == "finished"]
        began = time.process_time()
        sets = [parameters_of(self._strategy, each.parameters) for each in sound]
        rows = sweep(self._strategy, sets, bars, self._instrument, self._config)
        seconds = (time.process_time() - began) / max(len(sound), 1)
        for each, row in zip(sound, rows, strict=True):
            values = {name: row[name].item() for name in row.dtype.names}
            statistics = {name: None if value != value else value for name, value in values.items()}
            objective = objective_of(statistics, task.objective, task.minimum_trades)
            tried[each.number] = replace(each, objective=objective, statistics=statistics, seconds=seconds)
        return list(tried.values())

    def _checked(self, candidate: Candidate) -> Tried:
        blank = Tried(candidate.number, dict(candidate.parameters), "finished")
        try:
            parameters_of(self._strategy, candidate.parameters)
        except Refused as refused:
            return replace(blank, status="refused", error=str(refused))
        return blank

    def _try(self, candidate: Candidate, task: TryAll, bars: BarSeries, compiled: bool) -> Tried:
        began = time.process_time()
        blank = self._checked(candidate)
        if blank.status == "refused":
            return blank
        partial = None
        try:
            if task.prune_below is not None or task.tell_partial:
                first = self._run(candidate.parameters, bars.slice(0, max(len(bars) // 3, 1)), compiled, None)
                partial = objective_of(statistics_of(first), task.objective, 0)
                if task.prune_below is not None and (partial is None or partial < task.prune_below):
                    return replace(blank, status="pruned", partial=partial, seconds=time.process_time() - began)
            result = self._run(candidate.parameters, bars, compiled, None)
        except Exception as error:  # a strategy may raise anything: the trial fails, the search goes on
            return replace(blank, status="failed", error=f"{error!r}, {confinement.where_raised(error)}")
        statistics = statistics_of(result)
        return replace(
            blank,
            status="finished",
            objective=objective_of(statistics, task.objective, task.minimum_trades),
            partial=partial,
            statistics=statistics,
            result_hash=result.result_hash,
            seconds=time.process_time() - began,
        )

    # -- against the result ------------------------------------------------------------------------------------

    def _examine(self, task: Examine, progress: Progress) -> Examined:
        from algotrendy_core.robustness.examination import Examination, examined

        from algotrendy_backtest.reports.documents import examination_document

        parameters = parameters_of(self._strategy, task.parameters)
        found = examined(
            lambda: strategy_of(self._ground),
            parameters,
            self._bars,
            self._instrument,
            self._config,
            examination=Examination(seed=self._spec.seed),
            tried=[parameters_of(self._strategy, values) for values in task.tried],
            progress=lambda stage, done, total: progress(done, total, stage),
        )
        walk_forward = None if task.walk_forward is None else dict(task.walk_forward)
        document = examination_document(found, walk_forward)
        outcome = outcome_of(found.result, self._spec)
        self._write(task.folder, outcome, found.result, document)
        return Examined(outcome, document)

    # -- out of sample -----------------------------------------------------------------------------------------

    def _out_of_sample(self, values: Values, start: int, stop: int, cash: Any) -> tuple[BacktestResult, int]:
        """Bars ``start`` to ``stop`` with cash of their own, and how many bars before them it was warmed up on."""
        parameters = parameters_of(self._strategy, values)
        warm = min(max(self._strategy.warm_up(parameters) - 1, 0), start)
        result = run_backtest(
            self._strategy,
            parameters,
            self._bars.slice(start - warm, stop),
            self._instrument,
            replace(self._config, initial_cash=cash),
            compiled=self._compiled(len(self._bars)),
        )
        return result, warm


def objective_of(statistics: dict[str, Any], name: str, minimum_trades: int) -> float | None:
    """Greater is better; None where the statistic is not defined or there were too few trades for it to count."""
    key = name.removeprefix("-")
    value = statistics[key]
    if not isinstance(value, int | float) or not isfinite(value) or (statistics["trades"] or 0) < minimum_trades:
        return None
    return -float(value) if name.startswith("-") else float(value)


def bars_of(ground: Ground) -> tuple[BarSeries, tuple[str, ...]]:
    if isinstance(ground.data, BarSeries):
        return ground.data, ()
    file = ground.data
    timeframe = Timeframe(file.timeframe) if file.timeframe else None
    bars, report = load_candles(file.path, timeframe, file.repair)
    spec = ground.spec
    first = 0 if spec.start is None else int(np.searchsorted(bars.time, to_ms(spec.start)))
    last = len(bars) if spec.end is None else int(np.searchsorted(bars.time, to_ms(spec.end)))
    if first >= last:
        raise Refused("no_bars", "there are no candles in that range", path=file.path)
    return bars.slice(first, last), tuple(f"{problem} ({problem.repair})" for problem in report.problems)


def strategy_of(ground: Ground) -> AnyStrategy:
    if ground.user_file is None:
        return strategy_named(ground.spec.strategy_kind)
    from algotrendy_core.strategies.user_file import load_user_strategy

    with tempfile.TemporaryDirectory(prefix="algotrendy-strategy-") as folder:
        path = Path(folder) / ground.user_file.name
        path.write_text(ground.user_file.text, encoding="utf-8")
        confinement.OWN_FILES.add(str(path))
        # Numba and tracebacks ask for lines long after the file is gone.
        linecache.cache[str(path)] = (
            len(ground.user_file.text), None, ground.user_file.text.splitlines(keepends=True), str(path)
        )  # fmt: skip
        return load_user_strategy(path)
