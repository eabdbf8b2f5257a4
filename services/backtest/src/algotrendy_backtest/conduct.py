"""A job from its ground to its outcome, whatever its kind, the same from the command line and in the service.

Invariant: what was computed is kept before it is built on, and a job that is begun again computes nothing twice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from algotrendy_common.events.backtest import BacktestKind, SearchMethod, SearchSettings, WalkForwardSettings

from algotrendy_backtest.computing.child import Child
from algotrendy_backtest.computing.tasks import (
    Describe,
    Described,
    Examine,
    Examined,
    Ground,
    RunAll,
    Tried,
    Values,
    WalkOut,
)
from algotrendy_backtest.domain import Outcome
from algotrendy_backtest.errors import NothingFound, TooFewBars
from algotrendy_backtest.search.executors import Executor
from algotrendy_backtest.search.space import axes_of, neighbourhood
from algotrendy_backtest.search.study import Found, search
from algotrendy_backtest.walkforward import Window, windows_of

_MOST_COMPARED = 100
_NEIGHBOURS = 40
"""Tried in each window of a walk-forward where nobody said what may vary."""

Progress = Callable[[str, int, int], None]
"""Told the stage, what is done and what there is in all."""


class Trials(Protocol):
    """Where the trials of one job are kept."""

    def known(self, window: int) -> Mapping[int, Tried]: ...

    def keep(self, window: int, tried: list[Tried]) -> None: ...


@dataclass(frozen=True, slots=True)
class Conducted:
    outcome: Outcome | None
    """None where the job was stopped on its way and can be resumed."""
    best: Values | None = None
    trials: int = 0
    ended: str = "all_tried"
    examination: Mapping[str, Any] | None = None
    """Of a robustness check."""


@dataclass(frozen=True, slots=True)
class Conductor:
    """What a job needs beside itself. ``bench`` computes what is single, ``executor`` gives places for trials."""

    bench: Child
    executor: Callable[[Ground], Executor]
    trials: Trials
    progress: Progress
    stop: Callable[[], bool] = lambda: False
    folder: str | None = None

    def conduct(self, ground: Ground) -> Conducted:
        """Raises Refused for what is wrong with the job, Retryable for what is not its fault."""
        match ground.spec.kind:
            case BacktestKind.SWEEP:
                return self._sweep(ground)
            case BacktestKind.WALKFORWARD:
                return self._walk_forward(ground)
            case BacktestKind.ROBUSTNESS:
                return self._robustness(ground)
            case BacktestKind.RUN:
                return Conducted(self._run(ground, ground.spec.parameters))

    def describe(self, ground: Ground) -> Described:
        described: Described = self.bench.ask(ground, Describe())
        return described

    def _run(self, ground: Ground, values: Values) -> Outcome:
        outcome: Outcome = self.bench.ask(
            ground,
            RunAll(dict(values), self.folder),
            lambda done, total, stage: self.progress("computing", done, total),
        )
        return outcome

    def _sweep(self, ground: Ground) -> Conducted:
        described = self.describe(ground)
        executor = self.executor(ground)
        try:
            found = self._search(ground, described, executor, 0, (0, described.bars), "searching")
        finally:
            executor.close()
        if found.ended == "stopped":
            return Conducted(None, None, found.trials, found.ended)
        if found.best is None:
            raise NothingFound(found.trials)
        outcome = self._run(ground, found.best.parameters)
        return Conducted(_of_many(outcome, found.trials), found.best.parameters, found.trials, found.ended)

    def _walk_forward(self, ground: Ground) -> Conducted:
        described = self.describe(ground)
        windows = windows_of(described.bars, ground.spec.walk_forward or WalkForwardSettings())
        executor = self.executor(ground)
        try:
            return self._walked(ground, described, executor, windows, 0, self.folder)
        finally:
            executor.close()

    def _walked(
        self,
        ground: Ground,
        described: Described,
        executor: Executor,
        windows: tuple[Window, ...],
        part: int,
        folder: str | None,
    ) -> Conducted:
        """Trials are kept under the windows' numbers from ``part`` on."""
        chosen: list[Values | None] = []
        trials = 0
        for number, window in enumerate(windows):
            bars = (window.train_start, window.train_stop)
            stage = f"window {number + 1} of {len(windows)}"
            found = self._search(ground, described, executor, part + number, bars, stage)
            trials += found.trials
            if found.ended == "stopped":
                return Conducted(None, None, trials, found.ended)
            chosen.append(found.best.parameters if found.best else None)
        if not any(chosen):
            raise NothingFound(trials)
        outcome: Outcome = self.bench.ask(
            ground,
            WalkOut(windows, tuple(chosen), folder),
            lambda done, total, stage: self.progress("out of sample", done, total),
        )
        return Conducted(_of_many(outcome, trials), None, trials)

    def _robustness(self, ground: Ground) -> Conducted:
        """What is examined was given, or is the best of a search where parameters were said to vary."""
        described = self.describe(ground)
        asked = ground.spec.search or SearchSettings()
        values, trials = dict(ground.spec.parameters), 0
        tried: tuple[Values, ...] = ()
        walking = ground
        executor = self.executor(ground)
        try:
            if asked.space:
                found = self._search(ground, described, executor, 0, (0, described.bars), "searching")
                if found.ended == "stopped":
                    return Conducted(None, None, found.trials, found.ended)
                if found.best is None:
                    raise NothingFound(found.trials)
                values, trials = dict(found.best.parameters), found.trials
                tried = _spread_over(self.trials.known(0), _MOST_COMPARED)
            else:
                space = neighbourhood(described.parameters, values)
                near = SearchSettings(method=SearchMethod.RANDOM, trials=_NEIGHBOURS, space=space)
                walking = replace(ground, spec=ground.spec.model_copy(update={"search": near}))
            walked = self._walked_if_long_enough(walking, described, executor)
        finally:
            executor.close()
        if walked is not None and walked.outcome is None:
            return Conducted(None, None, trials + walked.trials, walked.ended)
        out = walked.outcome if walked else None
        walk_forward = None if out is None else out.statistics | {"windows": out.manifest["windows"]}
        examined: Examined = self.bench.ask(
            ground,
            Examine(values, tried, walk_forward, self.folder),
            lambda done, total, stage: self.progress(stage, done, total),
        )
        verdict = {"robust": int(bool(examined.document["passed"]))}
        outcome = replace(examined.outcome, statistics=examined.outcome.statistics | verdict)
        outcome = _of_many(outcome, trials) if trials else outcome
        return Conducted(outcome, values, trials, examination=examined.document)

    def _walked_if_long_enough(self, ground: Ground, described: Described, executor: Executor) -> Conducted | None:
        try:
            windows = windows_of(described.bars, ground.spec.walk_forward or WalkForwardSettings())
            return self._walked(ground, described, executor, windows, 1, None)
        except (TooFewBars, NothingFound):
            return None  # the examination says itself what it could not look at

    def _search(
        self, ground: Ground, described: Described, executor: Executor, window: int, bars: tuple[int, int], stage: str
    ) -> Found:
        settings = ground.spec.search or SearchSettings()
        axes = axes_of(described.parameters, settings.space)
        varied = {axis.name for axis in axes}
        fixed: dict[str, Any] = {name: value for name, value in ground.spec.parameters.items() if name not in varied}
        known = {number: _varied_only(tried, varied) for number, tried in sorted(self.trials.known(window).items())}
        done = len(known)

        def keep(tried: list[Tried], total: int) -> None:
            nonlocal done
            done += len(tried)
            self.trials.keep(window, tried)
            self.progress(stage, done, total)

        found = search(
            axes, settings, bars=bars, seed=ground.spec.seed, executor=executor, known=known, fixed=fixed, keep=keep,
            stop=self.stop,
        )  # fmt: skip
        best = found.best
        return found if best is None else replace(found, best=replace(best, parameters=fixed | dict(best.parameters)))


def _varied_only(tried: Tried, varied: set[str]) -> Tried:
    return replace(tried, parameters={name: tried.parameters[name] for name in tried.parameters if name in varied})


def _spread_over(known: Mapping[int, Tried], most: int) -> tuple[Values, ...]:
    """The sets that were computed, or as many evenly from the best to the worst: each is run once more."""
    ranked = sorted(
        (tried for tried in known.values() if tried.status == "finished"),
        key=lambda tried: (tried.objective is None, -(tried.objective or 0.0), tried.number),
    )
    step = max(1, -(-len(ranked) // most))
    return tuple(tried.parameters for tried in ranked[::step])


def _of_many(outcome: Outcome, trials: int) -> Outcome:
    """A result that is the best of many says so, or it would pass for one that was expected."""
    return replace(outcome, statistics=outcome.statistics | {"trials": trials})
