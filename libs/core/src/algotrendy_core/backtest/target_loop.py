"""The loop over bars of a strategy that works by targets alone: decisions only, filled by ``execution``.

Copied for each strategy by ``compilation``, which binds ``step`` and ``parameters_from``.
"""

from typing import Any

from algotrendy_core.backtest.unbound import parameters_from, step
from algotrendy_core.bars import Candle


def decide_bars(
    given: Any, state: Any, time: Any, open_: Any, high: Any, low: Any, close: Any, volume: Any, target: Any,
    reason: Any,
) -> None:  # fmt: skip
    """Write the decision of each bar into ``target`` and ``reason``."""
    parameters = parameters_from(given)
    for i in range(len(close)):
        decision = step(parameters, state, Candle(time[i], open_[i], high[i], low[i], close[i], volume[i]))
        target[i] = decision.target
        reason[i] = decision.reason
