"""In which order parameters are tried.

Invariant: grid and random give trial n the same parameters on any machine and after any pause; TPE depends on what it
was told, so a search that is resumed tells it everything again.
"""

import random
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from algotrendy_common.errors import Refused
from algotrendy_common.events.backtest import SearchMethod, SearchSettings

from algotrendy_backtest.computing.tasks import Candidate, Tried
from algotrendy_backtest.search.space import Axis, grid, size_of

if TYPE_CHECKING:
    import optuna


class Sampler(Protocol):
    total: int
    """How many trials there will be, those done included."""
    patient: bool
    """True: what comes next does not depend on what is told, so any number can be asked for at once."""

    def ask(self) -> Candidate | None:
        """The next one; None where all were given out."""
        ...

    def tell(self, tried: Tried) -> None: ...


def sampler_of(axes: tuple[Axis, ...], settings: SearchSettings, seed: int, known: Mapping[int, Tried]) -> Sampler:
    """``known``: trials that were done before, by number. Raises Refused for a grid that is larger than allowed."""
    match settings.method:
        case SearchMethod.GRID:
            size = size_of(axes)
            if size > settings.trials:
                raise Refused(
                    "grid_too_large",
                    f"the grid has {size} points and {settings.trials} trials are allowed: allow more, widen the "
                    "steps, or draw from it with random or tpe",
                )
            return _Listed(enumerate(grid(axes)), size, known)
        case SearchMethod.RANDOM:
            countable = all(axis.choices or axis.step is not None for axis in axes)
            if countable and (size := size_of(axes)) <= settings.trials:
                return _Listed(enumerate(grid(axes)), size, known)  # all of it, rather than some of it twice
            drawn = ((number, _drawn(axes, seed, number)) for number in range(settings.trials))
            return _Listed(drawn, settings.trials, known)
        case SearchMethod.TPE:
            return _Tpe(axes, settings.trials, seed, known)


class _Listed:
    patient = True

    def __init__(self, candidates: Any, total: int, known: Mapping[int, Tried]) -> None:
        self.total = total
        self._candidates = (pair for pair in candidates if pair[0] not in known)

    def ask(self) -> Candidate | None:
        for number, parameters in islice(self._candidates, 1):
            return Candidate(number, parameters)
        return None

    def tell(self, tried: Tried) -> None:
        """What comes next is settled."""


def _drawn(axes: tuple[Axis, ...], seed: int, number: int) -> dict[str, int | float]:
    source = random.Random(f"{seed}:{number}")  # noqa: S311 - a search, not a secret
    values: dict[str, int | float] = {}
    for axis in axes:
        if axis.choices or axis.step is not None:
            values[axis.name] = source.choice(axis.grid())
        elif axis.whole:
            values[axis.name] = source.randint(int(axis.low), int(axis.high))
        else:
            values[axis.name] = source.uniform(float(axis.low), float(axis.high))
    return values


class _Tpe:
    patient = False

    def __init__(self, axes: tuple[Axis, ...], total: int, seed: int, known: Mapping[int, Tried]) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.total = total
        self._optuna = optuna
        self._distributions = {axis.name: _distribution(axis) for axis in axes}
        # Several trials are under way at once: the liar keeps them from being the same one.
        sampler = optuna.samplers.TPESampler(seed=seed + len(known), constant_liar=True)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._open: dict[int, optuna.trial.Trial] = {}
        self._next = max(known, default=-1) + 1
        self._left = total - len(known)
        for tried in known.values():
            self._study.add_trial(self._past(tried))

    def ask(self) -> Candidate | None:
        if self._left <= 0:
            return None
        self._left -= 1
        number, self._next = self._next, self._next + 1
        trial = self._open[number] = self._study.ask(self._distributions)
        return Candidate(number, dict(trial.params))

    def tell(self, tried: Tried) -> None:
        self._study.tell(self._open.pop(tried.number), tried.objective, state=self._state(tried))

    def _past(self, tried: Tried) -> "optuna.trial.FrozenTrial":
        return self._optuna.trial.create_trial(
            state=self._state(tried),
            params=dict(tried.parameters),
            distributions=self._distributions,
            value=tried.objective,
        )

    def _state(self, tried: Tried) -> "optuna.trial.TrialState":
        states = self._optuna.trial.TrialState
        if tried.objective is not None:
            return states.COMPLETE
        return states.PRUNED if tried.status in ("pruned", "finished") else states.FAIL


def _distribution(axis: Axis) -> "optuna.distributions.BaseDistribution":
    import optuna

    if axis.choices:
        return optuna.distributions.CategoricalDistribution(axis.choices)
    low, high = axis.number(axis.low), axis.number(axis.high)
    if axis.whole:
        return optuna.distributions.IntDistribution(int(low), int(high), step=int(axis.step or 1))
    return optuna.distributions.FloatDistribution(low, high, step=float(axis.step) if axis.step else None)
