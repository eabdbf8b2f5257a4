"""What can go wrong here, beyond the platform's own errors.

Refused
└── StrategyUnknown    a command names a strategy that is not configured
"""

from algotrendy_common.errors import Refused


class StrategyUnknown(Refused):
    def __init__(self, strategy: str) -> None:
        super().__init__("strategy_unknown", f"there is no strategy {strategy}", strategy=strategy)
