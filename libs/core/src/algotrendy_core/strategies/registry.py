"""Every strategy that comes with the platform, by name.

Invariant: a name never changes its meaning; runs and saved states refer to it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from algotrendy_common.errors import Refused
from pydantic import ValidationError

from algotrendy_core.strategies.bollinger_reversion import BOLLINGER_REVERSION
from algotrendy_core.strategies.bollinger_squeeze import BOLLINGER_SQUEEZE
from algotrendy_core.strategies.breakout import BREAKOUT
from algotrendy_core.strategies.dca import DCA
from algotrendy_core.strategies.grid import GRID
from algotrendy_core.strategies.interface import AnyStrategy, Parameters
from algotrendy_core.strategies.macd_cross import MACD_CROSS
from algotrendy_core.strategies.macd_divergence import MACD_DIVERGENCE
from algotrendy_core.strategies.mean_reversion import MEAN_REVERSION
from algotrendy_core.strategies.mfi_reversion import MFI_REVERSION
from algotrendy_core.strategies.momentum import MOMENTUM
from algotrendy_core.strategies.rsi_reversion import RSI_REVERSION
from algotrendy_core.strategies.sma_cross import SMA_CROSS
from algotrendy_core.strategies.vwap_reversion import VWAP_REVERSION

STRATEGIES: Mapping[str, AnyStrategy] = MappingProxyType(
    {
        strategy.name: strategy
        for strategy in (
            SMA_CROSS,
            RSI_REVERSION,
            MOMENTUM,
            MACD_CROSS,
            MACD_DIVERGENCE,
            MFI_REVERSION,
            VWAP_REVERSION,
            BOLLINGER_SQUEEZE,
            BOLLINGER_REVERSION,
            MEAN_REVERSION,
            BREAKOUT,
            GRID,
            DCA,
        )
    }
)


def strategy_named(name: str, among: Mapping[str, AnyStrategy] = STRATEGIES) -> AnyStrategy:
    """``among`` may hold strategies of users too. Raises Refused where there is none."""
    found = among.get(name)
    if found is None:
        raise Refused("strategy_unknown", f"there is no strategy {name!r}", known=", ".join(sorted(among)))
    return found


def parameters_of(strategy: AnyStrategy, values: Mapping[str, Any]) -> Parameters:
    """The strategy's parameters from plain values, defaults filled in; raises Refused with every violation."""
    try:
        parameters: Parameters = strategy.parameters(**values)
    except ValidationError as error:
        problems = "; ".join(
            ".".join(str(part) for part in problem["loc"]) + f": {problem['msg']}" for problem in error.errors()
        )
        raise Refused("parameters_invalid", problems, strategy=strategy.name) from error
    return parameters
