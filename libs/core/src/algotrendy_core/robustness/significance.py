"""Would the same number of trades, of the same lengths and sides, at random times have done as well?

Invariant: random trades do not overlap where the real ones did not, and pay what the real ones paid.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algotrendy_core.kernels import Floats


@dataclass(frozen=True, slots=True)
class Significance:
    p_value: float
    """Share of the random strategies that did as well or better; small is good."""
    observed: float
    """Sum of the trades' log returns, before costs."""
    random_mean: float
    random_deviation: float
    draws: int


def against_random_entries(trades: NDArray[Any], open_: Floats, *, draws: int, seed: int) -> Significance | None:
    """``trades`` has at least ``entry_bar``, ``exit_bar`` and ``side``; both ends are at the bar's open.

    Costs are left out on both sides: the same trades cost the same. None without trades.
    """
    if not len(trades):
        return None
    lengths = (trades["exit_bar"] - trades["entry_bar"]).astype(np.int64)
    sides = trades["side"].astype(np.float64)
    prices = np.log(open_)
    observed = float((sides * (prices[trades["exit_bar"]] - prices[trades["entry_bar"]])).sum())
    free = max(len(open_) - 1 - int(lengths.sum()), 0)
    random = np.random.Generator(np.random.PCG64(seed))
    results = np.empty(draws)
    for draw in range(draws):
        order = random.permutation(len(trades))
        # The free bars before each trade, so that every arrangement without overlap is as likely as any other.
        gaps = np.sort(random.choice(free + len(trades), len(trades), replace=False)) - np.arange(len(trades))
        entries = gaps + np.concatenate(([0], np.cumsum(lengths[order])[:-1]))
        exits = np.minimum(entries + lengths[order], len(open_) - 1)
        results[draw] = float((sides[order] * (prices[exits] - prices[np.minimum(entries, len(open_) - 1)])).sum())
    return Significance(
        # The observed one counts among the draws: a p-value of exactly zero cannot be shown by drawing.
        p_value=float(((results >= observed).sum() + 1) / (draws + 1)),
        observed=observed,
        random_mean=float(results.mean()),
        random_deviation=float(results.std(ddof=1)) if draws > 1 else 0.0,
        draws=draws,
    )
