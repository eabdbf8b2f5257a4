"""Does a strategy see what it cannot know, or depend on where its history happens to begin?

The interface shows a step nothing but the bar and what went before; what can still go wrong is knowledge kept beside it
(a module's own list, a file) and arithmetic that never forgets its start. Both are looked for by running the strategy
again under conditions that must not matter, and the first line that tells two runs apart is named.
Invariant: a strategy that breaks neither rule is never accused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isnan

import numpy as np

from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.bars import Candle
from algotrendy_core.robustness.resampling import resampled
from algotrendy_core.robustness.tracing import Guilty, Line, Stepper, first_difference
from algotrendy_core.strategies.interface import AnyStrategy, Decision, Parameters

Make = Callable[[], AnyStrategy]

_MOST_BARS = 3000
_RECURSION_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class LookAhead:
    """A decision that changed when only later bars did, or when the same bars were run again."""

    bar: int
    guilty: Guilty | None
    """None where no line of Python shows it, as inside a library."""


@dataclass(frozen=True, slots=True)
class StartDependence:
    """Another start, another decision, although the strategy had said that it was warm."""

    bar: int
    started_at: int
    bars_seen: int
    warm_up: int
    guilty: Guilty | None


def look_ahead(make: Make, parameters: Parameters, bars: BarSeries, *, seed: int = 0) -> LookAhead | None:
    """None where nothing was found. Runs on at most 3,000 bars.

    ``make`` gives the strategy as it is when its file has just been loaded.
    """
    part = bars.slice(0, _MOST_BARS)
    true = _candles(part)
    cut = len(true) // 2
    other_future = true[:cut] + _candles(resampled(part, mean_block=20, seed=seed))[cut:]
    strategy = make()
    first = _decisions(strategy, parameters, true)
    for candles, upto in ((other_future, cut), (true, len(true)), (true[:cut], cut)):
        again = _decisions(strategy, parameters, candles)
        bar = _first_other(first[:upto], again[:upto])
        if bar is not None:
            return LookAhead(bar, _line_of(make, parameters, true, other_future, bar))
    return None


def start_dependence(strategy: AnyStrategy, parameters: Parameters, bars: BarSeries) -> StartDependence | None:
    """None where, once warm, it decides as if it had run for ever. Runs on at most 3,000 bars."""
    candles = _candles(bars.slice(0, _MOST_BARS))
    warm_up = strategy.warm_up(parameters)
    full = _decisions(strategy, parameters, candles)
    for share in (0.15, 0.3, 0.45, 0.6):
        start = int(len(candles) * share)
        if start == 0 or start + warm_up >= len(candles):
            continue
        late = _decisions(strategy, parameters, candles[start:])
        # A strategy may hold on to a target that it took before the later start; both must have made up their minds.
        settled = _settled(late, warm_up)
        if settled is None:
            continue
        bar = _first_other(full[start + settled :], late[settled:])
        if bar is not None:
            at = start + settled + bar
            guilty = _recursion_line(strategy, parameters, candles, start, at)
            return StartDependence(at, start, at - start + 1, warm_up, guilty)
    return None


def _settled(decisions: list[Decision], warm_up: int) -> int | None:
    """The first index past the warm-up at which the target has changed, so that it is not a matter of holding on."""
    for index in range(max(warm_up, 1), len(decisions)):
        now, before = decisions[index].target, decisions[index - 1].target
        if not isnan(now) and not isnan(before) and now != before:
            return index
    return None


def _candles(bars: BarSeries) -> list[Candle]:
    return [Candle(*row) for row in zip(*(column.tolist() for column in bars.columns), strict=True)]


def _decisions(strategy: AnyStrategy, parameters: Parameters, candles: list[Candle]) -> list[Decision]:
    stepper = Stepper(strategy, parameters)
    return [stepper.on(candle) for candle in candles]


def _first_other(one: list[Decision], other: list[Decision]) -> int | None:
    left, right = (np.array([decision.target for decision in of]) for of in (one, other))
    differs = np.flatnonzero((left != right) & ~(np.isnan(left) & np.isnan(right)))
    return int(differs[0]) if len(differs) else None


def _line_of(make: Make, parameters: Parameters, true: list[Candle], other: list[Candle], bar: int) -> Guilty | None:
    """Where the first run of a strategy and one that has seen a history before part."""
    fresh = _lines_until(make(), parameters, true, bar + 1)
    for seen in (true, other):
        knowing = make()
        _decisions(knowing, parameters, seen)
        for here, there in zip(fresh, _lines_until(knowing, parameters, true, bar + 1), strict=True):
            guilty = first_difference(here, there)
            if guilty is not None:
                return guilty
    return None


def _lines_until(strategy: AnyStrategy, parameters: Parameters, candles: list[Candle], count: int) -> list[list[Line]]:
    stepper = Stepper(strategy, parameters)
    quiet = max(count - 50, 0)
    for candle in candles[:quiet]:
        stepper.on(candle)
    return [stepper.watched(candle) for candle in candles[quiet:count]]


def _recursion_line(
    strategy: AnyStrategy, parameters: Parameters, candles: list[Candle], start: int, bar: int
) -> Guilty | None:
    early, late = Stepper(strategy, parameters), Stepper(strategy, parameters)
    for candle in candles[:start]:
        early.on(candle)
    for candle in candles[start:bar]:
        early.on(candle)
        late.on(candle)
    return first_difference(
        early.watched(candles[bar]), late.watched(candles[bar]), tolerance=_RECURSION_TOLERANCE, states=False
    )
