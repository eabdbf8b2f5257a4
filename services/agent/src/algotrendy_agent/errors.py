"""What can go wrong here, beyond the platform's own errors.

Refused
├── StrategyUnknown    a command names a strategy that is not configured
└── NotProven          it was to trade real money without having been found robust
"""

from algotrendy_common.errors import Refused


class StrategyUnknown(Refused):
    def __init__(self, strategy: str) -> None:
        super().__init__("strategy_unknown", f"there is no strategy {strategy}", strategy=strategy)


class NotProven(Refused):
    def __init__(self, strategy: str, run_id: str | None) -> None:
        why = (
            "was not found robust"
            if run_id
            else "has had no robustness check with these parameters on this symbol and timeframe"
        )
        super().__init__(
            "strategy_not_proven",
            f"{strategy} {why}; to trade real money all the same takes a reason, which is written down",
            strategy=strategy,
            run_id=run_id,
        )
