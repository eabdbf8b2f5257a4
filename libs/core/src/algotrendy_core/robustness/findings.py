"""What is held against a backtest: each doubt with what was seen, where the line is, and whether it was crossed.

Invariant: a doubt that could not be looked into (too few bars, no trades) never counts as passed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algotrendy_core.backtest.series import BarSeries
from algotrendy_core.kernels import Floats


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    question: str
    passed: bool
    observed: str
    limit: str
    gates: bool = True
    """False: told, but not a reason to keep the strategy from live trading."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Where the lines are drawn."""

    fewest_trades: int = 30
    fewest_trades_a_parameter: int = 10
    most_stale_fills: float = 0.01
    longest_idle: float = 0.34
    """Of the history, between two trades."""
    largest_trade: float = 0.5
    """Of the net profit, by the single best trade."""
    unseen_keeps: float = 0.5
    """Of the ratio seen: what the part that was kept back should still show."""
    probability_of_overfitting: float = 0.5
    deflated_sharpe: float = 0.95
    p_value: float = 0.05
    neighbours_profitable: float = 0.7
    histories_losing: float = 0.4
    yardstick_sharpe: float = 1.5
    yardstick_drawdown: float = 0.2


def of_trades(
    fills: NDArray[Any], trades: NDArray[Any], equity: Floats, bars: BarSeries, parameters: int, lines: Lines
) -> list[Finding]:
    """Whether there is anything to judge: ``fills`` and ``trades`` are arrays of ``FILL`` and ``TRADE``."""
    count = len(trades)
    stale = _stale(fills, bars)
    idle = _longest_idle(trades, len(bars))
    profit = float(trades["profit"].sum()) if count else 0.0
    best = float(trades["profit"].max()) if count else 0.0
    moved = float((np.diff(equity) != 0.0).mean()) if len(equity) > 1 else 0.0
    largest = best / profit if profit > 0 else None
    return [
        Finding(
            "enough_trades", "Are there enough trades to say anything?", count >= lines.fewest_trades,
            f"{count} trades", f"at least {lines.fewest_trades}",
        ),
        Finding(
            "few_parameters", "Are there few parameters for so many trades?",
            count >= parameters * lines.fewest_trades_a_parameter, f"{parameters} parameters, {count} trades",
            f"{lines.fewest_trades_a_parameter} trades a parameter",
        ),
        Finding(
            "no_stale_fills", "Did every fill meet a market that traded?", stale <= lines.most_stale_fills,
            f"{stale:.1%} of fills in bars without movement or volume", f"at most {lines.most_stale_fills:.0%}",
        ),
        Finding(
            "no_flat_equity", "Does it trade all along?", count > 0 and idle <= lines.longest_idle,
            f"{idle:.0%} of the history without a trade in one stretch; equity moved on {moved:.0%} of bars",
            f"at most {lines.longest_idle:.0%}",
        ),
        Finding(
            "not_one_trade", "Is the profit more than one lucky trade?",
            largest is not None and largest <= lines.largest_trade,
            "no profit" if largest is None else f"the best trade made {largest:.0%} of it",
            f"at most {lines.largest_trade:.0%}",
        ),
    ]  # fmt: skip


def _stale(fills: NDArray[Any], bars: BarSeries) -> float:
    """Share of fills in bars in which nothing moved or nothing was traded."""
    if not len(fills):
        return 0.0
    at = fills["bar"]
    dead = (bars.high[at] == bars.low[at]) | (bars.volume[at] == 0.0)
    return float(dead.mean())


def _longest_idle(trades: NDArray[Any], bars: int) -> float:
    """The longest stretch between the end of a trade and the beginning of the next, ends of the history included."""
    if not len(trades) or bars == 0:
        return 1.0
    ends = np.concatenate(([0], trades["exit_bar"]))
    starts = np.concatenate((trades["entry_bar"], [bars - 1]))
    return float((starts - ends).max()) / bars
