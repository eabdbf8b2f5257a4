"""Curves of equity and what they say: returns, ratios, drawdown. Here amounts become floats, and nothing goes back.

Invariant: money that came from outside is taken off first, so that a deposit is no profit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import numpy as np
from algotrendy_common.clock import to_ms
from algotrendy_common.money import ZERO
from algotrendy_common.rpc.risk import EquityPoint, PortfolioStatistics
from algotrendy_core.performance import irregular

MOST_POINTS = 500


@dataclass(frozen=True, slots=True)
class Point:
    time: datetime
    equity: Decimal
    flows: Decimal = ZERO
    """What came from outside up to then."""


def summed(curves: Sequence[Sequence[Point]]) -> list[Point]:
    """The curve of all together: at each time any is known, the newest known of each. An account's later start is money
    from outside."""
    present = [curve for curve in curves if curve]
    times = sorted({point.time for curve in present for point in curve})
    at = [0] * len(present)
    found: list[Point] = []
    for time in times:
        equity = flows = ZERO
        for number, curve in enumerate(present):
            while at[number] + 1 < len(curve) and curve[at[number] + 1].time <= time:
                at[number] += 1
            point = curve[at[number]]
            if point.time <= time:
                equity += point.equity
                flows += point.flows + (curve[0].equity - curve[0].flows if curve[0].time > times[0] else ZERO)
        found.append(Point(time, equity, flows))
    return found


def statistics(points: Sequence[Point], profits: Sequence[Decimal]) -> PortfolioStatistics:
    equity = np.array([float(point.equity - point.flows) for point in points])
    times = np.array([to_ms(point.time) for point in points], dtype=np.int64)
    found = irregular(equity, times, np.array([float(profit) for profit in profits]))
    return PortfolioStatistics(
        trades=len(profits),
        win_rate=found.win_rate,
        profit_factor=found.profit_factor,
        sharpe=found.sharpe,
        sortino=found.sortino,
        max_drawdown=found.max_drawdown,
        total_return=found.total_return,
    )


def thinned(points: Sequence[Point]) -> tuple[EquityPoint, ...]:
    """At most ``MOST_POINTS``, the newest always among them."""
    step = max(1, -(-len(points) // MOST_POINTS))
    kept = list(reversed(list(reversed(points))[::step]))
    return tuple(EquityPoint(time=point.time, equity=point.equity) for point in kept)
