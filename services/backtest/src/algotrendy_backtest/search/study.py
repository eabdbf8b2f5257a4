"""A search: candidates out, results in, until all are tried, the best stays the best for long, or somebody says stop.

Invariant: every trial that was computed is handed to ``keep`` before the next decision is made from it, so whoever
keeps trials can have the search resumed from them at any moment.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from statistics import median

from algotrendy_common.errors import Refused
from algotrendy_common.events.backtest import SearchSettings
from algotrendy_core.performance import Statistics

from algotrendy_backtest.computing.tasks import Candidate, Tried, TryAll
from algotrendy_backtest.domain import COMPILED_FROM_BARS
from algotrendy_backtest.search.executors import Executor
from algotrendy_backtest.search.samplers import Sampler, sampler_of
from algotrendy_backtest.search.space import Axis

_BATCH_S = 0.5
"""Candidates are given out in batches of about so much work: a message costs a millisecond."""
_BATCH_MOST = 256
_JUDGED_FROM = 8
"""Trials before pruning begins: a median of fewer is chance."""


@dataclass(frozen=True, slots=True)
class Found:
    best: Tried | None
    """None where no trial had a defined objective."""
    trials: int
    """Those known before included."""
    ended: str
    """``all_tried``, ``no_better`` (patience is over) or ``stopped`` (it can be resumed)."""


def search(
    axes: tuple[Axis, ...],
    settings: SearchSettings,
    *,
    bars: tuple[int, int],
    seed: int,
    executor: Executor,
    known: Mapping[int, Tried],
    fixed: Mapping[str, object],
    keep: Callable[[list[Tried], int], None],
    stop: Callable[[], bool],
) -> Found:
    """Search over ``bars`` (first, and one after the last). ``keep`` is told new trials and how many there will be.

    ``fixed`` are the parameters that do not vary. Raises Refused where the search itself cannot be.
    """
    if not axes:
        raise Refused("nothing_to_search", "no parameter varies: name some, like --vary fast=5:50:5")
    check_objective(settings.objective)
    sampler = sampler_of(axes, settings, seed, known)
    judged = _Judged(settings, known)
    # Each process compiles for itself; few bars in all are done sooner without.
    compiled = (bars[1] - bars[0]) * (sampler.total - len(known)) >= COMPILED_FROM_BARS * executor.workers
    out: dict[int, dict[str, object]] = {}
    ended = ""
    while True:
        ended = ended or judged.ended(stop)
        while not ended and executor.hungry():
            batch = _batch(sampler, judged, executor)
            if not batch:
                break
            out |= {candidate.number: dict(candidate.parameters) for candidate in batch}
            whole = tuple(Candidate(each.number, dict(fixed) | dict(each.parameters)) for each in batch)
            executor.submit(
                TryAll(
                    whole, *bars, settings.objective, settings.minimum_trades, judged.threshold(),
                    tell_partial=settings.prune, compiled=compiled,
                )
            )  # fmt: skip
        if not out:
            return Found(judged.best, len(judged.done), ended or "all_tried")
        came = executor.wait()
        if came:
            keep(came, sampler.total)
        for tried in came:
            varied = out.pop(tried.number)
            judged.add(tried)
            sampler.tell(replace(tried, parameters=varied))
        executor.foresee(judged.seconds * (sampler.total - len(judged.done)))


def check_objective(name: str) -> None:
    """Raises Refused where no statistic of that name exists."""
    known = sorted(field.name for field in fields(Statistics))
    if name.removeprefix("-") not in known:
        raise Refused("objective_unknown", f"there is no statistic {name!r}", known=", ".join(known))


def _batch(sampler: Sampler, judged: "_Judged", executor: Executor) -> list[Candidate]:
    size = 1
    if sampler.patient and judged.seconds:
        size = max(1, min(_BATCH_MOST, int(_BATCH_S / judged.seconds)))
        # The last ones are shared out, or one process would have them all.
        size = min(size, max(1, -(-(sampler.total - len(judged.done)) // (2 * executor.workers))))
    batch: list[Candidate] = []
    while len(batch) < size and (candidate := sampler.ask()) is not None:
        batch.append(candidate)
    return batch


class _Judged:
    """What came of trials so far."""

    def __init__(self, settings: SearchSettings, known: Mapping[int, Tried]) -> None:
        self._settings = settings
        self.done: set[int] = set()
        self.best: Tried | None = None
        self.seconds = 0.0
        """CPU time of a trial, a running average."""
        self._partials: list[float] = []
        self._since_best = 0
        for number in sorted(known):
            self.add(known[number])

    def add(self, tried: Tried) -> None:
        self.done.add(tried.number)
        if tried.seconds:
            # The first trial compiles, which later ones do not: it counts until there is a second.
            self.seconds = tried.seconds if len(self.done) <= 2 else 0.8 * self.seconds + 0.2 * tried.seconds
        if tried.partial is not None:
            self._partials.append(tried.partial)
        better = tried.objective is not None and (
            self.best is None
            or self.best.objective is None
            or (tried.objective, -tried.number) > (self.best.objective, -self.best.number)
        )
        if better:
            self.best, self._since_best = tried, 0
        elif tried.status in ("finished", "pruned"):
            self._since_best += 1

    def threshold(self) -> float | None:
        if not self._settings.prune or len(self._partials) < _JUDGED_FROM:
            return None
        return median(self._partials)

    def ended(self, stop: Callable[[], bool]) -> str:
        if stop():
            return "stopped"
        patience = self._settings.patience
        return "no_better" if patience is not None and self._since_best >= patience else ""
