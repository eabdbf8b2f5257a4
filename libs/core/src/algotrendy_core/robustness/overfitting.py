"""Does choosing the best of many parameter sets carry over to data that the choice did not see?

The history is cut into groups. Of every combination of groups one part is tested on and the rest chosen on; returns
next to a test group are left out of the choice (purged: a position may reach over the border; embargoed: what follows
a test group remembers it). A choice that lands below the median of all sets where it was not seen is luck.
Source: Bailey, Borwein, López de Prado and Zhu, "The Probability of Backtest Overfitting" (2015); López de Prado,
"Advances in Financial Machine Learning" (2018), chapters 7 and 12, for the combinatorial purged paths.
Invariant: no return is both chosen on and tested on.
"""

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from algotrendy_core.kernels import Floats

MOST_SPLITS = 20_000


@dataclass(frozen=True, slots=True)
class Split:
    chosen: int
    """The set that was best where it was chosen: a column of the matrix."""
    seen: float
    """Its ratio there, per period."""
    unseen: float
    """Its ratio on the groups that were kept from the choice."""
    rank: float
    """Its place among all sets there, from 0 (worst) to 1 (best)."""


@dataclass(frozen=True, slots=True)
class Overfitting:
    probability: float
    """Share of the splits in which the chosen set was below the median of all sets where it was not seen."""
    probability_of_loss: float
    """Share of the splits in which the chosen set lost where it was not seen."""
    splits: tuple[Split, ...]
    path_ratios: Floats
    """Ratio per period of each path through the whole history that is made of unseen groups alone."""

    @property
    def median_degradation(self) -> float:
        """By how much the ratio falls from seen to unseen, the median of all splits."""
        return float(np.median([split.seen - split.unseen for split in self.splits]))


def cross_validated(
    returns: Floats, *, groups: int = 10, tested: int = 2, purged: int = 0, embargo: int = 0
) -> Overfitting:
    """``returns`` has shape (periods, sets); ``purged`` and ``embargo`` are periods.

    Raises ValueError where that cannot be cut so.
    """
    periods, sets = returns.shape
    if sets < 2:
        raise ValueError("a choice needs two parameter sets or more")
    if not 1 <= tested < groups:
        raise ValueError(f"{tested} of {groups} groups cannot be tested on")
    if periods < groups * (purged + embargo + 2):
        raise ValueError(f"{periods} periods are too few for {groups} groups with {purged} + {embargo} left out")
    if comb(groups, tested) > MOST_SPLITS:
        raise ValueError(f"{comb(groups, tested)} splits are more than {MOST_SPLITS}")
    borders = np.linspace(0, periods, groups + 1).astype(np.int64)
    splits: list[Split] = []
    chosen_at: dict[tuple[int, ...], int] = {}
    for test in combinations(range(groups), tested):
        seen = _ratios(returns[_kept(periods, borders, test, purged, embargo)])
        # The first of equals, so that the choice does not depend on anything but the figures.
        chosen = int(np.nanargmax(np.where(np.isnan(seen), -np.inf, seen)))
        unseen = _ratios(np.concatenate([returns[borders[g] : borders[g + 1]] for g in test]))
        below = (unseen < unseen[chosen]).sum() + 0.5 * ((unseen == unseen[chosen]).sum() - 1)
        chosen_at[test] = chosen
        splits.append(Split(chosen, float(seen[chosen]), float(unseen[chosen]), float(below / (sets - 1))))
    return Overfitting(
        probability=float(np.mean([split.rank < 0.5 for split in splits])),
        probability_of_loss=float(np.mean([split.unseen < 0.0 for split in splits])),
        splits=tuple(splits),
        path_ratios=_paths(returns, borders, chosen_at),
    )


def _kept(
    periods: int, borders: NDArray[np.int64], test: tuple[int, ...], purged: int, embargo: int
) -> NDArray[np.bool_]:
    kept = np.ones(periods, dtype=np.bool_)
    for group in test:
        kept[max(int(borders[group]) - purged, 0) : int(borders[group + 1]) + purged + embargo] = False
    return kept


def _paths(returns: Floats, borders: NDArray[np.int64], chosen_at: dict[tuple[int, ...], int]) -> Floats:
    """Each group is tested in several splits: its k-th test belongs to path k."""
    groups = len(borders) - 1
    tests: list[list[int]] = [[chosen for test, chosen in chosen_at.items() if g in test] for g in range(groups)]
    paths = min(len(of) for of in tests)
    out = np.empty(paths)
    for path in range(paths):
        walked = [returns[borders[g] : borders[g + 1], tests[g][path]] for g in range(groups)]
        out[path] = _ratios(np.concatenate(walked)[:, None])[0]
    return out


def _ratios(returns: Floats) -> Floats:
    """Of each column; a column that did not move has 0: it neither won nor lost."""
    mean, deviation = returns.mean(axis=0), returns.std(axis=0, ddof=1)
    return np.divide(mean, deviation, out=np.zeros_like(mean), where=deviation > 0.0)
