"""A job from its ground to its outcome, whatever its kind, the same from the command line and in the service.

Invariant: what was computed is kept before it is built on, and a job that is begun again computes nothing twice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from algotrendy_common.events.backtest import BacktestKind, SearchSettings, WalkForwardSettings

from algotrendy_backtest.computing.child import Child
from algotrendy_backtest.computing.tasks import Describe, Described, Ground, RunAll, Tried, Values, WalkOut
from algotrendy_backtest.domain import Outcome
from algotrendy_backtest.errors import NothingFound
from algotrendy_backtest.search.executors import Executor
from algotrendy_backtest.search.space import axes_of
from algotrendy_backtest.search.study import Found, search
from algotrendy_backtest.walkforward import windows_of

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
            case _:
                return Conducted(self._run(ground, ground.spec.parameters))

    def describe(self, ground: Ground) -> Described:
        described: Described = self.bench.ask(ground, Describe())
        return described

    def _run(self, ground: Ground, values: Values) -> Outcome:
        outcome: Outcome = self.bench.ask(
            ground, RunAll(dict(values), self.folder), lambda done, total: self.progress("computing", done, total)
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
        chosen: list[Values | None] = []
        trials = 0
        try:
            for number, window in enumerate(windows):
                bars = (window.train_start, window.train_stop)
                stage = f"window {number + 1} of {len(windows)}"
                found = self._search(ground, described, executor, number, bars, stage)
                trials += found.trials
                if found.ended == "stopped":
                    return Conducted(None, None, trials, found.ended)
                chosen.append(found.best.parameters if found.best else None)
        finally:
            executor.close()
        if not any(chosen):
            raise NothingFound(trials)
        outcome: Outcome = self.bench.ask(
            ground,
            WalkOut(windows, tuple(chosen), self.folder),
            lambda done, total: self.progress("out of sample", done, total),
        )
        return Conducted(_of_many(outcome, trials), None, trials)

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


def _of_many(outcome: Outcome, trials: int) -> Outcome:
    """A result that is the best of many says so, or it would pass for one that was expected."""
    return replace(outcome, statistics=outcome.statistics | {"trials": trials})
